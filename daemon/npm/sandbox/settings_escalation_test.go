package sandbox_test

import (
	"strings"
	"testing"
	"time"
)

// renderer is what the last answer was.
func (p *person) renderer() string { return p.headers.Get("renderername") }

// opens goes to a settings page and says whether the check stands before it.
func (p *person) opens(path string) (asked bool) {
	p.t.Helper()
	p.open(path)
	return p.renderer() == "auth/escalate"
}

// pass answers the prompt in place.
func (p *person) pass() {
	p.t.Helper()
	p.submit("login", "otp", code(p.t))
}

// The prompt in place, as SD saw it: status 200 at the page's own address, with
// a user, and back there afterwards (A.4).
func TestSettingsEscalationInPlace(t *testing.T) {
	s, base := start(t, withTOTP)
	set(t, s, `{"settings_escalation":"on-open"}`)
	p := signedIn(t, s, base)
	if !p.opens(formPath+"?from=docs") || p.status != 200 || p.at.Path != formPath {
		t.Fatalf("%d %s at %s", p.status, p.renderer(), p.at)
	}
	props := p.props()
	for k, want := range map[string]any{
		"action": "/escalate", "escalateType": "totp", "hasTotp": true, "hasWebAuthnDevices": false,
		"originalUrl": formPath + "?from=docs", "errorCount": 0.0, "disable2faPasswordOption": true, "isTfaEscalation": true,
	} {
		if props[k] != want {
			t.Errorf("%s is %v, want %v", k, props[k], want)
		}
	}
	p.sees(">Back to Access Tokens</a>")
	p.submit("login", "otp", "000000")
	if p.sees(`role="alert"`); p.props()["errorCount"] != 1.0 {
		t.Fatalf("errorCount %v", p.props()["errorCount"])
	}
	p.pass()
	if p.at.RequestURI() != formPath+"?from=docs" || p.renderer() != "tokens/gat/create" {
		t.Fatalf("%s at %s", p.renderer(), p.at)
	}
}

// When the pages ask, by mode, and how long an answer counts.
func TestSettingsEscalationModes(t *testing.T) {
	s, base := start(t, withTOTP)
	p := signedIn(t, s, base)
	set(t, s, `{"settings_escalation":"never"}`)
	s.Advance(time.Hour)
	if p.opens(tokensPath) || p.createByForm(p.plaidForm("never")).json(t)["newToken"] == nil {
		t.Fatal("asked")
	}

	set(t, s, `{"settings_escalation":"if-login-older-than","settings_escalation_age":60,"settings_escalation_life":0}`)
	if !p.opens(formPath) {
		t.Fatal("an old sign-in was enough")
	}
	p.pass()
	if p.createByForm(p.plaidForm("fresh")).json(t)["newToken"] == nil {
		t.Fatal("a check that was just passed was not enough")
	}
	s.Advance(61 * time.Second)
	if p.createByForm(p.plaidForm("old")); p.renderer() != "auth/escalate" {
		t.Fatalf("a post long after: %s", p.renderer())
	}

	set(t, s, `{"settings_escalation":"on-open","settings_escalation_life":100,"settings_escalation_pages":["form"]}`)
	s.Advance(time.Hour)
	if p.opens(tokensPath) || !p.opens(formPath) {
		t.Fatal("it is the form alone that is guarded")
	}
	p.pass()
	s.Advance(99 * time.Second)
	if p.opens(formPath) {
		t.Fatal("asked again too early")
	}
	s.Advance(2 * time.Second)
	if !p.opens(formPath) {
		t.Fatal("an answer counts too long")
	}

	set(t, s, `{"settings_escalation_life":0}`)
	p.opens(formPath)
	p.pass()
	if p.renderer() != "tokens/gat/create" || !p.opens(formPath) {
		t.Fatal("for one request is not for one")
	}
}

// A post that meets the check: lost, or carried out afterwards.
func TestSettingsHeldPost(t *testing.T) {
	s, base := start(t, withTOTP)
	set(t, s, `{"settings_escalation":"on-submit","settings_escalation_life":0}`)
	p := signedIn(t, s, base)
	post := func(name string) answer {
		t.Helper()
		a := p.createByForm(p.plaidForm(name))
		if p.renderer() == "auth/escalate" { // an answer in JSON: the form is in the page that shows it
			if to := a.json(t)["originalUrl"]; to != formPath {
				t.Fatalf("originalUrl %v", to)
			}
			p.escalateAs(formPath, code(t))
		}
		return a
	}
	post("lost")
	if len(s.Tokens()) != 0 || p.at.Path != formPath {
		t.Fatalf("lost: %d tokens, at %s", len(s.Tokens()), p.at)
	}
	if a := post("lost"); a.json(t)["newToken"] == nil {
		t.Fatalf("the second time: %s", a.body)
	}

	set(t, s, `{"settings_held_post":"replayed"}`)
	post("kept")
	value := tokenValue.FindString(p.page)
	if value == "" || p.at.Path != tokensPath || whoami(t, base, value) != 200 {
		t.Fatalf("replayed: at %s", p.at)
	}
	if p.open(tokensPath); strings.Contains(p.page, value) {
		t.Fatal("it is shown twice")
	}
	post("kept") // a name that is taken, found out after the check
	if p.at.Path != formPath || len(s.Tokens()) != 2 {
		t.Fatalf("refused: at %s, %d tokens", p.at, len(s.Tokens()))
	}
	p.sees("Every token needs a unique name", "Token generation failed. Please review any errors and try again.")

	// Whoever opens another page meanwhile has let the post go.
	p.createByForm(p.plaidForm("left"))
	p.open(tokensPath)
	p.escalateAs(formPath, code(t))
	if len(s.Tokens()) != 2 {
		t.Fatal("a post was carried out that had been left")
	}
}

