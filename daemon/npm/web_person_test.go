package npm

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rotd/store"
)

// The driver fills in what it can in a window of the person's, and lets go of
// it for what only the person can pass. (That nothing is attached meanwhile it
// sees for itself.)
func TestWebInAWindow(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.set(`{"settings_escalation": "on-submit", "settings_escalation_life": 0}`)
	var windows atomic.Int32
	d.alone()
	web := d.web(patient, func(c *WebConfig) {
		c.Display = d.Env()
		c.Progress = func(name, _ string) {
			if name == "window" {
				windows.Add(1)
			}
		}
	})
	d.must(d.passes(func() error { return web.SignIn(t.Context()) }))
	if web.Username() != user || d.keep[store.KindCookies].IsZero() {
		t.Errorf("signed in as %q", web.Username())
	}
	d.set(`{"bot_challenge": -1}`) // which a person passes
	d.must(d.passes(func() error {
		tok, err := web.Create(t.Context(), "token", publish)
		if err == nil {
			err = web.Verify(t.Context(), tok, publish)
		}
		if err == nil {
			err = web.Revoke(t.Context(), tok.Key)
		}
		return err
	}))
	if d.signedIn != 1 || windows.Load() < 3 {
		t.Errorf("signed in %d times, %d checks by hand", d.signedIn, windows.Load())
	}
	var driven bool
	d.must(web.v.page.Read(t.Context(), "navigator.webdriver", &driven))
	if driven {
		t.Error("the window says that it is driven")
	}
}

// A person who closes the window, does nothing, or leaves ends the run.
func TestWebInAWindowNotPassed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, how := range []string{"closed", "late", "gone"} {
		gone := make(chan struct{})
		web := d.web(func(c *WebConfig) {
			c.Display, c.Gone, c.Time = d.Env(), gone, time.Minute
			if how == "late" {
				c.Time = time.Second
			}
		})
		err := d.during(func() error { return web.SignIn(t.Context()) }, func() {
			d.Window("Sign In")
			switch how {
			case "closed":
				time.Sleep(300 * time.Millisecond)
				d.Key("ctrl+w")
			case "gone":
				close(gone)
			}
		})
		d.fails(err, ErrNeedsPerson)
		says := map[string]string{"closed": "the window was closed before the check was passed", "late": "nobody passed the check within 1s",
			"gone": "the command that asked for it was ended"}[how]
		if !strings.HasSuffix(err.Error(), ": "+says+"; nothing was changed") || how == "closed" && !errors.Is(err, errClosed) {
			t.Errorf("%s: %v", how, err)
		}
		d.must(web.Close(context.Background()))
		d.Gone("npm")
		if kept := d.keep[store.KindCookies].Reveal(); strings.Contains(kept, "wub") {
			t.Errorf("%s: a session was kept that nobody finished", how)
		}
	}
}

func TestIsCheck(t *testing.T) {
	const site = "https://www.example.com"
	for _, test := range []struct {
		path, title string
		want        bool
	}{
		{"/login", "npm | Sign In", true},
		{"/login/otp?next=%2F", "npm", true},
		{"/escalate/webauthn", "npm", true},
		{"/settings/ada/tokens", "npm | Enter a One-time Password", true},
		{"/settings/ada/tokens", "Just a moment...", true},
		{"/settings/ada/tokens", "www.example.com/settings/ada/tokens", true}, // on its way
		{"/settings/ada/tokens", "", true},
		{"/settings/ada/tokens", "npm", false},
		{"/settings/ada/tokens", "npm | Access Tokens", false},
		{"/", "npm | Home", false},
		{"/loginless", "npm", false},
	} {
		if got := isCheck(site+test.path, test.title); got != test.want {
			t.Errorf("%s %q: %v", test.path, test.title, got)
		}
	}
	if !isCheck("about:blank", "anything") {
		t.Error("an empty tab is past the check")
	}
}
