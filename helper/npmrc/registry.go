package npmrc

import (
	"errors"
	"slices"
	"strings"

	"rotd/ipc/secret"
)

// ErrScope says that a word cannot be a scope.
var ErrScope = errors.New("a scope is @ and a name, as @acme")

// Scope brings a scope into its one spelling, "@acme".
func Scope(word string) (string, error) {
	name := strings.TrimPrefix(word, "@")
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' || strings.IndexByte("@/:=;#[]\\\"'`$%?", c) >= 0 {
			return "", ErrScope
		}
	}
	if name == "" {
		return "", ErrScope
	}
	return "@" + name, nil
}

// AddRegistry returns src with registry as the default one, unless src names
// one already.
func AddRegistry(src []byte, registry string) []byte {
	settings := parse(string(src))
	for _, s := range settings {
		if s.key == "registry" && !s.section {
			return src
		}
	}
	out, _ := insert(string(src), settings, "registry="+address(registry))
	return []byte(out)
}

// address is a registry as npm writes it.
func address(registry string) string { return strings.TrimRight(registry, "/") + "/" }

// sameAddress tells whether npm asks the same registry by both.
func sameAddress(a, b string) bool { return address(a) == address(b) }

// HasScope tells whether src has the packages of a scope come from registry.
func HasScope(src []byte, scope, registry string) bool {
	settings := parse(string(src))
	at := find(settings, scope+scopeSetting)
	return at >= 0 && !settings[at].list && sameAddress(settings[at].value, registry)
}

const scopeSetting = ":registry"

// editAll is Edit, and has the packages of the scopes come from the registry.
func editAll(src []byte, registry string, value secret.Text, scopes []string) ([]byte, Report, error) {
	key, err := Key(registry)
	if err != nil {
		return nil, Report{}, err
	}
	out, rep, err := set(src, key, value.Reveal(), false)
	for _, scope := range scopes {
		if err != nil || HasScope(out, scope, registry) {
			continue
		}
		var more Report
		out, more, err = set(out, scope+scopeSetting, address(registry), false)
		rep.Changed = true
		if !more.Added {
			rep.Moved = append(rep.Moved, scope)
		}
	}
	return rep.all(out, scopes, err)
}

// cutAll is Cut, and takes out what editAll has written for the scopes.
func cutAll(src []byte, registry string, scopes []string) ([]byte, Report, error) {
	key, err := Key(registry)
	if err != nil {
		return nil, Report{}, err
	}
	out, changed := src, false
	for _, scope := range slices.Backward(scopes) {
		var more Report
		if out, more, err = cut(out, scope+scopeSetting, func(is string) bool { return sameAddress(is, registry) }); err != nil {
			return nil, Report{}, err
		}
		changed = changed || more.Changed
	}
	out, rep, err := cut(out, key, func(string) bool { return true })
	rep.Changed = rep.Changed || changed
	return rep.all(out, scopes, err)
}

// all ends the report on a file that has become out.
func (r Report) all(out []byte, scopes []string, err error) ([]byte, Report, error) {
	if err != nil {
		return nil, Report{}, err
	}
	r.Others = others(out, r.Key)
	for _, scope := range scopes {
		r.Others = append(r.Others, others(out, scope+scopeSetting)...)
	}
	return out, r, nil
}
