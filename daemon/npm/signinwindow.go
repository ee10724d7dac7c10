package npm

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"rotd/daemon/browser"
)

// SignInWindow has a person sign in on npm's own page, in an ordinary browser
// window that nothing is attached to. Whether it is done shows in the addresses
// of the tabs alone: npm sends only who is signed in on from
// /settings/~/tokens, to the page with his name (A.1; M).
type SignInWindow struct {
	Window        // its Keep is given the session
	Site   string // as ParseSite returns it

	// patience is how long an address has to stay that may be one on the way to
	// another; 0: addressPatience.
	patience time.Duration
}

// addressPatience is long enough to pass a bot check at the tokens page.
const addressPatience = 15 * time.Second

var signInErrand = errand{
	doing: signingIn, told: "sign in to npm in the browser window; it closes by itself",
	undone: "nobody signed in", before: "you were signed in",
	outcome: "nothing was kept", again: "sign in in the window; it closes by itself",
}

// SignIn shows npm's sign-in page until the person is signed in, and keeps the
// session. It returns the account's name, or an empty one where npm's addresses
// do not tell it: then a look with the session has to confirm that there is one.
// The errors are those of Window.Pass.
func (w *SignInWindow) SignIn(ctx context.Context) (username string, err error) {
	patience := w.patience
	if patience == 0 {
		patience = addressPatience
	}
	tokens := fmt.Sprintf(tokensPage, "~")
	trail := trail{site: siteOf(w.Site), patience: patience, now: time.Now}
	err = w.open(ctx, signInErrand, w.Site+"/login?next="+url.QueryEscape(tokens), func(ctx context.Context, win *browser.Window) (bool, error) {
		for {
			seen, err := win.Watch(ctx, func(tabs []browser.Tab) bool { return trail.follow(tabs) != onTheWay })
			switch {
			case err != nil || !seen:
				return false, err
			case trail.at == signedIn:
				return true, nil
			}
			// npm has forgotten where to go on to.
			if err := win.Show(ctx, w.Site+tokens); err != nil {
				return false, fmt.Errorf("%s: %w", signingIn, err)
			}
		}
	})
	return trail.username, err
}

// trail is the way that a person takes to be signed in, by the addresses.
type trail struct {
	site     string
	patience time.Duration
	now      func() time.Time

	at       whereabouts
	username string
	login    bool      // the sign-in pages have been seen
	address  string    // one that may be on the way, and
	since    time.Time // since when it is there
}

type whereabouts int

const (
	onTheWay whereabouts = iota
	signedIn
	astray // signed in or not, npm's front page does not tell
)

// follow looks at the tabs once.
func (t *trail) follow(tabs []browser.Tab) whereabouts {
	t.at = onTheWay
	passing := ""
	for _, tab := range tabs {
		u, err := url.Parse(tab.URL)
		if err != nil || siteOf(tab.URL) != t.site {
			continue
		}
		first, rest, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
		name, _, _ := strings.Cut(rest, "/")
		switch {
		case first == "settings" && name != "~" && checkUsername(name) == nil:
			t.at, t.username = signedIn, name
			return t.at
		case first == "settings" && name == "~", u.Path == "/" && t.login:
			passing = u.Path
		case first == "login":
			t.login = true
		}
	}
	if passing != t.address {
		t.address, t.since = passing, t.now()
	}
	stays := t.now().Sub(t.since)
	switch {
	case passing == "/" && stays >= t.patience/5:
		t.at, t.login, t.address = astray, false, ""
	case passing != "" && passing != "/" && stays >= t.patience:
		t.at = signedIn
	}
	return t.at
}
