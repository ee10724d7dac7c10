package npmrc

import (
	"errors"
	"strings"

	"rotd/ipc/fmt"
)

// ErrRegistry says that an address cannot be the key of a token.
var ErrRegistry = errors.New("not the address of a registry")

// Key is the name of the token's setting for a registry's address, as npm
// derives it: //host[:port]/path/:_authToken, the host in lower case and
// without the scheme's own port.
func Key(registry string) (string, error) {
	scope, err := scope(registry)
	if err != nil {
		return "", err
	}
	return scope + tokenSetting, nil
}

const tokenSetting = ":_authToken"

// scope is "//host[:port]/path/".
func scope(registry string) (string, error) {
	scheme, rest, ok := strings.Cut(registry, "://")
	scheme = strings.ToLower(scheme)
	port := map[string]string{"https": ":443", "http": ":80"}[scheme]
	// The last four would end the key or begin a comment; an address with a
	// user name in it is not one that npm looks a token up for.
	if !ok || port == "" || strings.ContainsFunc(rest, space) || strings.ContainsAny(rest, "@?=;#\\\"'${}") {
		return "", fmt.Errorf("%w: %q", ErrRegistry, registry)
	}
	host, path, _ := strings.Cut(rest, "/")
	host = strings.TrimSuffix(strings.ToLower(host), port)
	if host == "" || strings.HasPrefix(host, ":") {
		return "", fmt.Errorf("%w: %q", ErrRegistry, registry)
	}
	if path = strings.TrimRight(path, "/"); path != "" {
		path += "/"
	}
	return "//" + host + "/" + path, nil
}
