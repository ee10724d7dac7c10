package npmrc

import "strings"

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
	if strings.HasPrefix(settings[at].value, "${") {
		placeholder = settings[at].value
	}
	return settings[at].line, placeholder, true
}
