package sandbox

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// cooldownLife is how long a cooldown of A.3.4 lasts.
const cooldownLife = 5 * time.Minute

// flowPage is /login/cli/…, /auth/cli/… and /login/…: it sends a signed-out
// person to sign in, a signed-in one to the check, and ends on the success page.
func (s *Sandbox) flowPage(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f := s.flow(path.Base(r.URL.Path), kind)
		if f == nil {
			s.nothingHere(w, r)
			return
		}
		web := s.signedIn(r)
		if web == nil {
			redirect(w, r, withNext("/login", r.URL.Path))
			return
		}
		s.proceed(w, r, f, web, r.URL.Path)
	}
}

// proceed asks for the next check of the flow, or finishes it.
func (s *Sandbox) proceed(w http.ResponseWriter, r *http.Request, f *authFlow, web *webSession, path string) {
	check := s.nextCheck(f, web)
	switch {
	case f.Result != "" || check == "":
		s.finish(f)
		s.showSuccess(w, r, f)
	case s.switches.EscalateInPlace:
		s.showCheck(w, r, http.StatusOK, prompt{check: check, web: web, flow: f, inPlace: true, next: path, original: path})
	default:
		redirect(w, r, withNext("/escalate/"+check, path))
	}
}

// nextCheck is the first check of the flow that was not passed yet, or "".
func (s *Sandbox) nextCheck(f *authFlow, web *webSession) string {
	if f.Kind == flowLogin {
		switch s.switches.LoginCLIEscalates {
		case "never":
			return ""
		case "signed-in-before":
			if !web.SignedIn.Before(f.Created) {
				return ""
			}
		}
	}
	for i, check := range s.checks() {
		if i >= len(f.Passed) {
			return check
		}
	}
	return ""
}

// checks is what an escalation asks for, in order.
func (s *Sandbox) checks() []string {
	switch {
	case len(s.switches.Escalation) > 0:
		return s.switches.Escalation
	case s.hasFactor():
		return []string{s.loginCheck()}
	}
	return []string{checkPassword}
}

// flowAt finds the flow that a path of flowPage stands for.
func (s *Sandbox) flowAt(path string) *authFlow {
	for prefix, kind := range map[string]string{"/login/cli/": flowLogin, "/auth/cli/": flowOTP, "/login/": flowShown} {
		if id, ok := strings.CutPrefix(path, prefix); ok {
			if f := s.flow(id, kind); f != nil {
				return f
			}
		}
	}
	return nil
}

// escalatePage is /escalate/otp, /escalate/webauthn and /escalate/password.
func (s *Sandbox) escalatePage(check string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		next := nextPath(r.URL.Query().Get("next"))
		web := s.signedIn(r)
		if web == nil {
			redirect(w, r, withNext("/login", next))
			return
		}
		f, settings := s.flowAt(next), isSettings(next)
		if f == nil && !settings || !s.hasCheck(check) {
			s.nothingHere(w, r)
			return
		}
		p := prompt{check: check, web: web, base: "/escalate", next: next, flow: f, settings: settings}
		if settings {
			p.original = next
		}
		s.showCheck(w, r, http.StatusOK, p)
	}
}

// postEscalate takes the answer to an escalation, at /escalate (next is then
// the form's originalUrl) or at the check's own URL.
func (s *Sandbox) postEscalate(w http.ResponseWriter, r *http.Request) {
	form, ok := s.readForm(w, r)
	if !ok {
		return
	}
	p := prompt{base: "/escalate", next: nextPath(r.URL.Query().Get("next"))}
	if r.URL.Path == "/escalate" {
		p.inPlace, p.original = true, nextPath(form.get("originalUrl"))
		p.next = p.original
		p.check = map[string]string{"password": checkPassword, "totp": checkOTP, "webauthn": checkWebAuthn}[form.get("formName")]
	} else {
		p.check = strings.TrimPrefix(r.URL.Path, "/escalate/")
	}
	if p.web = s.signedIn(r); p.web == nil {
		redirect(w, r, withNext("/login", p.next))
		return
	}
	p.flow, p.settings = s.flowAt(p.next), isSettings(p.next)
	if p.flow == nil && !p.settings || p.check == "" || !s.hasCheck(p.check) {
		s.nothingHere(w, r)
		return
	}
	if p.settings {
		p.original = p.next
	}
	if p.problem = s.pass(r, p.web, p.check, form); p.problem != "" {
		s.showCheck(w, r, s.switches.PageErrorStatus, p)
		return
	}
	if p.settings {
		s.passSettings(w, r, p)
		return
	}
	if sameStrength(p.check, s.nextCheck(p.flow, p.web)) {
		p.flow.Passed = append(p.flow.Passed, p.check)
	}
	if slices.Contains([]string{"true", "on"}, form.get("didOptForCooldown")) {
		s.startCooldown(p.flow)
	}
	if p.inPlace {
		redirect(w, r, p.original)
		return
	}
	s.proceed(w, r, p.flow, p.web, p.next)
}

// sameStrength: code and security key stand for each other and for the password,
// which stands for itself only.
func sameStrength(passed, wanted string) bool {
	return wanted != "" && (passed == wanted || passed != checkPassword)
}

// showSuccess ends a flow. A spiferack post gets it as an answer of its own,
// with the renderer's name in the header (A.3.3).
func (s *Sandbox) showSuccess(w http.ResponseWriter, r *http.Request, f *authFlow) {
	pg := page{Renderer: "auth/authentication-successful", Template: "successful", Title: "npm | Authentication Successful", Liminal: true, Props: map[string]any{}}
	if f.Kind == flowShown {
		pg.Props["otp"] = f.Result
	}
	s.show(w, r, http.StatusOK, pg)
}

// cooldownMetadata is the prop behind the checkbox of A.3.4: only for what
// guards a token's request.
func (s *Sandbox) cooldownMetadata(r *http.Request, f *authFlow) map[string]any {
	if !s.switches.Cooldown || f == nil || f.Asker == "" {
		return map[string]any{"isCooldownAllowed": false}
	}
	return map[string]any{
		"isCooldownAllowed": true, "cooldownAllowedCommands": "publish and trust",
		"userIp": clientIP(r), "cooldownTtlMinutes": int(cooldownLife.Minutes()),
	}
}

func clientIP(r *http.Request) string {
	u, err := url.Parse("//" + r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return u.Hostname()
}

func (s *Sandbox) startCooldown(f *authFlow) {
	if s.switches.Cooldown && f.Asker != "" {
		s.state.Cooldowns[f.Asker] = s.now().Add(cooldownLife)
	}
}

// inCooldown reports whether publishing needs no code from this token.
func (s *Sandbox) inCooldown(asker string) bool { return s.now().Before(s.state.Cooldowns[asker]) }
