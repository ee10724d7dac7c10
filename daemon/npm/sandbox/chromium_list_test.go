package sandbox_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// await polls until got is as many as wanted.
func (u *surfer) await(want int, what string, got func() int) {
	u.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got() == want {
			return
		}
	}
	u.t.Fatalf("%d tokens %s, want %d", got(), what, want)
}

func (u *surfer) awaitTokens(want int) {
	u.t.Helper()
	u.await(want, "were made", func() int { return len(u.s.Tokens()) })
}

func (u *surfer) awaitRevoked(want int) {
	u.t.Helper()
	u.await(want, "were deleted", func() (n int) {
		for _, token := range u.s.Tokens() {
			if token.Revoked != nil {
				n++
			}
		}
		return n
	})
}

// Each way to delete, with a dialog in the page, with none, and with confirm()
// answered No, which is how the browser package answers.
func TestChromiumDelete(t *testing.T) {
	s, base := start(t, withTOTP)
	p := signedIn(t, s, base)
	for i := range 6 {
		p.createByForm(p.plaidForm(fmt.Sprint("t", i)))
	}
	u := newSurfer(t, s, base)
	u.signIn()

	set(t, s, `{"delete_how":"each","delete_row_label":"named","delete_confirm":"dialog"}`)
	u.open(tokensPath)
	u.click("button", "Delete token t0")
	u.click("button", "Cancel")
	u.click("button", "Delete token t1")
	u.click("button", "Delete tokens")
	u.awaitRevoked(1)
	u.sees("t0", "t2")

	set(t, s, `{"delete_how":"selected","delete_confirm":"none"}`)
	u.open(tokensPath)
	for _, box := range []string{"Select t2", "Select t3"} {
		u.click("checkbox", box)
	}
	u.click("button", "Delete Selected Tokens")
	u.awaitRevoked(3)

	set(t, s, `{"delete_how":"both","delete_confirm":"native","delete_row_label":"x"}`)
	u.open(tokensPath)
	u.run(`setTimeout(() => document.querySelector("[data-delete]").click())`)
	u.click("checkbox", "Select t4") // the page goes on after the dialog
	u.awaitRevoked(3)
}

// confirm() answered Yes.
func TestChromiumDeleteNative(t *testing.T) {
	s, base := start(t, withTOTP)
	p := signedIn(t, s, base)
	p.createByForm(p.plaidForm("gone"))
	yes := make(chan string, 1)
	var ctx context.Context
	ctx = tab(t, chromedp.WithListener(func(event any) {
		if ev, ok := event.(*page.EventJavascriptDialogOpening); ok {
			yes <- ev.Message
			go func() {
				_, _ = cdp.Call(ctx, chromedp.FromContext(ctx).Target, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
			}()
		}
	}))
	do(t, ctx, append(signInSteps(t, base),
		chromedp.Navigate(base+tokensPath),
		chromedp.Click(`//button[text()="×"][@data-delete]`),
		chromedp.WaitVisible(`//p[text()="You have no access tokens."]`),
	)...)
	if message := <-yes; message == "" || s.Tokens()[0].Revoked == nil {
		t.Fatalf("asked %q", message)
	}
}

// Each mode of the escalation with a post that is lost or replayed, in place
// and by redirect: in the end there is a token.
func TestChromiumEscalationModes(t *testing.T) {
	s, base := start(t, withTOTP)
	u := newSurfer(t, s, base)
	u.signIn()
	code := func() {
		t.Helper()
		u.fill("One-time Password", code(t))
		u.click("button", "Login")
	}
	n := 0
	for _, inPlace := range []bool{true, false} {
		for _, c := range []struct{ mode, held string }{
			{"never", "lost"}, {"if-login-older-than", "lost"}, {"on-open", "lost"}, {"on-submit", "lost"}, {"on-submit", "replayed"},
		} {
			n++
			name := fmt.Sprintf("%s %s %t", c.mode, c.held, inPlace)
			set(t, s, fmt.Sprintf(`{"settings_escalation":%q,"settings_held_post":%q,"settings_escalate_in_place":%t,"settings_escalation_life":0,"settings_escalation_pages":["form"]}`, c.mode, c.held, inPlace))
			s.Advance(time.Hour)
			if c.mode == "if-login-older-than" {
				u.open(tokensPath)
				code()
			} else {
				u.open(tokensPath)
			}
			u.click("link", "Generate New Token")
			if c.mode == "on-open" {
				code()
			}
			u.fillShort(fmt.Sprint("mode ", n))
			u.click("button", "Generate token")
			if c.mode == "on-submit" {
				code()
				if c.held == "lost" {
					u.fillShort(fmt.Sprint("mode ", n))
					u.click("button", "Generate token")
				}
			}
			if value := u.shownToken(); whoami(t, base, value) != 200 || len(s.Tokens()) != n {
				t.Fatalf("%s: %d tokens", name, len(s.Tokens()))
			}
		}
	}
}

// Links change the page without loading it, unless npm has been deployed anew
// (A.1).
func TestChromiumNavigation(t *testing.T) {
	s, base := start(t, withTOTP)
	u := newSurfer(t, s, base)
	u.signIn()
	u.open(tokensPath)
	mark := `String(window.marked)`
	u.run(`window.marked = true`)
	u.click("link", "Generate New Token")
	u.sees("New Granular Access Token")
	if at, err := u.URL(u.ctx); err != nil || at != base+formPath || u.read(mark) != "true" || u.read("window.__context__.name") != "tokens/gat/create" {
		t.Fatalf("at %s, %v", at, err)
	}
	set(t, s, `{"manifest_every":1}`)
	u.must(u.Click(u.ctx, u.breadcrumb()))
	u.sees("You have no access tokens.")
	if u.read(mark) != "undefined" {
		t.Fatal("a page of another manifest was not loaded as a whole")
	}
	// A post does not look at the manifest; an ended session leads to the sign-in.
	u.open(formPath)
	u.fillShort("another manifest")
	u.click("button", "Generate token")
	u.shownToken()
	u.open(formPath)
	u.fillShort("again")
	for _, fault := range []string{`"kind":"cut"`, `"kind":"status","status":429,"body":"Too many requests"`} {
		set(t, s, `{"faults":[{"path":"/settings/ada/tokens/new-gat","count":-1,`+fault+`}]}`) // Chromium posts again after a cut
		u.click("button", "Generate token")
		u.sees("Token generation failed. Please review any errors and try again.")
		u.run(`document.querySelector("[data-notifications]").replaceChildren()`)
	}
	set(t, s, `{"faults":[]}`)
	s.SignOut()
	u.click("button", "Generate token")
	u.sees("Create Account")
	if len(s.Tokens()) != 1 {
		t.Fatal("a token without a session")
	}
}
