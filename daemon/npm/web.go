package npm

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"rotd/daemon/browser"
	"rotd/daemon/rotate"
	"rotd/ipc/secret"
)

var _ rotate.Account = (*Web)(nil)

// WebConfig is what a Web works with.
type WebConfig struct {
	// Config is an Account's. Pages and Terminal do not matter here, and HTTP
	// is for the registry's part.
	Config
	Site      string // as ParseSite returns it; empty: what belongs to the registry
	Browser   browser.Config
	ReportDir string // where pages are kept that were not recognised; empty: nowhere
	// Display is the person's: the browser is a window there. At a check that
	// nothing known can pass it is let go of until the person has passed it.
	// nil: nobody can be shown a window.
	Display []string
	Gone    <-chan struct{} // closed when whoever asked has left; may be nil
	Time    time.Duration   // for the person at a check; 0: WindowTime

	patience time.Duration // as Website's
}

// Web is one npm account by the website way: its settings pages, in Chromium,
// with the website's session alone. What does not concern the pages, it asks
// the registry.
//
// The browser is opened when first needed and ended by Close. Save for Accepts,
// the methods must not be called at the same time. Every page is recognised
// before it is used and every form read back before it is submitted; what does
// not look as known ends the call with an ErrPage, and the page is kept for a
// report. Whatever ends a call, the session is kept.
type Web struct {
	cfg  WebConfig
	a    *Account // the registry's side
	site string
	web  *Website
	c    *Credentials

	// strange says that the session is another account's: it is not kept.
	strange bool

	v     *visit // nil: no browser is open
	life  context.Context
	end   func()
	letGo bool // the page is the person's
}

// NewWeb checks c and makes no request.
func NewWeb(c WebConfig) (*Web, error) {
	a, err := NewAccount(c.Config)
	if err != nil {
		return nil, err
	}
	site, err := ParseSite(c.Site, a.reg.base.String())
	if err != nil {
		return nil, err
	}
	c.Browser.Visible, c.Browser.Display = c.Display != nil, c.Display
	if c.Display != nil {
		a.cfg.Ask = nil // the window asks
	}
	return &Web{cfg: c, a: a, site: site, web: &Website{
		Browser: c.Browser, Keep: c.Keep, ReportDir: c.ReportDir, Log: a.cfg.Log, patience: c.patience,
	}}, nil
}

// Username is the account's name, by npm's word once it is signed in.
func (w *Web) Username() string { return w.a.username }

// Accepts is Account.Accepts.
func (w *Web) Accepts(ctx context.Context, value secret.Text) (bool, error) {
	return w.a.Accepts(ctx, value)
}

// SignIn makes sure of a session: the one that is kept, or a new one, by what
// is known or asked or by the person in the window. Where there is none of
// these it is an ErrNeedsSignIn.
func (w *Web) SignIn(ctx context.Context) error {
	return w.during(ctx, signingIn, func(ctx context.Context) error {
		name, err := w.whoIs(ctx)
		if err != nil || name != "" {
			return w.isUs(name, err)
		}
		s, err := w.v.reach(ctx, w.site+"/login", goal{is: "npm's website signed in", here: func(_ context.Context, g *glance) (bool, error) {
			return g.User != "" && !atCheck(g.Path), nil
		}})
		if err != nil {
			return err
		}
		return w.isUs(s.User, nil)
	})
}

// Check asks the website whether the kept session is still good. It changes
// nothing at npm and signs nobody in: a session that has ended is an
// ErrNeedsSignIn.
func (w *Web) Check(ctx context.Context) error {
	return w.during(ctx, "look at the website session", func(ctx context.Context) error {
		name, err := w.whoIs(ctx)
		if err == nil && name == "" {
			err = w.signedOut()
		}
		return w.isUs(name, err)
	})
}

// whoIs asks the website who is signed in, empty for nobody.
func (w *Web) whoIs(ctx context.Context) (string, error) {
	s, err := w.v.reach(ctx, w.site+homePage, goal{is: "npm's home page", first: true, here: func(_ context.Context, g *glance) (bool, error) {
		return !g.botCheck(), nil
	}})
	if err != nil || s.Props {
		return s.user(), err
	}
	// A page without props: ask as its script would.
	var answer fields
	err = w.v.page.Read(ctx, `fetch("`+nowherePage+`", {headers: {"x-spiferack": "1"}}).then(r => r.json()).catch(() => ({}))`, &answer)
	user, _ := answer["user"].(map[string]any)
	return fields(user).text("name"), err
}