// escalateAs answers the prompt that a script's post got.
func (p *person) escalateAs(original, otp string) {
	p.t.Helper()
	p.page = `<form id="login" method="POST" action="/escalate"><input type="hidden" name="formName" value="totp">` +
		`<input type="hidden" name="originalUrl" value="` + original + `"><input type="hidden" name="csrftoken" value="` + p.csrf() + `">` +
		`<input name="otp"></form>`
	p.submit("login", "otp", otp)
}

// The same by redirects, in a chain of checks.
func TestSettingsEscalationRedirects(t *testing.T) {
	s, base := start(t, withBoth)
	set(t, s, `{"settings_escalation":"on-open","settings_escalate_in_place":false,"escalation":["password","webauthn"]}`)
	p := signedIn(t, s, base)
	p.open(tokensPath)
	if p.at.Path != "/escalate/password" || p.at.Query().Get("next") != tokensPath {
		t.Fatalf("at %s", p.at)
	}
	p.submit("escalate", "escalated_password", testPassword)
	if p.at.Path != "/escalate/webauthn" {
		t.Fatalf("after the password at %s", p.at)
	}
	p.useKey(s)
	if p.at.Path != tokensPath {
		t.Fatalf("at the end at %s", p.at)
	}
	a := p.spiferack("GET", formPath, nil)
	if a.status != 200 || p.renderer() != "tokens/gat/create" {
		t.Fatalf("while it counts: %d %s", a.status, p.renderer())
	}
	s.Advance(time.Hour)
	a = p.spiferack("GET", formPath, nil)
	if a.json(t)["x-spiferack-redirect"] != true || !strings.HasPrefix(a.header.Get("Location"), "/escalate/password?next=") {
		t.Fatalf("a script is sent on by %s %v", a.body, a.header)
	}
	// In place, the chain's next check comes where the first was answered.
	set(t, s, `{"settings_escalate_in_place":true}`)
	p.open(formPath)
	p.submit("escalate", "escalated_password", testPassword)
	if p.renderer() != "auth/escalate" || p.props()["escalateType"] != "webauthn" {
		t.Fatalf("%s %v", p.renderer(), p.props()["escalateType"])
	}
	p.useInPlace(s)
	if p.at.Path != formPath || p.renderer() != "tokens/gat/create" {
		t.Fatalf("%s at %s", p.renderer(), p.at)
	}
}

// Nobody gets past the check by leaving it out, or by the wrong answer.
func TestSettingsEscalationHolds(t *testing.T) {
	s, base := start(t, withTOTP)
	set(t, s, `{"settings_escalation":"on-submit"}`)
	p := signedIn(t, s, base)
	p.createByForm(p.plaidForm("x"))
	p.escalateAs(formPath, "000000")
	if p.createByForm(p.plaidForm("x")); p.renderer() != "auth/escalate" {
		t.Fatalf("a wrong code led to %s", p.renderer())
	}
	p.page = strings.NewReplacer("totp", "password").Replace(`<form id="x" method="POST" action="/escalate"><input type="hidden" name="formName" value="totp">` +
		`<input type="hidden" name="originalUrl" value="` + formPath + `"><input type="hidden" name="csrftoken" value="` + p.csrf() + `"><input name="escalated_password"></form>`)
	p.submit("x", "escalated_password", testPassword)
	if p.createByForm(p.plaidForm("x")); p.renderer() != "auth/escalate" || len(s.Tokens()) != 0 {
		t.Fatalf("the password stood for the code: %s", p.renderer())
	}
}

// A deletion has a policy of its own, if it is told one.
func TestDeleteEscalation(t *testing.T) {
	for policy, c := range map[string]struct {
		mode  string
		asked bool
	}{"same": {"on-submit", true}, "never": {"on-submit", false}, "always": {"never", true}} {
		s, base := start(t, withTOTP)
		p := signedIn(t, s, base)
		set(t, s, `{"settings_escalation":"never"}`)
		p.createByForm(p.plaidForm("x"))
		set(t, s, `{"settings_escalation":"`+c.mode+`","settings_delete_escalation":"`+policy+`","settings_held_post":"replayed"}`)
		p.spiferack("POST", tokensPath+"/delete", map[string]any{"csrftoken": p.csrf(), "tokens": []string{s.Tokens()[0].Key}})
		if asked := p.renderer() == "auth/escalate"; asked != c.asked {
			t.Errorf("%s: %s", policy, p.renderer())
		}
		if c.asked {
			p.escalateAs(tokensPath, code(t))
		}
		if s.Tokens()[0].Revoked == nil || p.renderer() != "tokens/list" {
			t.Errorf("%s: it is still there, at %s", policy, p.renderer())
		}
	}
}
