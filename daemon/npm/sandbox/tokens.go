package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// tokenNotice comes with every answer about tokens (B.5).
const tokenNotice = "SECURITY NOTICE: Granular tokens now limited to 90 days with 2FA enforced by default. Update your CI/CD workflows to avoid disruption. Learn more: https://gh.io/npm-token-changes"

// bypassRefused is the live body for bypass-2FA tokens (B.8).
const bypassRefused = "Granular access tokens that bypass two-factor authentication may not perform this action."

// granularToken is a granular access token. It stays in the state when it is
// deleted.
type granularToken struct {
	Key            string     `json:"key"`
	Value          string     `json:"value"`
	Name           string     `json:"name"`
	Description    string     `json:"description"`
	Created        time.Time  `json:"created"`
	Expiry         *time.Time `json:"expiry"`
	Accessed       *time.Time `json:"accessed"`
	Revoked        *time.Time `json:"revoked"`
	Packages       []string   `json:"packages"`
	PackagesAll    bool       `json:"packages_all"`
	Scopes         []string   `json:"scopes"`
	Orgs           []string   `json:"orgs"`
	Permission     string     `json:"permission"`
	OrgsPermission string     `json:"orgs_permission"`
	CIDR           []string   `json:"cidr"`
	Bypass2FA      bool       `json:"bypass_2fa"`
}

// mayManage refuses what may not touch the account: tokens that bypass 2FA, all
// granular tokens unless a switch says otherwise, and a frozen account.
func (s *Sandbox) mayManage(w http.ResponseWriter, c caller) bool {
	switch {
	case c.bypasses():
		w.Header().Set("npm-notice", "Learn more: https://gh.io/npm-gat-bypass2fa-deprecation")
		answerJSON(w, http.StatusForbidden, map[string]any{"success": false, "error": bypassRefused})
	case c.granular != nil && !s.switches.ManageWithGranular:
		refuse(w, http.StatusUnauthorized, "Unauthorized")
	default:
		return s.notFrozen(w)
	}
	return false
}

const frozenText = "This account is read-only for 72 hours after a change of its security settings."

// notFrozen refuses while the account is read-only (CL-2026-06-25).
func (s *Sandbox) notFrozen(w http.ResponseWriter) bool {
	if !s.switches.HighImpactFreeze {
		return true
	}
	refuse(w, http.StatusForbidden, frozenText)
	return false
}

// createToken makes a granular token: a session token, the password and a
// one-time password, every time (B.5).
func (s *Sandbox) createToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("npm-notice", tokenNotice)
	c, ok := s.authorize(w, r)
	if !ok || !s.mayManage(w, c) {
		return
	}
	asked, err := s.readAsked(r.Body)
	if err == nil {
		err = s.checkAsked(asked)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if s.nameTaken(asked.name) && s.switches.DuplicateNameStatus != 0 {
		refuse(w, s.switches.DuplicateNameStatus, s.switches.DuplicateNameText)
		return
	}
	if asked.password != s.cfg.Password {
		s.refusePassword(w)
		return
	}
	if !s.requireOTP(w, r, c.value) {
		return
	}
	t := s.mint(asked)
	s.state.Tokens = append(s.state.Tokens, t)
	answer := s.described(t)
	answer["token"] = t.Value
	delete(answer, "readonly")
	answerJSON(w, http.StatusCreated, answer)
}

// nameTaken: an expired token holds its name until it is deleted.
func (s *Sandbox) nameTaken(name string) bool {
	return slices.ContainsFunc(s.state.Tokens, func(t *granularToken) bool { return t.Name == name && t.Revoked == nil })
}

func (s *Sandbox) mint(a asked) *granularToken {
	now := s.now()
	expiry := a.expiry(now)
	t := &granularToken{
		Key: newUUID(), Value: newTokenValue(), Name: a.name, Description: a.description,
		Created: now, Expiry: &expiry,
		Packages: a.packages, PackagesAll: a.packagesAll, Scopes: a.scopes, Orgs: a.orgs,
		Permission: a.permission, OrgsPermission: a.orgsPermission,
		CIDR: a.cidr, Bypass2FA: a.bypass2FA,
	}
	if g := s.switches.GrantPermission; g != "" {
		t.Permission = g
	}
	if d := s.switches.GrantDays; d != 0 {
		e := now.AddDate(0, 0, d)
		t.Expiry = &e
	}
	if s.switches.GrantAll {
		t.PackagesAll, t.Packages, t.Scopes = true, []string{}, []string{}
	}
	return t
}

// described is a token as create and list tell it, its value redacted.
func (s *Sandbox) described(t *granularToken) map[string]any {
	d := map[string]any{
		"key": t.Key, "name": t.Name, "description": t.Description, "token": redactedToken(t.Value),
		"bypass_2fa": t.Bypass2FA, "readonly": !t.writes(),
		"cidr": t.CIDR, "cidr_whitelist": nil,
		"revoked": nil, "created": t.Created, "updated": nil, "accessed": t.Accessed,
		"permissions": t.permissions(), "scopes": t.scopeList(),
	}
	if len(t.CIDR) > 0 {
		d["cidr_whitelist"] = t.CIDR
	}
	if s.switches.AnswerSpelling != "expires" {
		d["expiry"] = t.Expiry
	}
	if s.switches.AnswerSpelling != "expiry" {
		d["expires"] = t.Expiry
	}
	return d
}

// writes reports whether the token may change anything.
func (t *granularToken) writes() bool {
	return strings.HasPrefix(t.Permission, permissionWrite) || t.OrgsPermission == permissionWrite
}

type permission struct {
	Name   string `json:"name"`
	Action string `json:"action"`
}

// permissions: a stage-only token shows package:write like any other (B.6).
func (t *granularToken) permissions() []permission {
	out := []permission{}
	for _, p := range []permission{{"package", t.Permission}, {"org", t.OrgsPermission}} {
		switch {
		case p.Action == permissionRead:
			out = append(out, permission{p.Name, "read"})
		case strings.HasPrefix(p.Action, permissionWrite):
			out = append(out, permission{p.Name, "write"})
		}
	}
	return out
}

type scopeEntry struct {
	Type string `json:"type"`
	Name string `json:"name"`
}

func (t *granularToken) scopeList() []scopeEntry {
	out := []scopeEntry{}
	if t.PackagesAll {
		out = append(out, scopeEntry{"package", "*"})
	}
	for _, list := range []struct {
		kind  string
		names []string
	}{{"package", t.Packages}, {"scope", t.Scopes}, {"org", t.Orgs}} {
		for _, name := range list.names {
			out = append(out, scopeEntry{list.kind, name})
		}
	}
	return out
}
