package npmrc

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"rotd/ipc/secret"
)

func TestCut(t *testing.T) {
	for src, want := range map[string]string{
		"": "",
		"a=1\n//localhost:4873/:_authToken=npm_EXAMPLE\nb=2\n":                "a=1\nb=2\n",
		"a=1\r\n//localhost:4873/:_authToken = npm_EXAMPLE ; mine\r\nb=2\r\n": "a=1\r\nb=2\r\n",
		"//localhost:4873/:_authToken=npm_EXAMPLE":                            "",
		"a=1\r\n//localhost:4873/:_authToken=npm_EXAMPLE":                     "a=1",
		"//localhost:4874/:_authToken=npm_EXAMPLE\n":                          "//localhost:4874/:_authToken=npm_EXAMPLE\n",
	} {
		got, rep, err := Cut([]byte(src), registry)
		if err != nil || string(got) != want || rep.Changed != (src != want) {
			t.Errorf("%q became %q, %+v, %v", src, got, rep, err)
		}
	}
	var placeholder *PlaceholderError
	if _, _, err := Cut([]byte("//localhost:4873/:_authToken=${T}\n"), registry); !errors.As(err, &placeholder) {
		t.Errorf("a placeholder: %v", err)
	}
	if _, _, err := Cut(nil, "nonsense"); !errors.Is(err, ErrRegistry) {
		t.Errorf("nonsense: %v", err)
	}
}

func TestRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".npmrc")
	if rep, err := Remove(path, "http://localhost:4873"); err != nil || rep.Changed {
		t.Errorf("of no file: %+v, %v", rep, err)
	}
	if err := os.WriteFile(path, []byte("a=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Update(path, "http://localhost:4873", secret.New("npm_EXAMPLE")); err != nil {
		t.Fatal(err)
	}
	if rep, err := Remove(path, "http://localhost:4873"); err != nil || !rep.Changed || rep.Path != path {
		t.Errorf("%+v, %v", rep, err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "a=1\n" {
		t.Errorf("%q, %v", b, err)
	}
	// A file that Update has made is gone again, with its scopes.
	path = filepath.Join(t.TempDir(), ".npmrc")
	if _, err := Update(path, registry, secret.New(value), "@acme"); err != nil {
		t.Fatal(err)
	}
	check(t, path, key+"="+value+"\n@acme:registry="+registry+"\n", 0o600)
	if rep, err := Remove(path, registry, "@acme"); err != nil || !rep.Changed {
		t.Errorf("%+v, %v", rep, err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestRemoveAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".npmrc")
	for src, want := range map[string]string{
		key + "=old\na=1\n" + key + "=new\n": "a=1\n",
		"a=1\n":                              "a=1\n",
		"a=1\n" + key + "=new\n[s]\n" + key + "=y": "a=1\n[s]\n" + key + "=y",
	} {
		write(t, path, src, 0o600)
		if rep, err := RemoveAll(path, key, secret.New("new")); err != nil || rep.Changed != (src != want) {
			t.Errorf("%+v, %v", rep, err)
		}
		check(t, path, want, 0o600)
	}
	const kept = key + "=${T}\n" + key + "=x\n"
	write(t, path, kept, 0o600)
	if _, err := RemoveAll(path, key, secret.New("x")); !isA[*PlaceholderError](err) {
		t.Error(err)
	}
	if _, err := RemoveAll(path, key, secret.New("y")); !errors.Is(err, ErrAnother) {
		t.Error(err)
	}
	check(t, path, kept, 0o600)
}

func TestTokens(t *testing.T) {
	got := Tokens([]byte("a=1\n" + key + "=old\n//h:_authToken=${T}\n" + key + "=new\n//h/:_auth=x\n_authToken=y\n//e/:_authToken=\n[s]\n//s/:_authToken=z\n"))
	if len(got) != 2 || got[0].Key != "//h:_authToken" || got[0].Line != 3 || got[1].Key != key || got[1].Line != 4 || got[1].Value.Reveal() != "new" {
		t.Errorf("%+v", got)
	}
}
