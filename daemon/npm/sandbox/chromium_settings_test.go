package sandbox_test

import (
	"context"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// plain makes an action of one whose result does not matter.
func plain[T any](f func(context.Context, *chromedp.Target) (T, error)) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := f(ctx, t)
		return chromedp.Void{}, err
	}
}

func signInSteps(t *testing.T, base string) []chromedp.Action[chromedp.Void] {
	t.Helper()
	return []chromedp.Action[chromedp.Void]{
		chromedp.Navigate(base + "/login"),
		chromedp.SendKeys(chromedp.ID("login_username"), testUser),
		chromedp.SendKeys(chromedp.ID("login_password"), testPassword),
		chromedp.Click(button("Sign In")),
		chromedp.SendKeys(chromedp.ID("login_otp"), code(t)+kb.Enter),
		chromedp.WaitVisible(`//h1[text()="Welcome back, ada"]`),
	}
}

// A security key is added in the settings, passes an escalation, and is removed
// again: two of them, told apart by their names.
func TestChromiumAddSecurityKey(t *testing.T) {
	s, base := start(t, withTOTP)
	ctx := tab(t)
	do(t, ctx, append(signInSteps(t, base),
		plain(emptyKey),
		chromedp.Navigate(base+"/settings/~/tfa"),
		chromedp.SendKeys(chromedp.ID("login_otp"), code(t)+kb.Enter),
		chromedp.Click(`//a[text()="Manage Security Keys"]`),
		chromedp.SendKeys(chromedp.ID("add-security-key_name"), "rotd"),
		chromedp.Click(button("Add security key")),
		chromedp.WaitVisible(`//li/button[@aria-label="Remove rotd"]`),
	)...)
	keys := s.SecurityKeys()
	if len(keys) != 1 || keys[0].Name != "rotd" || len(keys[0].CredentialID) == 0 {
		t.Fatalf("%+v", keys)
	}
	// The same authenticator does not take a second credential for the account.
	do(t, ctx,
		chromedp.SendKeys(chromedp.ID("add-security-key_name"), "again"),
		chromedp.Click(button("Add security key")),
		chromedp.WaitVisible(`//p[@id="add-security-key_error_message"][text()!=""]`),
	)

	set(t, s, `{"settings_escalation":"on-open","settings_escalation_life":0}`)
	for range 2 {
		do(t, ctx,
			chromedp.Navigate(base+formPath),
			chromedp.Click(button("Use security key")),
			chromedp.WaitVisible(`//h1[text()="New Granular Access Token"]`),
		)
	}
	if got := s.SecurityKeys()[0].SignCount; got < 2 || got <= keys[0].SignCount {
		t.Fatalf("the sign count is %d, it was %d", got, keys[0].SignCount)
	}
	do(t, ctx,
		chromedp.Navigate(base+"/settings/ada/tfa/list"),
		chromedp.Click(button("Use security key")),
		chromedp.Click(`//button[@aria-label="Remove rotd"]`),
		chromedp.WaitNotPresent(`//button[@aria-label="Remove rotd"]`),
	)
	if keys := s.SecurityKeys(); len(keys) != 0 {
		t.Fatalf("%+v", keys)
	}
}
