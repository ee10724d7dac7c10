package sandbox

import (
	"net/http"
	"slices"

	"github.com/google/uuid"
)

// deleteToken revokes by key or by full value, and takes an OTP; a session
// token may end itself without one (B.7).
func (s *Sandbox) deleteToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("npm-notice", tokenNotice)
	c, ok := s.authorize(w, r)
	if !ok {
		return
	}
	which := r.PathValue("token")
	if c.session != nil && which == c.value {
		s.endSession(w, c)
		return
	}
	if !s.mayManage(w, c) {
		return
	}
	if uuid.Validate(which) != nil && !validTokenValue(which) {
		refuseMessage(w, http.StatusBadRequest, "invalid token")
		return
	}
	if !s.requireOTP(w, r, c.value) {
		return
	}
	i := slices.IndexFunc(s.state.Tokens, func(t *granularToken) bool {
		return t.Revoked == nil && (t.Key == which || t.Value == which)
	})
	if i < 0 {
		refuseMessage(w, http.StatusNotFound, "token not found")
		return
	}
	if !s.switches.DeleteLies {
		now := s.now()
		s.state.Tokens[i].Revoked = &now
	}
	w.WriteHeader(http.StatusNoContent)
}

// logoutToken is `npm logout`: any token may end itself, and only itself.
func (s *Sandbox) logoutToken(w http.ResponseWriter, r *http.Request) {
	c, ok := s.authorize(w, r)
	if !ok {
		return
	}
	if r.PathValue("token") != c.value {
		refuseMessage(w, http.StatusBadRequest, "could not delete token")
		return
	}
	if c.session != nil {
		s.endSession(w, c)
		return
	}
	now := s.now()
	c.granular.Revoked = &now
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sandbox) endSession(w http.ResponseWriter, c caller) {
	s.state.Sessions = slices.DeleteFunc(s.state.Sessions, func(t *sessionToken) bool { return t == c.session })
	w.WriteHeader(http.StatusNoContent)
}
