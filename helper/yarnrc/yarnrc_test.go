package yarnrc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rotd/helper/npmrc"
	"rotd/ipc/secret"
)

const registry = "http://localhost:4873/npm/"

const line = "npmAuthToken: \"npm_newEXAMPLE\"\n"

func TestEdit(t *testing.T) {
	for name, c := range map[string]struct{ src, want string }{
		"empty":            {"", "npmRegistries:\n  \"//localhost:4873/npm\":\n    " + line},
		"comments only":    {"# mine\n", "# mine\nnpmRegistries:\n  \"//localhost:4873/npm\":\n    " + line},
		"no final line":    {"a: 1 # one", "a: 1 # one\nnpmRegistries:\n  \"//localhost:4873/npm\":\n    " + line},
		"CRLF":             {"a: 1\r\n", strings.ReplaceAll("a: 1\nnpmRegistries:\n  \"//localhost:4873/npm\":\n    "+line, "\n", "\r\n")},
		"null":             {"npmRegistries:\nb: 2\n", "npmRegistries:\n  \"//localhost:4873/npm\":\n    " + line + "b: 2\n"},
		"another registry": {"npmRegistries:\n    # theirs\n    //x: \n        npmAuthToken: b\n", "npmRegistries:\n    \"//localhost:4873/npm\":\n      " + line + "    # theirs\n    //x: \n        npmAuthToken: b\n"},
		"entry":            {"npmRegistries:\n  //localhost:4873/npm:\n     npmAlwaysAuth: true\n", "npmRegistries:\n  //localhost:4873/npm:\n     " + line + "     npmAlwaysAuth: true\n"},
		"entry, scheme":    {"npmRegistries:\n  'http://localhost:4873/npm/':\n    npmAlwaysAuth: true\n", "npmRegistries:\n  'http://localhost:4873/npm/':\n    " + line + "    npmAlwaysAuth: true\n"},
		"two entries":      {"npmRegistries:\n  http://localhost:4873/npm:\n    npmAuthToken: a\n  //localhost:4873/npm:\n    npmAuthToken: b\n", "npmRegistries:\n  http://localhost:4873/npm:\n    " + line + "  //localhost:4873/npm:\n    npmAuthToken: b\n"},
		"another scheme":   {"npmRegistries:\n  https://localhost:4873/npm:\n    npmAuthToken: a\n", "npmRegistries:\n  \"//localhost:4873/npm\":\n    " + line + "  https://localhost:4873/npm:\n    npmAuthToken: a\n"},
		"entry, null":      {"npmRegistries:\n  //localhost:4873/npm:\n", "npmRegistries:\n  //localhost:4873/npm:\n    " + line},
		"replaced":         {"npmRegistries:\n  //localhost:4873/npm:\n    npmAuthToken: npm_oldEXAMPLE # mine\nb: 2", "npmRegistries:\n  //localhost:4873/npm:\n    npmAuthToken: \"npm_newEXAMPLE\" # mine\nb: 2"},
		"replaced, quotes": {"npmRegistries:\n  //localhost:4873/npm:\n    \"npmAuthToken\" :  'old # x'\r\n", "npmRegistries:\n  //localhost:4873/npm:\n    \"npmAuthToken\" : \"npm_newEXAMPLE\"\r\n"},
		"a null token":     {"npmRegistries:\n  //localhost:4873/npm:\n    npmAuthToken: # none\n", "npmRegistries:\n  //localhost:4873/npm:\n    npmAuthToken: \"npm_newEXAMPLE\" # none\n"},
		"at the top":       {"npmAuthToken: other\n", "npmAuthToken: other\nnpmRegistries:\n  \"//localhost:4873/npm\":\n    " + line},
		"as it is":         {"npmRegistries:\n  //localhost:4873/npm:\n    npmAuthToken: npm_newEXAMPLE\n", "npmRegistries:\n  //localhost:4873/npm:\n    npmAuthToken: npm_newEXAMPLE\n"},
	} {
		got, rep, err := Edit([]byte(c.src), registry, secret.New("npm_newEXAMPLE"))
		if err != nil || string(got) != c.want || rep.Changed != (c.src != c.want) || !strings.Contains(strings.SplitAfter(string(got), "\n")[rep.Line-1], "npmAuthToken") {
			t.Errorf("%s: %q, %+v, %v\nwant %q", name, got, rep, err, c.want)
			continue
		}
		again, rep, err := Edit(got, registry, secret.New("npm_newEXAMPLE"))
		if err != nil || rep.Changed || string(again) != string(got) {
			t.Errorf("%s, again: %q, %+v, %v", name, again, rep, err)
		}
		back, rep, err := Cut(got, registry)
		if err != nil || !rep.Changed || strings.Contains(string(back), "npm_newEXAMPLE") {
			t.Errorf("%s, cut: %q, %+v, %v", name, back, rep, err)
		}
	}
}

