package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

const couchPrefix = "org.couchdb.user:"

// couchRev is the revision of the account's document. It never changes.
const couchRev = "_we_dont_use_revs_any_more"

// putCouchUser is the legacy sign-in: user name, password and, in npm-otp, the
// one-time password, for a session token (B.9).
func (s *Sandbox) putCouchUser(w http.ResponseWriter, r *http.Request) {
	if s.switches.CouchLogin == "closed" {
		notFound(w)
		return
	}
	var user struct{ Name, Password string }
	if err := json.NewDecoder(r.Body).Decode(&user); err != nil {
		refuse(w, http.StatusBadRequest, "the body is not JSON")
		return
	}
	name, ok := strings.CutPrefix(r.PathValue("user"), couchPrefix)
	if !ok || name != user.Name || name != s.cfg.User {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("There is no user with the username %q", user.Name))
		return
	}
	if s.switches.CouchConflict && r.PathValue("rev") == "" {
		refuse(w, http.StatusConflict, "user already exists")
		return
	}
	if user.Password != s.cfg.Password {
		s.refusePassword(w)
		return
	}
	if !s.requireOTP(w, r, "") {
		return
	}
	answerJSON(w, http.StatusCreated, map[string]any{
		"ok": true, "id": couchPrefix + name, "rev": couchRev, "token": s.newSession(),
	})
}

// getCouchUser gives the revision that a client needs after a 409.
func (s *Sandbox) getCouchUser(w http.ResponseWriter, r *http.Request) {
	if s.switches.CouchLogin == "closed" || r.PathValue("user") != couchPrefix+s.cfg.User {
		notFound(w)
		return
	}
	answerJSON(w, http.StatusOK, map[string]any{
		"_id": couchPrefix + s.cfg.User, "_rev": couchRev, "name": s.cfg.User,
		"email": s.email(), "type": "user", "roles": []string{},
	})
}

func (s *Sandbox) refusePassword(w http.ResponseWriter) {
	refuse(w, s.switches.WrongPasswordStatus, s.switches.WrongPasswordText)
}

// getWhoami names the account behind any live token. The website has no such
// page any more, but scripts ask it for one: its answer names the account too.
func (s *Sandbox) getWhoami(w http.ResponseWriter, r *http.Request) {
	if isSpiferack(r) && r.Header.Get("Authorization") == "" {
		s.nothingHere(w, r)
		return
	}
	if _, ok := s.authorize(w, r); ok {
		answerJSON(w, http.StatusOK, map[string]string{"username": s.cfg.User})
	}
}

// getProfile tells, among others, whether the account has a second factor.
func (s *Sandbox) getProfile(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.authorize(w, r); ok {
		answerJSON(w, http.StatusOK, s.profile())
	}
}

func (s *Sandbox) profile() map[string]any {
	p := map[string]any{
		"name": s.cfg.User, "email": s.email(), "email_verified": true, "tfa": nil,
		"cidr_whitelist": nil, "created": s.state.Created, "updated": s.state.Created,
		"fullname": "", "homepage": "", "freenode": "", "twitter": "", "github": "",
	}
	if s.hasFactor() {
		p["tfa"] = map[string]any{"pending": false, "mode": "auth-and-writes"}
	}
	for k, v := range s.state.Profile {
		p[k] = v
	}
	return p
}

// postProfile changes the fields that are only words. The others (password,
// e-mail, 2FA) are not played.
func (s *Sandbox) postProfile(w http.ResponseWriter, r *http.Request) {
	c, ok := s.authorize(w, r)
	if !ok || !s.mayManage(w, c) || !s.requireOTP(w, r, c.value) {
		return
	}
	var change map[string]any
	if err := json.NewDecoder(r.Body).Decode(&change); err != nil {
		refuse(w, http.StatusBadRequest, "the body is not JSON")
		return
	}
	for _, k := range []string{"fullname", "homepage", "freenode", "twitter", "github"} {
		if v, ok := change[k]; ok {
			s.state.Profile[k] = v
		}
	}
	answerJSON(w, http.StatusOK, s.profile())
}
