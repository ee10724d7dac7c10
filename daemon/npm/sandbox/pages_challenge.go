package sandbox

import (
	"math/rand/v2"
	"net/http"
	"strings"
)

// challenged answers a page request with the bot check while the switch says
// so (A.8). Passing it leaves a clearance cookie.
func (s *Sandbox) challenged(w http.ResponseWriter, r *http.Request) bool {
	if !isPagePath(r.URL.Path) {
		return false
	}
	if c, err := r.Cookie("cf_clearance"); err == nil && c.Value == "passed" {
		return false
	}
	if !s.botCheckDue() {
		return false
	}
	h := w.Header()
	if s.switches.BotChallengeText == "" {
		h.Set("cf-mitigated", "challenge")
		h.Set("Server", "cloudflare")
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusForbidden)
	_ = pageTemplates.ExecuteTemplate(w, "challenge.html", struct{ Next, Text string }{r.URL.RequestURI(), s.switches.BotChallengeText})
	return true
}

// botCheckDue counts a page request and says whether the bot check stands
// before it.
func (s *Sandbox) botCheckDue() bool {
	sw := &s.switches
	s.pageRequests++
	due := sw.BotChallenge != 0
	if sw.BotChallenge > 0 {
		sw.BotChallenge--
	}
	if sw.BotChallengeAt > 0 {
		sw.BotChallengeAt--
		due = due || sw.BotChallengeAt == 0
	}
	if sw.BotChallengeChance > 0 {
		drawn := rand.New(rand.NewPCG(sw.BotChallengeSeed, s.pageRequests)).Float64()
		due = due || drawn < sw.BotChallengeChance
	}
	return due
}

// isPagePath tells the website's paths from the registry's, which were not seen
// to be challenged.
func isPagePath(path string) bool {
	if path == "/" {
		return true
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "login", "logout", "escalate", "auth", "settings":
		return true
	}
	return false
}

// passChallenge is the person's click on the bot check's page.
func (s *Sandbox) passChallenge(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: "cf_clearance", Value: "passed", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	redirect(w, r, nextPath(r.URL.Query().Get("next")))
}
