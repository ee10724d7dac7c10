package sandbox

import (
	"net/http"
)

// prompt is a check that a page asks for, at sign-in (base "/login") or as an
// escalation (base "/escalate").
type prompt struct {
	check    string
	web      *webSession
	base     string
	next     string
	flow     *authFlow // what it is for; nil at sign-in and
	settings bool      // before a settings page
	inPlace  bool      // at the protected URL itself (A.4)
	problem  string
	original string // originalUrl: where /escalate goes on to; empty otherwise
}

// pass judges what a form answered to a check. The result is what is wrong,
// for the person to read; empty when nothing is.
func (s *Sandbox) pass(r *http.Request, web *webSession, check string, f form) string {
	problem := ""
	switch check {
	case checkPassword:
		if f.get("escalated_password") != s.cfg.Password {
			problem = s.switches.PagePasswordText
		}
	case checkOTP:
		if !s.goodTOTP(f.get("otp"), atWebsite, s.switches.RefuseReusedSiteTOTP) {
			problem = s.switches.PageCodeText
		}
	case checkEmail:
		if !s.goodMailCode(f.get("otp")) {
			problem = s.switches.PageCodeText
		}
	case checkWebAuthn:
		if err := s.goodAssertion(s.site(r), web, f.raw["webAuthnAssertion"]); err != nil {
			s.cfg.Log.Info("an assertion was refused", "err", err)
			problem = "Unable to verify with your security key. Please try again."
		}
	}
	if problem == "" {
		web.Errors = 0
	} else {
		web.Errors++
	}
	return problem
}

// showCheck shows the page of a check.
func (s *Sandbox) showCheck(w http.ResponseWriter, r *http.Request, status int, p prompt) {
	pg := page{Liminal: true, Props: map[string]any{
		"action":                           s.action(p),
		"originalUrl":                      p.original,
		"errorCount":                       p.web.Errors,
		"error":                            p.problem,
		"hasTotp":                          s.hasCheck(checkOTP),
		"hasWebAuthnDevices":               s.hasCheck(checkWebAuthn),
		"isTfaEscalation":                  p.flow != nil || p.settings,
		"isNewPublishAuthEscalation":       p.flow != nil && p.flow.Kind != flowLogin,
		"isNewCliLoginFlowEscalation":      p.flow != nil && p.flow.Kind == flowLogin,
		"isNewPasswordResetFlowEscalation": false,
		"cooldownMetadata":                 s.cooldownMetadata(r, p.flow),
	}}
	switch p.check {
	case checkPassword:
		pg.Renderer, pg.Template, pg.Title = "auth/password", "password", "npm | Confirm Password to Continue"
	case checkOTP:
		pg.Renderer, pg.Template, pg.Title = "auth/otp", "otp", "npm | Enter a One-time Password"
		pg.Props["recoveryCodeUrl"] = s.switches.RecoveryCodeURL
		if s.hasCheck(checkWebAuthn) {
			pg.Props["webAuthnUrl"] = withNext(s.checkPath(p.base, checkWebAuthn), p.next)
		}
	case checkEmail:
		pg.Renderer, pg.Template, pg.Title = "auth/email-otp", "email-otp", "npm | Enter a One-time Password"
		pg.Props["email"], pg.Props["isNewAccount"] = s.maskedEmail(), false
	case checkWebAuthn:
		pg.Renderer, pg.Template, pg.Title = "auth/webauthn-login", "webauthn", "npm | Security Key"
		pg.Props["recoveryCodeUrl"] = s.switches.RecoveryCodeURL
		pg.Props["publicKeyCredentialRequestOptions"] = s.requestOptions(p.web)
		if s.hasCheck(checkOTP) {
			pg.Props["totpUrl"] = withNext(p.base+"/otp", p.next)
		}
	}
	if p.inPlace {
		s.inPlace(&pg, p)
	}
	s.show(w, r, status, pg)
}

// action is where the page's form goes.
func (s *Sandbox) action(p prompt) string {
	if p.inPlace {
		return "/escalate"
	}
	return withNext(s.checkPath(p.base, p.check), p.next)
}

// checkPath is the page of a check. That of the security key at sign-in was
// never seen.
func (s *Sandbox) checkPath(base, check string) string {
	if base == "/login" && check == checkWebAuthn {
		check = s.switches.KeyLoginPage
	}
	return base + "/" + check
}

// inPlace makes the page the prompt of A.4: one page with a form for each way,
// of which one is shown; its footer's buttons change between them without a
// request.
func (s *Sandbox) inPlace(pg *page, p prompt) {
	pg.Renderer, pg.Template = "auth/escalate", "escalate"
	kind := p.check
	if kind == checkOTP {
		kind = "totp"
	}
	pg.Props["escalateType"] = kind
	pg.Props["disable2faPasswordOption"] = p.check != checkPassword
	pg.Props["stagedPublishingEnabled"] = true
	if p.settings {
		pg.Props["backURL"] = s.tokensPath()
	}
	if s.hasCheck(checkWebAuthn) && p.check != checkWebAuthn {
		pg.Props["publicKeyCredentialRequestOptions"] = s.requestOptions(p.web)
	}
}
