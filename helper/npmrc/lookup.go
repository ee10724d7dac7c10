package npmrc

import (
	"strings"

	"rotd/ipc/secret"
)

// Lookup tells where src sets the registry's token and to what, if that is a
// placeholder; a literal value it keeps to itself.
func Lookup(src []byte, registry string) (line int, placeholder string, ok bool) {
	key, err := Key(registry)
	if err != nil {
		return 0, "", false
	}
	settings := parse(string(src))
	at := find(settings, key)
	if at < 0 {
		return 0, "", false
	}
	return settings[at].line, Placeholder(settings[at].value), true
}

// Value is what a key is set to, above every [section], and where: the text as
// npm reads it, which may name environment variables.
func Value(src []byte, key string) (line int, value secret.Text, ok bool) {
	settings := parse(string(src))
	at := find(settings, key)
	if at < 0 {
		return 0, secret.Text{}, false
	}
	return settings[at].line, secret.New(settings[at].value), true
}

// Token is a line that sets a registry's token.
type Token struct {
	Key   string // //host/path/:_authToken
	Line  int
	Value secret.Text // may name environment variables
}

// Tokens are the lines of src by which npm sends a token, in their order.
func Tokens(src []byte) []Token {
	settings := parse(string(src))
	last := map[string]int{} // as find finds it, of all keys at once
	for i, s := range settings {
		if at, ok := last[s.key]; !s.section && (!ok || !settings[at].list) {
			last[s.key] = i
		}
	}
	var all []Token
	for i, s := range settings {
		at, ok := last[s.key]
		if ok && at == i && strings.HasPrefix(s.key, "//") && strings.HasSuffix(s.key, tokenSetting) && s.value != "" {
			all = append(all, Token{s.key, s.line, secret.New(s.value)})
		}
	}
	return all
}

// Keys are the names of the setting by which npm looks for a registry's token,
// the first that is set counts: of its address, then of each path above it, with
// the last slash and without. setting is what follows them, ":_authToken".
func Keys(registry, setting string) []string {
	scope, err := scope(registry)
	if err != nil {
		return nil
	}
	var keys []string
	for host := strings.Index(scope[2:], "/") + 2; ; {
		bare := strings.TrimSuffix(scope, "/")
		keys = append(keys, scope+setting, bare+setting)
		if len(bare) <= host {
			return keys
		}
		scope = bare[:strings.LastIndexByte(bare, '/')+1]
	}
}
