package sandbox_test

import (
	"net/http"
	"strings"
	"testing"

	"rotd/daemon/npm/sandbox"
)

// Each kind of account signs in by web as the npm client does it, and creates
// a token with the code that its second factor gives.
func TestSignInByWebAndCreate(t *testing.T) {
	for name, cfg := range map[string]sandbox.Config{"totp": withTOTP, "security key": withKey, "both": withBoth, "no factor": noFactor} {
		t.Run(name, func(t *testing.T) {
			s, base := start(t, cfg)
			p := newPerson(t, base)

			login := call(t, "POST", base+"/-/v1/login", map[string]any{})
			done := login.text(t, "doneUrl")
			if a := call(t, "GET", done, nil); a.status != http.StatusAccepted || a.header.Get("Retry-After") != "1" {
				t.Fatalf("before the person: %d, retry-after %q", a.status, a.header.Get("Retry-After"))
			}
			p.open(login.text(t, "loginUrl"))
			p.signIn(s)
			p.sees("Authentication Successful")
			session := call(t, "GET", done, nil).text(t, "token")
			if whoami(t, base, session) != http.StatusOK {
				t.Fatal("the session token is refused")
			}
			if a := call(t, "GET", done, nil); a.status != http.StatusNotFound {
				t.Fatalf("doneUrl gave its token twice: %d", a.status)
			}

			otp := otpFor(t, s, p, base, session)
			value := create(t, base, session, otp, publishShape("first"))
			if whoami(t, base, value) != http.StatusOK {
				t.Fatal("the new token is refused")
			}
			if got := s.Tokens(); len(got) != 1 || got[0].Name != "first" || !got[0].Live {
				t.Fatalf("tokens: %+v", got)
			}
		})
	}
}

// otpFor gets a one-time password as a client with npm-auth-type web does.
func otpFor(t *testing.T, s *sandbox.Sandbox, p *person, base, session string) string {
	t.Helper()
	a := call(t, "POST", base+"/-/npm/v1/tokens", publishShape("asked"),
		"Authorization", bearer(session), "npm-auth-type", "web", "npm-command", "token")
	if a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") != "OTP" {
		t.Fatalf("without a code: %d %s", a.status, a.body)
	}
	if strings.Contains(a.body, "by email is required") {
		mail := s.Mailbox()
		return mail[len(mail)-1].Code
	}
	p.open(a.text(t, "authUrl"))
	switch p.at.Path {
	case "/escalate/otp":
		p.submit("login", "otp", code(t))
	case "/escalate/webauthn":
		p.useKey(s)
	default:
		t.Fatalf("authUrl led to %s", p.at)
	}
	otp := call(t, "GET", a.text(t, "doneUrl"), nil).text(t, "token")
	if len(otp) != 16 {
		t.Fatalf("the web's one-time password has %d characters", len(otp))
	}
	return otp
}
