package npm

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"rotd/daemon/browser"
	"rotd/store"
)

func TestTheTrailOfASignIn(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	const site = "https://www.npm.example"
	for name, c := range map[string]struct {
		looks []string // a second apart; tabs with spaces between
		want  whereabouts
		user  string
	}{
		"the tokens page of a name":          {[]string{site + "/login?next=%2Fsettings", site + "/settings/ada/tokens"}, signedIn, "ada"},
		"a check at it":                      {[]string{site + "/settings/ada/tokens?page=0"}, signedIn, "ada"},
		"without www":                        {[]string{"https://npm.example/settings/ada/tokens"}, signedIn, "ada"},
		"in a second tab":                    {[]string{site + "/login about:blank " + site + "/settings/ada/tokens"}, signedIn, "ada"},
		"signing in":                         {[]string{site + "/login", site + "/login/otp?next=%2Fsettings%2Fada%2Ftokens"}, onTheWay, ""},
		"another site":                       {[]string{"https://npm.example.org/settings/ada/tokens", "https://other.example/?" + site + "/settings/ada/tokens"}, onTheWay, ""},
		"http":                               {[]string{"http://www.npm.example/settings/ada/tokens"}, onTheWay, ""},
		"no user's page":                     {[]string{site + "/settings/", site + "/settings/a%20b/tokens", site + "/~ada"}, onTheWay, ""},
		"on the way to the name":             {[]string{site + "/settings/~/tokens", site + "/settings/~/tokens"}, onTheWay, ""},
		"a name that is never told":          {[]string{site + "/settings/~/tokens", "", "", "", "", "", "", "", "", "", site + "/settings/~/tokens"}, onTheWay, ""},
		"a page without a name that stays":   {strings.Fields(strings.Repeat(site+"/settings/~/tokens ", 12)), signedIn, ""},
		"the front page, signed in":          {append([]string{site + "/login"}, strings.Fields(strings.Repeat(site+"/ ", 3))...), astray, ""},
		"the front page, on the way":         {[]string{site + "/login", site + "/"}, onTheWay, ""},
		"the front page, before any sign-in": {strings.Fields(strings.Repeat(site+"/ ", 30)), onTheWay, ""},
		"a page for who forgot a password":   {append([]string{site + "/login"}, strings.Fields(strings.Repeat(site+"/forgot ", 30))...), onTheWay, ""},
	} {
		at := now
		tr := trail{site: siteOf(site), patience: 10 * time.Second, now: func() time.Time { return at }}
		for _, look := range c.looks {
			var tabs []browser.Tab
			for _, address := range strings.Fields(look) {
				tabs = append(tabs, browser.Tab{URL: address})
			}
			tr.follow(tabs)
			at = at.Add(time.Second)
		}
		if tr.at != c.want || tr.username != c.user {
			t.Errorf("%s: %v as %q, want %v as %q", name, tr.at, tr.username, c.want, c.user)
		}
	}
}

func (d *desk) signInWindow() *SignInWindow {
	return &SignInWindow{Window: *d.window, Site: d.registry, patience: 4 * time.Second}
}

func TestSigningInAtTheSite(t *testing.T) {
	d := atDesk(t)
	w := d.signInWindow()
	d.must(d.passes(func() error { _, err := w.SignIn(t.Context()); return err }))
	if d.opened != 1 || !strings.Contains(d.keep[store.KindCookies].Reveal(), "wub") {
		t.Errorf("%d windows, and a session of %d bytes", d.opened, len(d.keep[store.KindCookies].Reveal()))
	}
	d.Gone("npm")
}

func TestASignInThatIsNotFinished(t *testing.T) {
	d := atDesk(t)
	gone := make(chan struct{})
	for name, tc := range map[string]struct {
		time  time.Duration
		gone  <-chan struct{}
		hands func()
		says  string
	}{
		"closed": {0, nil, func() { d.Window("Sign In"); d.Key("ctrl+w") }, "closed before you were signed in"},
		"closed in between": {0, nil, func() {
			d.Enter(func() bool { return len(d.Windows("Enter a One-time")) > 0 }, d.signIn())
			d.Window("Enter a One-time")
			d.Key("ctrl+shift+w")
		}, "closed before you were signed in"},
		"nobody comes": {700 * time.Millisecond, nil, func() {}, "nobody signed in within 700ms"},
		"rot is ended": {0, gone, func() { d.Window("Sign In"); close(gone) }, "the command that asked for it was ended"},
	} {
		t.Run(name, func(t *testing.T) {
			w := d.signInWindow()
			w.Time, w.Gone = tc.time, tc.gone
			err := d.during(func() error { _, err := w.SignIn(t.Context()); return err }, tc.hands)
			d.fails(err, ErrNeedsPerson)
			if !strings.HasPrefix(err.Error(), "sign in: ") || !strings.Contains(err.Error(), tc.says) || !strings.HasSuffix(err.Error(), "; nothing was kept") {
				t.Errorf("says %q", err)
			}
			d.Gone("npm")
			if !d.keep[store.KindCookies].IsZero() {
				t.Error("a session was kept that nobody finished")
			}
		})
	}
}

func TestASignInEndsWithItsContext(t *testing.T) {
	d := atDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := d.during(func() error { _, err := d.signInWindow().SignIn(ctx); return err }, func() { d.Window("Sign In"); cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	d.Gone("npm")
}
