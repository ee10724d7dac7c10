package sandbox

import (
	"encoding/json"
	"net/http"
)

// guardedRoutes are the account's other affairs, which bypass-2FA tokens lost
// in August 2026 (B.8). Trusted publishers are kept; of the rest only the
// refusal is played, and 501 otherwise.
func (s *Sandbox) guardedRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /-/package/{name}/trust", s.guarded(s.listTrust))
	mux.HandleFunc("POST /-/package/{name}/trust", s.guarded(s.addTrust))
	mux.HandleFunc("DELETE /-/package/{name}/trust/{id}", s.guarded(s.deleteTrust))
	mux.HandleFunc("POST /-/npm/v1/oidc/token/exchange/package/{name}", func(w http.ResponseWriter, _ *http.Request) {
		refuseMessage(w, http.StatusNotFound, "OIDC token exchange error - package not found")
	})
	for _, pattern := range []string{
		"POST /-/package/{name}/access", "PUT /-/package/{name}/collaborators",
		"PUT /-/org/{org}/user", "DELETE /-/org/{org}/user", "PUT /-/org/{org}/team", "DELETE /-/team/{org}/{team}",
		"PUT /-/team/{org}/{team}/user", "PUT /-/team/{org}/{team}/package",
		"DELETE /{path...}", // unpublish
	} {
		mux.HandleFunc(pattern, s.guarded(notPlayed))
	}
}

func notPlayed(w http.ResponseWriter, _ *http.Request) {
	refuse(w, http.StatusNotImplemented, "the sandbox does not play this")
}

// guarded lets only those through that may manage the account, with an OTP.
func (s *Sandbox) guarded(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, ok := s.authorize(w, r)
		if !ok || !s.mayManage(w, c) {
			return
		}
		if s.inCooldown(c.value) || s.requireOTP(w, r, c.value) {
			h(w, r)
		}
	}
}

func (s *Sandbox) listTrust(w http.ResponseWriter, r *http.Request) {
	p := s.state.Packages[r.PathValue("name")]
	if p == nil {
		notFound(w)
		return
	}
	out := []map[string]any{}
	for _, config := range p.Trusted {
		out = append(out, config)
	}
	answerJSON(w, http.StatusOK, out)
}

func (s *Sandbox) addTrust(w http.ResponseWriter, r *http.Request) {
	p := s.state.Packages[r.PathValue("name")]
	if p == nil {
		notFound(w)
		return
	}
	var configs []map[string]any
	if err := json.NewDecoder(r.Body).Decode(&configs); err != nil || len(configs) == 0 {
		refuse(w, http.StatusBadRequest, "the body is not a list of trusted publishers")
		return
	}
	if p.Trusted == nil {
		p.Trusted = map[string]map[string]any{}
	}
	for _, config := range configs {
		id := newUUID()
		config["id"] = id
		p.Trusted[id] = config
	}
	answerJSON(w, http.StatusCreated, configs)
}

func (s *Sandbox) deleteTrust(w http.ResponseWriter, r *http.Request) {
	p := s.state.Packages[r.PathValue("name")]
	if p == nil || p.Trusted[r.PathValue("id")] == nil {
		notFound(w)
		return
	}
	delete(p.Trusted, r.PathValue("id"))
	w.WriteHeader(http.StatusNoContent)
}
