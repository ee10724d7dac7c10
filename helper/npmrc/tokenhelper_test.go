package npmrc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHelper(t *testing.T) {
	const registry, line = "http://localhost:4873/npm", "//localhost:4873/npm/:tokenHelper="
	ours := func(program string) bool { return strings.HasPrefix(program, "/h/rot-helper-") }
	path := filepath.Join(t.TempDir(), "auth.ini")
	is := func(want string) {
		t.Helper()
		if b, err := os.ReadFile(path); string(b) != want || err != nil && want != "" {
			t.Errorf("%q, %v, want %q", b, err, want)
		}
	}
	for _, program := range []string{"/h/rot-helper-rot_a", "/h/rot-helper-rot_b", "/h/rot-helper-rot_b"} {
		if rep, err := SetHelper(path, registry, program, ours); err != nil || rep.Line != 1 {
			t.Fatalf("%+v, %v", rep, err)
		}
		is(line + program + "\n")
	}
	if rep, err := CutHelper(path, registry, ours); err != nil || !rep.Changed {
		t.Errorf("%+v, %v", rep, err)
	}
	is("")
	before := "a=1\r\n" + line + "/usr/bin/vault-npm\r\n"
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	var foreign *ForeignError
	if _, err := SetHelper(path, registry, "/h/rot-helper-rot_a", ours); !errors.As(err, &foreign) || foreign.Line != 2 || foreign.Program != "/usr/bin/vault-npm" {
		t.Errorf("somebody else's: %v", err)
	}
	if rep, err := CutHelper(path, registry, ours); err != nil || rep.Changed {
		t.Errorf("%+v, %v", rep, err)
	}
	is(before)
	for _, f := range []func() (Report, error){
		func() (Report, error) { return SetHelper(path, "nonsense", "/h/x", ours) },
		func() (Report, error) { return CutHelper(path, "nonsense", ours) },
	} {
		if _, err := f(); !errors.Is(err, ErrRegistry) {
			t.Errorf("nonsense: %v", err)
		}
	}
}
