package npm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"rotd/daemon/browser"
	"rotd/ipc/secret"
	"rotd/store"
)

// WindowTime is how long a person gets in a window.
const WindowTime = 10 * time.Minute

// Window has a person pass pages of npm's site, in an ordinary browser window
// with the passcard's website session. It enters nothing and sees nothing of
// what is entered: that the check was passed, the registry tells.
type Window struct {
	Browser browser.Config // its Display names the person's
	Keep    Keeper         // nil: every window begins signed out
	Log     *slog.Logger   // nil: none
	// Gone is closed when whoever asked for the window has left; may be nil.
	Gone <-chan struct{}
	Tell func(name, text string) // told that it is open; may be nil
	Time time.Duration           // 0: WindowTime
}

var _ Pages = (*Window)(nil)

// driven is logged where a person was not alone with npm's page.
const driven = "something else was attached to the page of the window, and could see what was typed"

var (
	// errPassed ends the context of a page whose outcome has come.
	errPassed = errors.New("the page was passed")
	// errClosed: the person has closed the window, having passed the page or
	// not. The registry knows.
	errClosed = fmt.Errorf("%w: the window was closed", ErrNeedsPerson)
)

// errand is what a person is asked to do in a window, in the words of it.
type errand struct {
	doing   string // "sign in"
	told    string // said when the window is open
	undone  string // when the time is up: "nobody …"
	before  string // when the window is closed: before …
	outcome string // of both
	again   string // what to do next time
}

var passCheck = errand{
	doing: passing, told: "pass npm's check in the browser window; it closes by itself",
	undone: "nobody passed the check", before: "the check was passed",
	outcome: "nothing was changed", again: "pass the check in the window; it closes by itself",
}

// Pass shows url until ctx ends, which it does when the page's outcome has
// come; the session is kept then. It returns an *Error of the kind
// ErrNeedsPerson when the window cannot be opened (then it wraps the
// *browser.Error, too) or is closed, when nobody does anything in its time, or
// when whoever asked for it has left. c is not used.
func (w *Window) Pass(ctx context.Context, url string, _ *Credentials) error {
	return w.open(ctx, passCheck, url, func(ctx context.Context, win *browser.Window) (bool, error) {
		return false, win.Wait(ctx)
	})
}

// open shows url to the person until watch is satisfied, or ctx ends because the
// outcome has come otherwise; the session is kept then. watch ends with its
// context; false and no error says that the window was closed.
func (w *Window) open(ctx context.Context, e errand, url string, watch func(context.Context, *browser.Window) (bool, error)) error {
	log := w.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	win, life, end, err := outlasting(ctx, e.doing, log, func(life context.Context) (*browser.Window, error) { return browser.OpenWindow(life, w.Browser) })
	switch {
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		return e.unopened(err)
	}
	defer end()
	w.restore(ctx, win, log)
	if err := win.Show(ctx, url); err != nil {
		return e.unopened(err)
	}
	if w.Tell != nil {
		w.Tell("window", e.told)
	}
	err = w.wait(ctx, e, func(ctx context.Context) (bool, error) { return watch(ctx, win) })
	if win.Driven() {
		log.Warn(driven)
	}
	if err == nil || errors.Is(context.Cause(ctx), errPassed) {
		tidy, cancel := context.WithTimeout(life, tidyTime)
		defer cancel()
		w.keep(tidy, win, log)
	}
	return err
}

// unopened says that the person has seen no window: the check still waits.
func (e errand) unopened(err error) error {
	return &Error{Kind: fmt.Errorf("%w: %w", ErrNeedsPerson, err), Message: e.doing + ": no window could be opened: " + err.Error(),
		Hint: "see that DISPLAY names a display of yours, or go without a window: --terminal"}
}

// failed says why the person has not done it.
func (e errand) failed(kind error, why, hint string) *Error {
	return &Error{Kind: kind, Message: e.doing + ": " + why + "; " + e.outcome, Hint: "run the command again " + hint}
}

// wait waits for what ends the window.
func (w *Window) wait(ctx context.Context, e errand, watch func(context.Context) (bool, error)) error {
	most := cmp.Or(w.Time, WindowTime)
	late := e.failed(ErrNeedsPerson, fmt.Sprintf("%s within %s", e.undone, most), "when there is time for it")
	gone := e.failed(ErrNeedsPerson, "the command that asked for it was ended", "and "+e.again)
	open, end := context.WithCancelCause(ctx)
	defer end(nil)
	timer := time.AfterFunc(most, func() { end(late) })
	defer timer.Stop()
	left := w.Gone
	go func() {
		select {
		case <-left:
			end(gone)
		case <-open.Done():
		}
	}()
	done, err := watch(open)
	var why *Error
	switch cause := context.Cause(open); {
	case done:
		return nil
	case err == nil:
		return e.failed(errClosed, "the window was closed before "+e.before, "and "+e.again)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", e.doing, ctx.Err())
	case errors.As(cause, &why):
		return why
	}
	return err
}

// restore puts the session of the last visit into the window. One that cannot
// be used costs a sign-in, no more.
func (w *Window) restore(ctx context.Context, win *browser.Window, log *slog.Logger) {
	if w.Keep == nil {
		return
	}
	session, err := w.Keep.Secret(ctx, store.KindCookies)
	if err == nil && !session.IsZero() {
		err = win.SetCookies(ctx, []byte(session.Reveal()))
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		log.Warn("the website session was not restored", "err", err)
	}
}

// keep seals the session.
func (w *Window) keep(ctx context.Context, win *browser.Window, log *slog.Logger) {
	if w.Keep == nil {
		return
	}
	session, err := win.Cookies(ctx)
	if err == nil {
		err = w.Keep.PutSecret(ctx, store.KindCookies, secret.New(string(session)))
	}
	if err != nil {
		log.Warn("the website session was not kept", "err", err)
	}
}
