package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// When a settings page asks for the second factor again is not known (A.4).
// These are the modes in question.
const (
	escalateNever = "never"
	// At any page or post, when sign-in and the last passed check are older than
	// settings_escalation_age; settings_escalation_life does not matter.
	escalateOld    = "if-login-older-than"
	escalateOpen   = "on-open"   // when a page is opened
	escalateSubmit = "on-submit" // when a form is posted
)

// What becomes of a post that met the check. The browser is sent to the form's
// page in either case, the originalUrl of the check. "replayed": npm kept the
// post and carries it out once the check is passed; a creation then ends at the
// list with the new token, a refused one at the form with its errors. "lost":
// the form is empty and has to be filled in again, within the time that the
// check counts; where it counts for one request, that one is the next post.
const (
	heldLost     = "lost"
	heldReplayed = "replayed"
)

// escalation is a browser's passing of checks for the settings pages.
type escalation struct {
	Passed []string  `json:"passed"` // checks of the chain so far
	Done   time.Time `json:"done"`   // when the chain was through; zero: it was not
	Free   []string  `json:"free"`   // requests that it counts for, each once, for freeLife
	Held   *heldPost `json:"held,omitempty"`
}

// freeLife bounds what "for one request" means: filling in a form again is not
// a matter of hours.
const freeLife = 10 * time.Minute

// heldPost is a post that waits for its check.
type heldPost struct {
	Path     string                     `json:"path"`
	Original string                     `json:"original"` // the page to go back to
	Fields   map[string]json.RawMessage `json:"fields"`
}

// counts reports whether a passed check frees this request.
func (s *Sandbox) counts(r *http.Request, web *webSession) bool {
	e, now := &web.Settings, s.now()
	if now.After(e.Done.Add(freeLife)) {
		e.Free = nil
	}
	if i := slices.Index(e.Free, request(r.Method, r.URL.Path)); i >= 0 {
		e.Free = slices.Delete(e.Free, i, i+1)
		return true
	}
	return !e.Done.IsZero() && now.Before(e.Done.Add(seconds(s.switches.SettingsEscalationLife)))
}

// request is a line of escalation.Free. The query does not matter.
func request(method, path string) string {
	path, _, _ = strings.Cut(path, "?")
	return method + " " + path
}

// loginIsOld is the condition of if-login-older-than.
func (s *Sandbox) loginIsOld(web *webSession) bool {
	last := web.SignedIn
	if web.Settings.Done.After(last) {
		last = web.Settings.Done
	}
	return s.now().Sub(last) > seconds(s.switches.SettingsEscalationAge)
}

// guardPage asks for the check before a page of tokens is shown, if the policy
// says so, and reports whether it did.
func (s *Sandbox) guardPage(w http.ResponseWriter, r *http.Request, web *webSession, which string) bool {
	web.Settings.Held = nil // another page was opened instead
	var due bool
	switch s.switches.SettingsEscalation {
	case escalateOpen:
		due = slices.Contains(s.switches.SettingsEscalationPages, which)
	case escalateOld:
		due = s.loginIsOld(web)
	}
	if !due || s.counts(r, web) {
		return false
	}
	s.escalate(w, r, web, r.URL.RequestURI(), nil)
	return true
}

// guardPost is the same for a form that was posted from the page original.
func (s *Sandbox) guardPost(w http.ResponseWriter, r *http.Request, web *webSession, policy, original string, f form) bool {
	var due bool
	switch {
	case policy == "always":
		due = true
	case policy == "never":
	default:
		due = s.switches.SettingsEscalation == escalateSubmit ||
			s.switches.SettingsEscalation == escalateOld && s.loginIsOld(web)
	}
	if !due || s.counts(r, web) {
		return false
	}
	s.escalate(w, r, web, original, &heldPost{Path: r.URL.Path, Original: original, Fields: f.raw})
	return true
}

// escalate begins the chain of checks.
func (s *Sandbox) escalate(w http.ResponseWriter, r *http.Request, web *webSession, original string, held *heldPost) {
	web.Settings = escalation{Held: held}
	web.Errors = 0
	s.showEscalation(w, r, web, original)
}

// showEscalation shows the chain's next check.
func (s *Sandbox) showEscalation(w http.ResponseWriter, r *http.Request, web *webSession, original string) {
	check := s.nextSettingsCheck(web)
	if !s.switches.SettingsEscalateInPlace {
		redirect(w, r, withNext("/escalate/"+check, original))
		return
	}
	s.showCheck(w, r, http.StatusOK, prompt{
		check: check, web: web, settings: true, inPlace: true, next: original, original: original,
	})
}

// nextSettingsCheck is the first check of the chain that was not passed, or "".
func (s *Sandbox) nextSettingsCheck(web *webSession) string {
	for i, check := range s.checks() {
		if i >= len(web.Settings.Passed) {
			return check
		}
	}
	return ""
}

// passSettings goes on after a check of the chain was passed.
func (s *Sandbox) passSettings(w http.ResponseWriter, r *http.Request, p prompt) {
	e := &p.web.Settings
	if sameStrength(p.check, s.nextSettingsCheck(p.web)) {
		e.Passed = append(e.Passed, p.check)
	}
	if s.nextSettingsCheck(p.web) != "" {
		s.showEscalation(w, r, p.web, p.next)
		return
	}
	held := e.Held
	*e = escalation{Done: s.now()}
	switch {
	case held == nil || held.Original != p.next:
	case s.switches.SettingsHeldPost == heldReplayed:
		s.replay(w, r, p.web, held)
		return
	case s.switches.SettingsEscalationLife == 0:
		e.Free = append(e.Free, request("POST", held.Path))
	}
	s.land(w, r, p.web, p.next)
}

// land sends the browser on to where a passed check leads, which is not asked
// again.
func (s *Sandbox) land(w http.ResponseWriter, r *http.Request, web *webSession, path string) {
	if s.switches.SettingsEscalationLife == 0 {
		web.Settings.Free = append(web.Settings.Free, request("GET", path))
	}
	redirect(w, r, path)
}

// replay carries out a held post and sends the browser to where its outcome is
// shown.
func (s *Sandbox) replay(w http.ResponseWriter, r *http.Request, web *webSession, held *heldPost) {
	f := formOf(held.Fields)
	if held.Path == s.tokensPath()+"/delete" {
		web.Notices = s.deleteTokens(f)
		s.land(w, r, web, s.tokensPath())
		return
	}
	t, errs := s.createFromForm(f)
	if t == nil {
		web.FormErrors, web.FormData = errs, f.raw
		s.land(w, r, web, held.Original)
		return
	}
	web.NewToken = t.Value
	s.land(w, r, web, s.tokensPath())
}
