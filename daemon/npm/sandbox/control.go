package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"rotd/ipc"
)

const controlPrefix = "/-/sandbox/"

func isControl(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, controlPrefix) }

// Request is one line of the log of what was asked. It holds no secret.
type Request struct {
	Time      time.Time `json:"time"`
	Method    string    `json:"method"`
	Path      string    `json:"path"` // a token in it is redacted
	Status    int       `json:"status"`
	Command   string    `json:"npm_command,omitempty"`
	AuthType  string    `json:"npm_auth_type,omitempty"`
	UserAgent string    `json:"user_agent,omitempty"`
	Auth      bool      `json:"auth"` // an Authorization header
	OTP       bool      `json:"otp"`  // an npm-otp header
}

// maxRequests is how many lines of the log are kept.
const maxRequests = 10_000

func (s *Sandbox) record(r *http.Request, status int) {
	if isControl(r) {
		return
	}
	path := r.URL.Path
	if i := strings.Index(path, "npm_"); i >= 0 {
		path = path[:i] + "npm_[redacted]"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) >= maxRequests {
		s.requests = slices.Delete(s.requests, 0, maxRequests/10)
	}
	s.requests = append(s.requests, Request{
		Time: s.now(), Method: r.Method, Path: path, Status: status,
		Command: r.Header.Get("npm-command"), AuthType: r.Header.Get("npm-auth-type"),
		UserAgent: r.UserAgent(),
		Auth:      r.Header.Get("Authorization") != "", OTP: r.Header.Get("npm-otp") != "",
	})
	s.cfg.Log.Info("request", "method", r.Method, "path", path, "status", status)
}

// Requests returns the log, oldest first.
func (s *Sandbox) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// TokenRecord is what the sandbox tells of a granular token it ever made.
type TokenRecord struct {
	Name           string     `json:"name"`
	Key            string     `json:"key"`
	Description    string     `json:"description"`
	Created        time.Time  `json:"created"`
	Expiry         *time.Time `json:"expiry"`
	Revoked        *time.Time `json:"revoked"` // when it was deleted; null: it was not
	Accessed       *time.Time `json:"accessed"`
	Live           bool       `json:"live"`  // the registry accepts its value
	Token          string     `json:"token"` // redacted
	Packages       []string   `json:"packages"`
	PackagesAll    bool       `json:"packages_all"`
	Scopes         []string   `json:"scopes"`
	Orgs           []string   `json:"orgs"`
	Permission     string     `json:"packages_and_scopes_permission"`
	OrgsPermission string     `json:"orgs_permission"`
	CIDR           []string   `json:"cidr"`
	Bypass2FA      bool       `json:"bypass_2fa"`
}

// Tokens returns every granular token ever made, revoked ones too, oldest
// first.
func (s *Sandbox) Tokens() []TokenRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokenRecords()
}

func (s *Sandbox) tokenRecords() []TokenRecord {
	out := make([]TokenRecord, 0, len(s.state.Tokens))
	for _, t := range s.state.Tokens {
		out = append(out, TokenRecord{
			Name: t.Name, Key: t.Key, Description: t.Description,
			Created: t.Created, Expiry: t.Expiry, Revoked: t.Revoked, Accessed: t.Accessed,
			Live: s.live(t), Token: redactedToken(t.Value),
			Packages: t.Packages, PackagesAll: t.PackagesAll, Scopes: t.Scopes, Orgs: t.Orgs,
			Permission: t.Permission, OrgsPermission: t.OrgsPermission, CIDR: t.CIDR, Bypass2FA: t.Bypass2FA,
		})
	}
	return out
}

// Mailbox returns what was mailed to the person, oldest first.
func (s *Sandbox) Mailbox() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.state.Mail)
}

// SecurityKey returns the security key that the account was made with, so that a
// virtual authenticator can hold it. It is false for an account that has none.
func (s *Sandbox) SecurityKey() (ipc.Passkey, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ownKey()
}

// SignOut ends every session of the account, of the registry and of the
// website, as a changed password would.
func (s *Sandbox) SignOut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signOut()
	s.save()
}

func (s *Sandbox) signOut() {
	s.state.Sessions = nil
	s.state.WebSessions = map[string]*webSession{}
}

// controlRoutes are the paths by which a test or a person looks into the
// sandbox and tells it what to do. A browser's page may not: no Origin.
func (s *Sandbox) controlRoutes(mux *http.ServeMux) {
	control := func(pattern string, h http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Origin") != "" {
				refuse(w, http.StatusForbidden, "the sandbox's controls are not for web pages")
				return
			}
			h(w, r)
		})
	}
	show := func(pattern string, value func() any) {
		control(pattern, func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, http.StatusOK, value()) })
	}
	show("GET /-/sandbox/tokens", func() any { return s.tokenRecords() })
	show("GET /-/sandbox/switches", func() any { return s.switches })
	show("GET /-/sandbox/mail", func() any { return append([]Mail{}, s.state.Mail...) })
	show("GET /-/sandbox/security-keys", func() any { return s.keyRecords() })
	show("GET /-/sandbox/requests", func() any { return append([]Request{}, s.requests...) })
	show("GET /-/sandbox/clock", func() any { return map[string]any{"now": s.now()} })
	control("DELETE /-/sandbox/requests", func(w http.ResponseWriter, _ *http.Request) {
		s.requests = nil
		w.WriteHeader(http.StatusNoContent)
	})
	control("GET /-/sandbox/accepts", s.getAccepts)
	control("POST /-/sandbox/sign-out", func(w http.ResponseWriter, _ *http.Request) {
		s.signOut()
		w.WriteHeader(http.StatusNoContent)
	})
	control("GET /-/sandbox/security-key", func(w http.ResponseWriter, _ *http.Request) {
		key, ok := s.ownKey()
		if !ok {
			refuse(w, http.StatusNotFound, "the account has no security key: start the sandbox with --security-key")
			return
		}
		answerJSON(w, http.StatusOK, key)
	})
	control("POST /-/sandbox/switches", s.setSwitches)
	control("POST /-/sandbox/clock", s.moveClock)
	control("POST /-/sandbox/packages", s.seedPackage)
	for _, method := range []string{"GET ", "POST "} {
		control(method+controlPrefix, func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusNotFound, "the sandbox has tokens, accepts, switches, mail, security-key, security-keys, requests, clock, packages and sign-out here")
		})
	}
}

// getAccepts says whether the registry takes the bearer's value at this moment,
// whatever faults there are, and when the value was revoked.
func (s *Sandbox) getAccepts(w http.ResponseWriter, r *http.Request) {
	_, why := s.caller(r)
	var revoked *time.Time
	for _, t := range s.state.Tokens {
		if r.Header.Get("Authorization") == "Bearer "+t.Value {
			revoked = t.Revoked
		}
	}
	answerJSON(w, http.StatusOK, map[string]any{"accepted": why == accepted, "revoked": revoked})
}

func (s *Sandbox) setSwitches(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body) // in memory already
	if err := s.switches.merge(b); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	answerJSON(w, http.StatusOK, s.switches)
}

func (s *Sandbox) moveClock(w http.ResponseWriter, r *http.Request) {
	var move struct {
		Advance string `json:"advance"`
	}
	err := json.NewDecoder(r.Body).Decode(&move)
	d, errDuration := time.ParseDuration(move.Advance)
	if err != nil || errDuration != nil {
		refuse(w, http.StatusBadRequest, `send {"advance":"48h"}: a number with h, m or s`)
		return
	}
	s.state.ClockOffset += d
	answerJSON(w, http.StatusOK, map[string]any{"now": s.now()})
}
