package npm

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// domain is npm's, without its ending. It is the only place that names it.
const domain = "npmjs"

// PublicRegistry is the address of npm's public registry.
func PublicRegistry() string { return "https://registry." + domain + ".org" }

// Site is the address of the website that belongs to a registry: npm's own for
// the public one, and the registry's own origin for any other.
func Site(registry string) string {
	if registry == PublicRegistry() {
		return "https://www." + domain + ".com"
	}
	u, err := url.Parse(registry)
	if err != nil {
		return registry
	}
	return origin(u)
}

// ParseSite checks the address of the website that goes with a registry, as
// ParseRegistry returned that one. Empty is the one that belongs to it. There
// is no path in it, and no trailing slash.
func ParseSite(site, registry string) (string, error) {
	if site == "" {
		site = Site(registry)
	}
	bad := func(why string) error {
		return &Error{Kind: ErrRefused, Message: "the website's address " + why,
			Hint: "give it as https://HOST, or http://localhost:PORT for one on this machine"}
	}
	u, err := url.Parse(strings.TrimSpace(site))
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return "", bad("is not a URL")
	case u.User != nil:
		return "", bad("must not hold a user name or password")
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery || strings.Trim(u.Path, "/") != "":
		return "", bad("must not have a path, a query or a fragment")
	case !confidential(u):
		return "", bad("must begin with https://, as one signs in there")
	}
	return origin(u), nil
}

// ParseRegistry checks the address of a registry and brings it into the one
// form that rotd uses: lower-case host, no default port, no trailing slash.
// Empty is the public registry. An address that is not https is refused unless
// it is on this machine, as passwords and tokens go there.
func ParseRegistry(raw string) (string, error) {
	if raw == "" {
		return PublicRegistry(), nil
	}
	bad := func(why string) error {
		return &Error{Kind: ErrRefused, Message: "the registry's address " + why,
			Hint: "give it as https://HOST, or http://localhost:PORT for one on this machine"}
	}
	u, err := url.Parse(strings.TrimSpace(raw))
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return "", bad("is not a URL")
	case u.User != nil:
		return "", bad("must not hold a user name or password")
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return "", bad("must not have a query or a fragment")
	case !confidential(u):
		return "", bad("must begin with https://, as passwords go there")
	}
	return origin(u) + strings.TrimRight(u.EscapedPath(), "/"), nil
}

// confidential reports whether nobody on the network reads what goes to u: it
// is https, or http to this machine.
func confidential(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return u.Scheme == "http" && (strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback())
}

// origin is scheme, host and port of u, in the spelling by which two can be
// compared, and by which npm looks a token up: an IPv6 address at its shortest.
func origin(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.Is6() {
		host = strings.Replace(host, strings.ToLower(u.Hostname()), ip.String(), 1)
	}
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host
}
