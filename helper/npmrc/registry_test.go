package npmrc

import (
	"errors"
	"fmt"
	"testing"

	"rotd/ipc/secret"
)

func TestAddRegistry(t *testing.T) {
	for src, want := range map[string]string{
		"":                           "registry=http://localhost:4873/\n",
		"registry=x\n":               "registry=x\n",
		"@a:registry=x":              "@a:registry=x\nregistry=http://localhost:4873/",
		"a=1\n[s]\nregistry=x\n":     "a=1\nregistry=http://localhost:4873/\n[s]\nregistry=x\n",
		"registry = ${REGISTRY}\r\n": "registry = ${REGISTRY}\r\n",
		"; registry=x\n":             "; registry=x\nregistry=http://localhost:4873/\n",
	} {
		if got := string(AddRegistry([]byte(src), "http://localhost:4873")); got != want {
			t.Errorf("%q: got %q, want %q", src, got, want)
		}
	}
}

func TestScopes(t *testing.T) {
	const (
		set   = key + "=" + value
		scope = "@acme:registry=" + registry
	)
	for name, tc := range map[string]struct {
		src, want, cut string
		moved, others  string
	}{
		"empty":                {"", set + "\n" + scope + "\n", "", "[]", "[]"},
		"no final line end":    {"a=1", "a=1\n" + set + "\n" + scope, "a=1", "[]", "[]"},
		"CRLF":                 {"a=1\r\n", "a=1\r\n" + set + "\r\n" + scope + "\r\n", "a=1\r\n", "[]", "[]"},
		"above a section":      {"a=1\n[s]\n", "a=1\n" + set + "\n" + scope + "\n[s]\n", "a=1\n[s]\n", "[]", "[]"},
		"there, without slash": {"@acme:registry = http://localhost:4873\n", "@acme:registry = http://localhost:4873\n" + set + "\n", "", "[]", "[]"},
		"of another registry":  {"@acme:registry=http://x/\n", scope + "\n" + set + "\n", "", "[@acme]", "[]"},
		"twice":                {"@acme:registry=http://x/\n" + scope + "\n", "@acme:registry=http://x/\n" + scope + "\n" + set + "\n", "@acme:registry=http://x/\n", "[]", "[1]"},
		"another scope":        {"@acme-two:registry=http://x/\n", "@acme-two:registry=http://x/\n" + set + "\n" + scope + "\n", "@acme-two:registry=http://x/\n", "[]", "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			out, rep, err := editAll([]byte(tc.src), registry, secret.New(value), []string{"@acme"})
			if err != nil || string(out) != tc.want || fmt.Sprint(rep.Moved) != tc.moved || fmt.Sprint(rep.Others) != tc.others || !rep.Changed {
				t.Errorf("got  %q, %+v, %v\nwant %q", out, rep, err, tc.want)
			}
			if again, rep, err := editAll(out, registry, secret.New(value), []string{"@acme"}); err != nil || rep.Changed || string(again) != string(out) {
				t.Errorf("the second time: %q, %+v, %v", again, rep, err)
			}
			if cut, rep, err := cutAll(out, registry, []string{"@acme"}); err != nil || string(cut) != tc.cut || !rep.Changed {
				t.Errorf("cut: %q, %+v, %v, want %q", cut, rep, err, tc.cut)
			}
		})
	}
	var placeholder *PlaceholderError
	if _, _, err := editAll([]byte("@acme:registry=${R}\n"), registry, secret.New(value), []string{"@acme"}); !errors.As(err, &placeholder) {
		t.Errorf("a placeholder: %v", err)
	}
	const elsewhere = "@acme:registry=http://x/\n"
	if out, _, err := cutAll([]byte(elsewhere+set+"\n"), registry, []string{"@acme"}); err != nil || string(out) != elsewhere {
		t.Errorf("a scope that has gone elsewhere: %q, %v", out, err)
	}
}

func TestScopeSpellings(t *testing.T) {
	for in, want := range map[string]string{"@acme": "@acme", "acme": "@acme", "@a-b_c.d": "@a-b_c.d", "@~x": "@~x"} {
		if got, err := Scope(in); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "@", "@a/b", "@@a", "@a b", "@a\nb", "@a=b", "@a:registry", "@a;b", "@é", "@${X}", "@[]"} {
		if got, err := Scope(in); !errors.Is(err, ErrScope) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}
