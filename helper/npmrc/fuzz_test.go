package npmrc

import (
	"slices"
	"strings"
	"testing"

	"rotd/ipc/secret"
)

// FuzzNpmrc holds the editor to its promises on any file: npm would read the
// value back, every other byte is what it was, and taking out what was added
// gives the file back.
func FuzzNpmrc(f *testing.F) {
	for _, seed := range []string{
		"", "a=1", key + "=x", key + "[]=x", "\ufeff[s]\r\n" + key, key + "=\"a;b\" ; c\r\r\n" + key + "=",
		"[a]\n;x\n" + key + "=\n", "\"" + key + "\"='x'", key + "=\\\\;", key + " ; = y", " \u2028" + key + "=\u2029",
		"registry=x\n\n\n[y]z\n[y]\n", key + "=${A}\n", "'=1\n\"=2\n=3\n", "a=1\r\n\n[s]", "a\n\r[s]\r\n", "@acme:registry=http://localhost:4873",
		"@acme:registry=x\r" + key + "\r\n", "//[::1]:4873/:_authToken=x",
	} {
		f.Add(seed, false, false)
		f.Add(seed, true, true)
	}
	f.Fuzz(func(t *testing.T, src string, v6, scoped bool) {
		registry, scopes := registry, []string(nil)
		if v6 {
			registry = "http://[::1]:4873/npm"
		}
		if scoped {
			scopes = []string{"@acme"}
		}
		out, rep, err := editAll([]byte(src), registry, secret.New(value), scopes)
		if err != nil {
			return
		}
		settings := parse(string(out))
		at := find(settings, rep.Key)
		if at < 0 || settings[at].value != value || settings[at].line != rep.Line {
			t.Fatalf("the value is not read back from %q: %+v", out, rep)
		}
		if scoped && !HasScope(out, "@acme", registry) {
			t.Fatalf("the scope is not read back from %q", out)
		}
		if rep.Changed == (string(out) == src) {
			t.Fatalf("changed: %v, from %q to %q", rep.Changed, src, out)
		}
		again, rep2, err := editAll(out, registry, secret.New(value), scopes)
		if err != nil || rep2.Changed || string(again) != string(out) {
			t.Fatalf("the second time %q became %q, %v", out, again, err)
		}
		back, keys := out, []string{rep.Key}
		for _, scope := range scopes {
			keys = append(keys, scope+scopeSetting)
		}
		for _, k := range slices.Backward(keys) {
			if find(parse(src), k) < 0 { // it was added
				if back, _, err = cut(back, k, func(string) bool { return true }); err != nil {
					t.Fatal(err)
				}
			}
		}
		if was, is := blank(src, keys), blank(string(back), keys); was != is {
			t.Fatalf("other bytes changed:\n%q\n%q\nin %q", was, is, out)
		}
	})
}

// blank is text without the values of the keys.
func blank(text string, keys []string) string {
	for _, k := range keys {
		settings := parse(text)
		if at := find(settings, k); at >= 0 {
			s := settings[at]
			text = strings.TrimSuffix(text[:s.valueAt], "=") + "=" + text[s.valueEnd:]
		}
	}
	return text
}
