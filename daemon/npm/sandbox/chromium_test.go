package sandbox_test

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"rotd/daemon/npm/sandbox"
)

// tab starts a headless Chromium. It runs as root in tests, where Chromium has
// no sandbox of its own.
func tab(t *testing.T, more ...chromedp.ContextOption) context.Context {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{
		chromedp.Headless, chromedp.NoFirstRun, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("no-sandbox", os.Getuid() == 0), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true),
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, more...)
	t.Cleanup(cancel)
	do(t, ctx, chromedp.Navigate("about:blank"))
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // waits, so that the profile can be removed
	return ctx
}

// do takes one step after the other. One that fell into the moment at which the
// page changed is taken again: it has not touched anything.
func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	for i, step := range steps {
		err := chromedp.Do(ctx, step)
		for err != nil && strings.Contains(err.Error(), "Could not find node with given id") && ctx.Err() == nil {
			err = chromedp.Do(ctx, step)
		}
		if err != nil {
			text, _ := chromedp.Run(context.WithoutCancel(ctx), chromedp.Evaluate[string]("location + ' ' + document.body.innerText"))
			t.Fatalf("step %d: %v, at %s", i+1, err, text)
		}
	}
}

type credential struct {
	CredentialID string `json:"credentialId"`
	Resident     bool   `json:"isResidentCredential"`
	RPID         string `json:"rpId"`
	PrivateKey   string `json:"privateKey"`
	UserHandle   string `json:"userHandle"`
	SignCount    int64  `json:"signCount"`
}

type addCredential struct {
	AuthenticatorID webauthn.AuthenticatorID `json:"authenticatorId"`
	Credential      credential               `json:"credential"`
}

// emptyKey gives the tab a security key that holds no credential yet.
func emptyKey(ctx context.Context, t *chromedp.Target) (webauthn.AddVirtualAuthenticatorResult, error) {
	if _, err := cdp.Call(ctx, t, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		return webauthn.AddVirtualAuthenticatorResult{}, err
	}
	return cdp.Call(ctx, t, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		},
	})
}

// plugIn gives the tab the person's security key.
func plugIn(s *sandbox.Sandbox) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		var none chromedp.Void
		added, err := emptyKey(ctx, t)
		if err != nil {
			return none, err
		}
		key, _ := s.SecurityKey()
		add := cdp.Command[addCredential, cdp.Empty]{Method: webauthn.CommandAddCredential}
		_, err = cdp.Call(ctx, t, add, addCredential{added.AuthenticatorID, credential{
			CredentialID: key.CredentialID, Resident: key.Resident, RPID: key.RPID,
			PrivateKey: key.PrivateKey.Reveal(), UserHandle: key.UserHandle, SignCount: key.SignCount,
		}})
		return none, err
	}
}

const success = `//h1[text()="Authentication Successful"]`

func button(text string) string { return `//button[text()="` + text + `"]` }

// A security key signs in and passes the check of a creation, in a real
// browser.
func TestChromiumSecurityKey(t *testing.T) {
	s, base := start(t, withKey)
	ctx := tab(t)
	login := call(t, "POST", base+"/-/v1/login", "{}")
	do(t, ctx,
		plugIn(s),
		chromedp.Navigate(login.text(t, "loginUrl")),
		chromedp.SendKeys(chromedp.ID("login_username"), testUser),
		chromedp.SendKeys(chromedp.ID("login_password"), testPassword),
		chromedp.Click(button("Sign In")),
		chromedp.Click(button("Use security key")),
		chromedp.WaitVisible(success),
	)
	session := call(t, "GET", login.text(t, "doneUrl"), nil).text(t, "token")

	for _, switches := range []string{`{}`, `{"escalate_in_place":true}`, `{"escalation":["password","webauthn"]}`} {
		set(t, s, switches)
		asked := call(t, "DELETE", base+"/-/npm/v1/tokens/token/00000000-0000-4000-8000-000000000000", nil,
			"Authorization", bearer(session), "npm-auth-type", "web", "npm-command", "token")
		steps := []chromedp.Action[chromedp.Void]{chromedp.Navigate(asked.text(t, "authUrl"))}
		if len(s.Switches().Escalation) > 0 {
			steps = append(steps,
				chromedp.SendKeys(chromedp.ID("escalate_escalated_password"), testPassword),
				chromedp.Click(button("Confirm password to continue")))
		}
		steps = append(steps, chromedp.Click(button("Use security key")), chromedp.WaitVisible(success))
		do(t, ctx, steps...)
		otp := call(t, "GET", asked.text(t, "doneUrl"), nil).text(t, "token")
		a := call(t, "DELETE", base+"/-/npm/v1/tokens/token/00000000-0000-4000-8000-000000000000", nil,
			"Authorization", bearer(session), "npm-otp", otp)
		if a.status != http.StatusNotFound {
			t.Fatalf("%s: with the browser's one-time password: %d %s", switches, a.status, a.body)
		}
	}
	if key, _ := s.SecurityKey(); key.SignCount < 4 {
		t.Fatalf("the sign count is %d after four assertions", key.SignCount)
	}
}

// A wrong code and a right one, by keyboard alone; then the prompt in place,
// where the way is changed without a request.
func TestChromiumKeyboard(t *testing.T) {
	s, base := start(t, withBoth)
	set(t, s, `{"cookie_secure":true}`) // Chromium takes Secure cookies from http://localhost
	ctx := tab(t)
	login := call(t, "POST", base+"/-/v1/login", "{}")
	do(t, ctx,
		plugIn(s),
		chromedp.Navigate(login.text(t, "loginUrl")),
		// The user name has the focus: type, tab, type, enter.
		chromedp.WaitVisible(chromedp.ID("login_username")),
		chromedp.KeyEvent(testUser+kb.Tab+testPassword+kb.Enter),
		chromedp.Click(`//a[text()="Enter two-factor authentication code"]`),
		chromedp.WaitVisible(chromedp.ID("login_otp")),
		chromedp.KeyEvent("000000"+kb.Enter),
		chromedp.WaitVisible(chromedp.CSS(`#login_otp_error_message[role=alert]`)),
		chromedp.KeyEvent(code(t)+kb.Enter),
		chromedp.WaitVisible(success),
	)
	session := call(t, "GET", login.text(t, "doneUrl"), nil).text(t, "token")

	set(t, s, `{"escalate_in_place":true}`)
	asked := call(t, "POST", base+"/-/npm/v1/tokens", publishShape("x"),
		"Authorization", bearer(session), "npm-auth-type", "web", "npm-command", "token")
	do(t, ctx,
		chromedp.Navigate(asked.text(t, "authUrl")),
		chromedp.Click(button("Enter two-factor authentication code")),
		chromedp.SendKeys(chromedp.ID("login_otp"), code(t)+kb.Enter),
		chromedp.WaitVisible(success),
	)
	otp := call(t, "GET", asked.text(t, "doneUrl"), nil).text(t, "token")
	create(t, base, session, otp, publishShape("x"))
}

// The bot check stands before the page until the person passes it.
func TestChromiumBotCheck(t *testing.T) {
	s, base := start(t, noFactor)
	set(t, s, `{"bot_challenge":-1}`)
	ctx := tab(t)
	do(t, ctx,
		chromedp.Navigate(base+"/login"),
		chromedp.Click(button("Verify you are human")),
		chromedp.WaitVisible(chromedp.ID("login_username")),
	)
}
