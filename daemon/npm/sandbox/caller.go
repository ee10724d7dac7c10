package sandbox

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// sessionToken is what signing in at the registry gives. No listing shows it.
type sessionToken struct {
	Value   string    `json:"value"`
	Created time.Time `json:"created"`
}

// newSession makes a session token.
func (s *Sandbox) newSession() string {
	t := &sessionToken{Value: newTokenValue(), Created: s.now()}
	s.state.Sessions = append(s.state.Sessions, t)
	return t.Value
}

// caller is who a bearer token speaks for. Exactly one of session and granular
// is set.
type caller struct {
	value    string
	session  *sessionToken
	granular *granularToken
}

// refusal is why a request has no caller.
type refusal int

const (
	accepted     refusal = iota
	anonymous            // no bearer token
	dead                 // unknown, expired or revoked
	wrongAddress         // a CIDR list that the client is not in
)

// The npm-notice of a dead token (FE constants, B.9).
const deadTokenNotice = "Access token expired or revoked. Please try logging in again."

func (s *Sandbox) caller(r *http.Request) (caller, refusal) {
	value, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || value == "" {
		return caller{}, anonymous
	}
	now := s.now()
	for _, t := range s.state.Sessions {
		if t.Value == value && now.Before(t.Created.Add(seconds(s.switches.SessionLife))) {
			return caller{value: value, session: t}, accepted
		}
	}
	for _, t := range s.state.Tokens {
		if t.Value != value || !s.live(t) {
			continue
		}
		if !t.allows(r.RemoteAddr) {
			return caller{}, wrongAddress
		}
		t.Accessed = &now
		return caller{value: value, granular: t}, accepted
	}
	return caller{}, dead
}

// authorize answers for a request that has no caller, and is false then.
func (s *Sandbox) authorize(w http.ResponseWriter, r *http.Request) (caller, bool) {
	c, why := s.caller(r)
	if why == accepted {
		return c, true
	}
	refuseCaller(w, why)
	return caller{}, false
}

func refuseCaller(w http.ResponseWriter, why refusal) {
	switch why {
	case wrongAddress:
		w.Header().Set("WWW-Authenticate", "ipaddress")
	case dead:
		w.Header().Set("npm-notice", deadTokenNotice)
	}
	refuse(w, http.StatusUnauthorized, "Unauthorized")
}

// live reports whether the registry accepts the token's value: until it
// expires, and for a while after it was deleted if the switches say so.
func (s *Sandbox) live(t *granularToken) bool {
	now := s.now()
	if t.Expiry != nil && !now.Before(*t.Expiry) {
		return false
	}
	return t.Revoked == nil || now.Before(t.Revoked.Add(seconds(s.switches.RevocationDelay)))
}

// allows reports whether the token may be used from the client's address.
func (t *granularToken) allows(remote string) bool {
	if len(t.CIDR) == 0 {
		return true
	}
	host, _, err := net.SplitHostPort(remote)
	ip := net.ParseIP(host)
	if err != nil || ip == nil {
		return false
	}
	if ip.IsLoopback() {
		ip = net.IPv4(127, 0, 0, 1) // ::1 is the same machine, and lists are IPv4 only
	}
	return slices.ContainsFunc(t.CIDR, func(c string) bool {
		_, network, err := net.ParseCIDR(c)
		return err == nil && network.Contains(ip)
	})
}

// actor is the name under which an action is kept.
func (c caller) actorType() string {
	if c.session != nil {
		return "user"
	}
	return "token"
}

// bypasses reports whether the caller is a token that bypasses 2FA.
func (c caller) bypasses() bool { return c.granular != nil && c.granular.Bypass2FA }