func (s *sight) user() string {
	if s == nil {
		return ""
	}
	return s.User
}

// isUs checks whose session it is. A name that was not known is learned.
func (w *Web) isUs(name string, err error) error {
	switch {
	case err != nil:
		return err
	case checkUsername(name) != nil:
		return &Error{Kind: ErrPage, Message: w.v.doing + ": npm's website names no user", Hint: "try again later"}
	case w.a.username == "":
		w.a.username = name
	case !strings.EqualFold(name, w.a.username):
		w.strange = true
		return &Error{Kind: ErrRefused, Message: fmt.Sprintf("%s: this is the account of %s, not of %s", w.v.doing, name, w.a.username),
			Hint: "sign in as " + w.a.username + ", or connect " + name + " as a passcard of its own"}
	}
	return nil
}

func (w *Web) signedOut() error {
	return &Error{Kind: ErrNeedsSignIn, Message: w.v.doing + ": npm has ended the website session",
		Hint: "sign in again: rot connect npm --via website"}
}

// during runs f with the browser open, keeps the session, and says what went
// wrong.
func (w *Web) during(ctx context.Context, doing string, f func(context.Context) error) error {
	if err := w.open(ctx); err != nil {
		return err
	}
	w.v.doing, w.v.changed = doing, false
	w.v.page.Note("* " + doing)
	err := f(ctx)
	tidy, cancel := context.WithTimeout(w.life, tidyTime)
	defer cancel()
	w.keep(tidy)
	signIn := w.v.begun[signInForm] > 0
	err = w.v.explain(ctx, tidy, err)
	var e *Error
	if errors.Is(err, ErrNeedsPerson) && signIn && errors.As(err, &e) && w.cfg.Display == nil {
		err = &Error{Kind: ErrNeedsSignIn, Message: e.Message, Hint: "sign in again: rot connect npm --via website"}
	}
	if errors.Is(err, browser.ErrFailed) || w.letGo { // a new one may do better
		w.shut()
	}
	return err
}

// open opens the browser where it is not open yet.
func (w *Web) open(ctx context.Context) error {
	if w.v != nil {
		return nil
	}
	if err := w.a.load(ctx); err != nil {
		return err
	}
	if w.c == nil {
		w.c = w.a.credentials()
	}
	log := w.a.cfg.Log
	b, life, end, err := outlasting(ctx, signingIn, log, func(life context.Context) (*browser.Browser, error) { return browser.Start(life, w.cfg.Browser) })
	switch {
	case err != nil && ctx.Err() == nil && w.cfg.Display != nil:
		return passCheck.unopened(err)
	case err != nil:
		return err
	}
	w.v, w.life, w.end = w.web.visit(b, w.c, log), life, end
	w.v.site, w.v.mayEnter = siteOf(w.site), w.mayEnter
	if w.cfg.Display != nil {
		w.v.person = w.byHand
	}
	w.sayWhose()
	if err := w.v.prepare(ctx); err != nil {
		w.shut()
		return err
	}
	return nil
}

// mayEnter is asked before the sign-in form is filled in.
func (w *Web) mayEnter() error {
	if w.c.Password.IsZero() && w.c.Ask == nil {
		return w.signedOut()
	}
	if w.a.cfg.MaySignIn != nil {
		if err := w.a.cfg.MaySignIn(); err != nil {
			return err
		}
	}
	w.a.tell("signing in", "signing in at "+w.host())
	return nil
}

func (w *Web) host() string {
	u, err := url.Parse(w.site)
	if err != nil {
		return w.site
	}
	return u.Host
}

// Close keeps the session and ends the browser. It may be called twice, and
// when nothing was opened.
func (w *Web) Close(context.Context) error {
	if w.v == nil {
		return nil
	}
	tidy, cancel := context.WithTimeout(w.life, tidyTime)
	defer cancel()
	w.keep(tidy)
	w.shut()
	return nil
}

func (w *Web) keep(ctx context.Context) {
	if !w.strange {
		w.v.keep(ctx)
	}
}

func (w *Web) shut() {
	w.end()
	w.v, w.letGo = nil, false
	w.sayWhose()
}

// page is the address of one of the account's pages.
func (w *Web) page(path string) string {
	name := w.a.username
	if name == "" {
		name = "~" // npm's word for whoever is signed in
	}
	return w.site + fmt.Sprintf(path, url.PathEscape(name))
}
