package sandbox

import (
	"net/http"
	"strings"
)

// The checks that a page can ask for.
const (
	checkPassword = "password"
	checkOTP      = "otp"
	checkWebAuthn = "webauthn"
	checkEmail    = "email-otp"
)

// loginPage is the sign-in form (A.3).
func (s *Sandbox) loginPage(w http.ResponseWriter, r *http.Request) {
	next := nextPath(r.URL.Query().Get("next"))
	if s.signedIn(r) != nil {
		redirect(w, r, next)
		return
	}
	if c, err := r.Cookie(cookieCSRF); err == nil && c.Value != "" {
		s.setCookie(w, cookieCSRF, c.Value, !s.switches.CSRFReadable) // by which PLAID knows that it is signed out
	}
	s.showLogin(w, r, http.StatusOK, next, "", "", "")
}

// showLogin shows the form, with an error at one of its fields if there is one.
func (s *Sandbox) showLogin(w http.ResponseWriter, r *http.Request, status int, next, username, field, problem string) {
	s.show(w, r, status, page{
		Renderer: "auth/login", Template: "login", Title: "npm | Sign In", Liminal: true,
		Props: map[string]any{
			"action": withNext("/login", next), "username": username,
			"errorField": field, "error": problem,
		},
	})
}

func (s *Sandbox) postLogin(w http.ResponseWriter, r *http.Request) {
	f, ok := s.readForm(w, r)
	if !ok {
		return
	}
	next := nextPath(r.URL.Query().Get("next"))
	username := f.get("username")
	again := func(field, problem string) {
		s.showLogin(w, r, s.switches.PageErrorStatus, next, username, field, problem)
	}
	switch {
	case s.switches.PageLockedText != "":
		again("password", s.switches.PageLockedText)
	case strings.Contains(username, "@"):
		again("username", "Username cannot include @. Please provide a username, not an email address.")
	case f.get("password") == "":
		again("password", "Please enter a password")
	case username != s.cfg.User || f.get("password") != s.cfg.Password:
		again("password", s.switches.PagePasswordText)
	default:
		s.beginWeb(w)
		if s.switches.CSRFRotatesAtLogin {
			s.newCSRF(w, r)
		}
		check := s.loginCheck()
		if check == checkEmail {
			s.mailCode()
		}
		redirect(w, r, withNext(s.checkPath("/login", check), next))
	}
}

// loginCheck is the second factor that signing in asks for first.
func (s *Sandbox) loginCheck() string {
	switch {
	case s.hasKey():
		return checkWebAuthn
	case s.cfg.TOTPSecret != "":
		return checkOTP
	}
	return checkEmail
}

// hasCheck reports whether the account can pass this check.
func (s *Sandbox) hasCheck(check string) bool {
	switch check {
	case checkOTP:
		return s.cfg.TOTPSecret != ""
	case checkWebAuthn:
		return s.hasKey()
	case checkEmail:
		return !s.hasFactor()
	}
	return true
}

// loginFactorPage is the page of the second factor at sign-in (A.3.1 to A.3.3).
func (s *Sandbox) loginFactorPage(check string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		next := nextPath(r.URL.Query().Get("next"))
		web := s.web(r)
		switch {
		case web == nil:
			redirect(w, r, withNext("/login", next))
		case !web.SignedIn.IsZero():
			redirect(w, r, next)
		case !s.hasCheck(check):
			s.nothingHere(w, r)
		default:
			s.showCheck(w, r, http.StatusOK, prompt{check: check, web: web, base: "/login", next: next})
		}
	}
}

func (s *Sandbox) postLoginFactor(check string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, ok := s.readForm(w, r)
		if !ok {
			return
		}
		next := nextPath(r.URL.Query().Get("next"))
		web := s.web(r)
		if web == nil || !s.hasCheck(check) {
			redirect(w, r, withNext("/login", next))
			return
		}
		if problem := s.pass(r, web, check, f); problem != "" {
			s.showCheck(w, r, s.switches.PageErrorStatus, prompt{check: check, web: web, base: "/login", next: next, problem: problem})
			return
		}
		web.SignedIn = s.now()
		redirect(w, r, next)
	}
}

// loginStepPage is the page of the security key, whatever its name is, or one
// that shows a one-time password (B.4).
func (s *Sandbox) loginStepPage(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("step") == s.switches.KeyLoginPage {
		s.loginFactorPage(checkWebAuthn)(w, r)
		return
	}
	s.flowPage(flowShown)(w, r)
}

func (s *Sandbox) postLoginStep(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("step") == s.switches.KeyLoginPage {
		s.postLoginFactor(checkWebAuthn)(w, r)
		return
	}
	s.nothingHere(w, r)
}

// logoutPage signs out and goes to the landing page.
func (s *Sandbox) logoutPage(w http.ResponseWriter, r *http.Request) {
	s.endWeb(w, r)
	redirect(w, r, "/")
}
