package npm

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rotd/daemon/browser"
	"rotd/daemon/browser/xvfb"
	"rotd/daemon/npm/sandbox"
	"rotd/ipc/secret"
	"rotd/store"
)

// desk is a person with a display, at whose windows npm's pages open.
type desk struct {
	*world
	*xvfb.Display
	window   *Window
	opened   int // windows, so far
	signedIn int
}

func newDesk(t *testing.T) *desk {
	d := &desk{world: inSandbox(t, sandbox.Config{TOTPSecret: totpSecret}), Display: xvfb.Start(t)}
	d.Asked = func() (int, bool) { return sandbox.Asked(d.box.Requests()) }
	d.Log = d.text
	return d
}

func atDesk(t *testing.T) *desk {
	d := newDesk(t)
	d.window = &Window{
		Browser: browser.Config{NoSandbox: os.Geteuid() == 0, Dir: t.TempDir(), Display: d.Env()},
		Keep:    d.keep,
		Log:     d.config.Log,
		Tell:    func(string, string) { d.opened++ },
	}
	d.config.Pages = d.window
	// Polls follow the wall clock: a person is waited for.
	d.config.Sleep = func(ctx context.Context, _ time.Duration) error { return sleep(ctx, 100*time.Millisecond) }
	d.alone()
	return d
}

// alone fails the test, at its end, if anything was attached to a page that the
// person had before him.
func (w *world) alone() {
	w.t.Cleanup(func() {
		if strings.Contains(w.text(), driven) {
			w.t.Error(driven)
		}
	})
}

// during runs what the daemon does while hands does what the person does.
func (d *desk) during(daemon func() error, hands func()) error {
	done := make(chan error, 1)
	go func() { done <- daemon(); close(done) }()
	hands()
	return <-done
}

// passes runs what the daemon does while the person does what the pages want.
func (d *desk) passes(daemon func() error) error {
	var ended atomic.Bool
	return d.during(func() error { defer ended.Store(true); return daemon() }, func() {
		d.Enter(ended.Load, d.signIn(), d.enterCode(), xvfb.Page{Title: "Just a moment", Text: func() string { return "\t\n" }})
	})
}

func (d *desk) signIn() xvfb.Page {
	return xvfb.Page{Title: "Sign In", Text: func() string { d.signedIn++; return user + "\t" + password + "\n" }}
}

func (d *desk) enterCode() xvfb.Page {
	return xvfb.Page{Title: "Enter a One-time", Text: func() string { return d.code() + "\n" }}
}

// A person passes the check in one window; everything under it, making two
// tokens and revoking one, needs no other.
func TestAWindowForEverythingDue(t *testing.T) {
	d := atDesk(t)
	a := d.account(knowingPassword)
	d.must(d.passes(func() error { return a.SignIn(t.Context()) }))
	d.opened, d.signedIn = 0, 0
	err := d.passes(func() error {
		one, err := a.Create(t.Context(), "one", publish)
		if err == nil {
			_, err = a.Create(t.Context(), "two", install)
		}
		if err == nil {
			err = a.Revoke(t.Context(), one.Key)
		}
		return err
	})
	d.must(err)
	if d.opened != 1 || d.signedIn != 0 {
		t.Errorf("%d windows, signed in %d times: want one, in which npm wants the code alone", d.opened, d.signedIn)
	}
	d.Gone("npm")
	if d.keep[store.KindCookies].IsZero() {
		t.Error("the website session was not kept")
	}
}

// What npm's page made is taken even if the person closes the window at once.
func TestAWindowClosedAfterTheCheck(t *testing.T) {
	d := atDesk(t)
	a := d.account(knowingPassword, func(c *Config) {
		c.Sleep = func(ctx context.Context, _ time.Duration) error { return sleep(ctx, time.Hour) }
	})
	d.must(d.during(func() error { return a.SignIn(t.Context()) }, func() {
		d.Enter(func() bool { return len(d.Windows("Authentication Successful")) > 0 }, d.signIn(), d.enterCode())
		d.Window("Authentication Successful")
		d.Key("ctrl+w")
	}))
}

func TestSigningInWithAWindow(t *testing.T) {
	d := atDesk(t)
	a := d.account(func(c *Config) { c.Username = "" })
	d.must(d.passes(func() error { return a.SignIn(t.Context()) }))
	if a.Username() != user || d.keep[store.KindSession].IsZero() || d.keep[store.KindCookies].IsZero() {
		t.Errorf("signed in as %q", a.Username())
	}
}

func TestAWindowThatIsNotPassed(t *testing.T) {
	d := atDesk(t)
	gone := make(chan struct{})
	for name, tc := range map[string]struct {
		time  time.Duration
		hands func()
		says  string
	}{
		"closed": {0, func() { d.Window("Sign In"); d.Key("ctrl+w") }, "closed before the check was passed"},
		"closed in between": {0, func() {
			d.Enter(func() bool { return len(d.Windows("Enter a One-time")) > 0 }, d.signIn())
			d.Window("Enter a One-time")
			d.Key("ctrl+shift+w")
		}, "closed before the check was passed"},
		"nobody comes": {700 * time.Millisecond, func() {}, "nobody passed the check within 700ms"},
		"rot is ended": {0, func() { d.Window("Sign In"); close(gone) }, "the command that asked for it was ended"},
	} {
		t.Run(name, func(t *testing.T) {
			d.window.Time, d.window.Gone = tc.time, nil
			if strings.Contains(name, "rot") {
				d.window.Gone = gone
			}
			a := d.account(knowingPassword)
			err := d.during(func() error {
				_, err := a.Create(t.Context(), "one", publish)
				return err
			}, tc.hands)
			d.fails(err, ErrNeedsPerson)
			if !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), "nothing was changed") {
				t.Errorf("says %q", err)
			}
			d.notCreated(err, true)
			d.Gone("npm")
			if !d.keep[store.KindCookies].IsZero() {
				t.Error("a session was kept that nobody finished")
			}
		})
	}
}

func TestAWindowEndsWithItsContext(t *testing.T) {
	d := atDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := d.during(func() error { return d.account(knowingPassword).SignIn(ctx) }, func() { d.Window("Sign In"); cancel() })
	d.fails(err, context.Canceled)
	d.Gone("npm")
}

// A display that is not there is no reason to ask for the code elsewhere: the
// person is told. A machine without Chromium is.
func TestNoWindow(t *testing.T) {
	d := atDesk(t)
	d.window.Browser.Display = []string{"DISPLAY=:7654"}
	err := d.account(knowingPassword).SignIn(t.Context())
	if d.fails(err, ErrNeedsPerson); !errors.Is(err, browser.ErrFailed) {
		t.Errorf("without a display: %v", err)
	}
	d.window.Browser.Exec = "/nowhere/chromium"
	a := d.account(knowingPassword, d.answering(map[string]func() string{"otp": d.code}))
	d.must(a.SignIn(t.Context()))
}

// A session that is no session costs a sign-in and no more.
func TestAWindowWithASpoiledSession(t *testing.T) {
	d := atDesk(t)
	d.keep[store.KindCookies] = secret.New(`{"spoiled`)
	d.must(d.passes(func() error { return d.account(knowingPassword).SignIn(t.Context()) }))
}
