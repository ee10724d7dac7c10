package sandbox

import (
	"net/http"
	"strconv"
	"time"
)

// The kinds of authFlow.
const (
	flowLogin = "login" // loginUrl: gives a session token
	flowOTP   = "otp"   // authUrl: gives a one-time password of 16 characters
	flowShown = "shown" // the page shows that password to the person (B.4, npm-notice)
)

// authFlow is a page that a person is sent to, and what comes of it.
type authFlow struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	Asker   string    `json:"asker"` // the token whose request is guarded; empty at sign-in
	Created time.Time `json:"created"`
	Passed  []string  `json:"passed"` // checks of the escalation that were passed
	Polls   int       `json:"polls"`
	Result  string    `json:"result"`  // empty until the person is through
	Fetched bool      `json:"fetched"` // doneUrl gives its result once
}

func (s *Sandbox) newFlow(kind, asker string) *authFlow {
	f := &authFlow{ID: newUUID(), Kind: kind, Asker: asker, Created: s.now()}
	s.state.Flows[f.ID] = f
	return f
}

// flow finds a flow of the kind (any, if empty) that has not run out.
func (s *Sandbox) flow(id, kind string) *authFlow {
	f := s.state.Flows[id]
	if f == nil || kind != "" && f.Kind != kind || s.now().After(f.Created.Add(seconds(s.switches.FlowLife))) {
		return nil
	}
	return f
}

// finish gives the flow its result.
func (s *Sandbox) finish(f *authFlow) {
	switch {
	case f.Result != "":
	case f.Kind == flowLogin:
		f.Result = s.newSession()
	default:
		f.Result = s.newWebOTP(f.Asker)
	}
}

func (s *Sandbox) doneURL(r *http.Request, f *authFlow) string {
	return s.site(r) + "/-/v1/done?authId=" + f.ID
}

// postWebLogin begins a sign-in by web (B.3).
func (s *Sandbox) postWebLogin(w http.ResponseWriter, r *http.Request) {
	if s.switches.WebLogin == "closed" {
		notFound(w)
		return
	}
	f := s.newFlow(flowLogin, "")
	answerJSON(w, http.StatusOK, map[string]string{
		"loginUrl": s.site(r) + "/login?next=/login/cli/" + f.ID,
		"doneUrl":  s.doneURL(r, f),
	})
}

// getDone is what a client polls while the person is at the page.
func (s *Sandbox) getDone(w http.ResponseWriter, r *http.Request) {
	f := s.flow(r.URL.Query().Get("authId"), "")
	if f == nil || f.Fetched || f.Kind == flowShown {
		notFound(w)
		return
	}
	f.Polls++
	w.Header().Set("Cache-Control", "no-store")
	if f.Result == "" || f.Polls <= s.switches.DonePolls {
		w.Header().Set("Retry-After", strconv.Itoa(s.switches.DoneRetryAfter))
		answerJSON(w, http.StatusAccepted, struct{}{})
		return
	}
	f.Fetched = true
	answerJSON(w, http.StatusOK, map[string]string{"token": f.Result})
}