func TestCut(t *testing.T) {
	for src, want := range map[string]string{
		"a: 1\nnpmRegistries:\n  //localhost:4873/npm:\n    npmAuthToken: x\n# end\n":                 "a: 1\n# end\n",
		"npmRegistries:\n  //x:\n    npmAuthToken: y\n  //localhost:4873/npm:\n    npmAuthToken: x\n": "npmRegistries:\n  //x:\n    npmAuthToken: y\n",
		"npmRegistries:\n  //localhost:4873/npm:\n    npmAuthToken: x\n    npmAlwaysAuth: true\n":     "npmRegistries:\n  //localhost:4873/npm:\n    npmAlwaysAuth: true\n",
		"npmRegistries:\n  //x:\n    npmAuthToken: y\n":                                               "npmRegistries:\n  //x:\n    npmAuthToken: y\n",
		"": "",
	} {
		if got, rep, err := Cut([]byte(src), registry); err != nil || string(got) != want || rep.Changed != (src != want) {
			t.Errorf("%q became %q, %+v, %v", src, got, rep, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	for src, want := range map[string]error{
		"npmRegistries: {}\n": ErrForm,
		"npmRegistries: { //localhost:4873/npm: { npmAuthToken: a } }\n": ErrForm,
		"{ a: 1 }\n":        ErrForm,
		"- a\n":             ErrForm,
		"a\n":               ErrForm,
		"a: [\n":            ErrForm,
		"a: 1\n---\nb: 2\n": ErrForm,
		"npmRegistries:\n  //localhost:4873/npm: &a\n    npmAuthToken: x\nb: *a\n":  ErrForm,
		"npmRegistries:\n  //localhost:4873/npm:\n    npmAuthToken: |\n      old\n": ErrForm,
		"npmRegistries:\n  //localhost:4873/npm:\n    npmAuthToken:\n      old\n":   ErrForm,
		"npmRegistries:\n  //localhost:4873/npm:\n    npmAuthToken: [old]\n":        ErrForm,
	} {
		if got, _, err := Edit([]byte(src), registry, secret.New("npm_newEXAMPLE")); !errors.Is(err, want) {
			t.Errorf("%q became %q, %v", src, got, err)
		}
	}
	src := "npmRegistries:\n  //localhost:4873/npm:\n    npmAuthToken: ${TOKEN-}\n"
	var placeholder *npmrc.PlaceholderError
	if _, _, err := Edit([]byte(src), registry, secret.New("npm_newEXAMPLE")); !errors.As(err, &placeholder) || placeholder.Line != 3 {
		t.Errorf("a placeholder: %v", err)
	}
	if _, _, err := Cut([]byte(src), registry); !errors.As(err, &placeholder) {
		t.Errorf("a placeholder: %v", err)
	}
	for _, value := range []string{"", "a b", "a\"", "a\\", "${X}", "a\nb"} {
		if _, _, err := Edit(nil, registry, secret.New(value)); !errors.Is(err, npmrc.ErrValue) {
			t.Errorf("the value %q: %v", value, err)
		}
	}
	if _, _, err := Edit(nil, "nonsense", secret.New("x")); !errors.Is(err, npmrc.ErrRegistry) {
		t.Errorf("nonsense: %v", err)
	}
}

func TestUpdate(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".yarnrc.yml")
	if _, err := Update(path, registry, secret.New("npm_newEXAMPLE")); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
	if _, err := Remove(path, registry); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("an empty file is left")
	}
}

// FuzzEdit has an edit change what the parser reads at the one place alone, and
// its undoing leave nothing of the token.
func FuzzEdit(f *testing.F) {
	for _, src := range []string{"", "a: 1\n", "npmRegistries:\n  //localhost:4873/npm:\n    npmAuthToken: x # y\n", "npmRegistries:\n  //x:\n    npmAuthToken: x\n", "\ufeffa: b\r\n", "? a\n: b\n"} {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		const value = "npm_fuzzEXAMPLE"
		if strings.Contains(src, value) {
			return
		}
		out, _, err := Edit([]byte(src), registry, secret.New(value))
		if err != nil {
			return
		}
		back, _, err := Cut(out, registry)
		if err != nil || strings.Contains(string(back), value) {
			t.Errorf("%q became %q, and %q, %v", src, out, back, err)
		}
	})
}
