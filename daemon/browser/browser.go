// Package browser drives one Chromium process and its one tab, or shows a
// person a window that nobody drives.
//
// It promises: the browser is reached over its pipe and listens on nothing; it
// gets no environment but the few variables it needs, and no secret on its
// command line; its profile is a private directory made for this run, filled
// by SetCookies, read by Cookies and removed by Close; Close leaves no process
// behind, and neither does the death of the daemon. A control of a page is
// found by what a person sees, its role and name, before anything else, and
// what is typed is read back.
//
// It knows nothing of npm. It does not hide that it is driven, and it does not
// pass checks that are meant for a person. chromedp appears in none of its
// exported names: that API changes from release to release.
//
// A Browser and its Page are for one goroutine at a time, except Close, which
// may be called from another one and ends what is going on.
package browser

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

// The kinds of failure that a caller decides by.
var (
	ErrNotFound    = errors.New("no browser")
	ErrRootSandbox = errors.New("the browser's sandbox does not work as root")
	ErrFailed      = errors.New("the browser failed")    // did not start, or ended
	ErrLoad        = errors.New("the page did not load") // the server is not there
	ErrNoControl   = errors.New("no such control on the page")
	ErrPasskey     = errors.New("not a passkey")
)

// Error is what went wrong, in words for a person. It holds nothing that was
// typed into a page or read from it.
type Error struct {
	Kind    error // one of the kinds above
	Message string
	Hint    string // what to do now; may be empty
}

func (e *Error) Error() string { return e.Message }

// Unwrap makes errors.Is find the kind.
func (e *Error) Unwrap() error { return e.Kind }

// startPatience bounds the time from the start of the process to a tab that
// answers. A cold start takes 1.5 s on a slow machine.
const startPatience = 30 * time.Second

var errLate = errors.New("the browser does not answer")

// Config says which browser to start, and how.
type Config struct {
	Exec      string // the program; empty: Find's
	NoSandbox bool   // without Chromium's own sandbox: the only way as root
	Dir       string // where profiles are made; ours alone
	Visible   bool   // a window, on the display that Display or Env names
	// Env is the environment to choose the browser's few variables from; nil:
	// this process's.
	Env []string
	// Display are the variables, "DISPLAY=:0", that name the display; nil: Env's.
	Display []string
	Log     *slog.Logger // nil: none
}

// Browser is one running Chromium.
type Browser struct {
	log     *slog.Logger
	profile *profile
	page    *Page // nil in a Window

	opts    []chromedp.ExecAllocatorOption
	ctx     context.Context // chromedp's; ends with the browser
	life    context.Context // ends when Close or the caller of Start says so
	kill    context.CancelCauseFunc
	release []context.CancelFunc // each waits for a part of chromedp to end

	closing  sync.Once
	closeErr error
}

// Start starts a browser and waits until its tab answers. The browser ends
// with ctx; Close must be called all the same. Errors are of the kinds
// ErrNotFound, ErrRootSandbox and ErrFailed, or wrap the end of ctx.
func Start(ctx context.Context, c Config) (*Browser, error) {
	return launch(ctx, c, func(b *Browser) error {
		b.page = &Page{b: b, patience: controlPatience}
		b.page.alive, b.page.die = context.WithCancel(b.life)
		b.release = append(b.release, b.page.die)
		if c.Visible {
			b.connect()
			return b.page.attachWindow(b.ctx)
		}
		b.connect(chromedp.WithListener(b.page.observe))
		return b.page.attach(b.ctx)
	})
}

func (b *Browser) denyDownloads(ctx context.Context) error {
	_, err := chromedp.CallBrowser(ctx, browser.SetDownloadBehavior,
		browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorDeny})
	return err
}

// launch makes a profile for a browser and starts it; begin is what to do
// until it can be used, and calls connect.
func launch(ctx context.Context, c Config, begin func(*Browser) error) (*Browser, error) {
	if err := checkRoot(c.NoSandbox); err != nil {
		return nil, err
	}
	env := c.Env
	if env == nil {
		env = os.Environ()
	}
	path, err := Find(c.Exec, lookup(env))
	if err != nil {
		return nil, err
	}
	p, err := newProfile(c.Dir)
	if err != nil {
		return nil, failed(err.Error())
	}
	b := &Browser{log: c.Log, profile: p}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.life, b.kill = context.WithCancelCause(ctx)
	b.opts = append(flags(c, p.dir), chromedp.NoInheritEnv, chromedp.Env(environment(c, env, p)...),
		chromedp.ExecPath(path), chromedp.ModifyCmdFunc(ownGroup))
	if err := b.start(path, begin); err != nil {
		cerr := ctx.Err() // before Close, which ends everything
		_ = b.Close()
		if cerr != nil {
			return nil, fmt.Errorf("start the browser: %w", cerr)
		}
		return nil, err
	}
	return b, nil
}

// connect makes chromedp's context; the first use of it starts the process.
func (b *Browser) connect(opts ...chromedp.ContextOption) {
	actx, endAlloc := chromedp.NewExecAllocator(b.life, b.opts...)
	// What chromedp logs may quote messages of the browser, and with them what
	// stands on a page: only its own words are kept.
	note := func(format string, _ ...any) { b.log.Debug("chromedp", "message", format) }
	ctx, endContext := chromedp.NewContext(actx, append(opts, chromedp.WithLogf(note), chromedp.WithErrorf(note))...)
	b.ctx, b.release = ctx, append([]context.CancelFunc{endContext, endAlloc}, b.release...)
}

func (b *Browser) start(path string, begin func(*Browser) error) error {
	began := time.Now()
	timer := time.AfterFunc(startPatience, func() { b.kill(errLate) })
	defer timer.Stop()
	err := begin(b)
	switch {
	case err == nil:
		b.log.Debug("browser started", "path", path, "took", time.Since(began))
		return nil
	case errors.Is(context.Cause(b.life), errLate):
		return failed(fmt.Sprintf("%s did not answer within %s", path, startPatience))
	}
	return failed(fmt.Sprintf("%s did not start: %s", path, reason(err)))
}

// Page is the browser's tab.
func (b *Browser) Page() *Page { return b.page }

// Close ends the browser, waits until its process is gone and removes the
// profile. It may be called twice. The error is about the profile.
func (b *Browser) Close() error {
	b.closing.Do(func() {
		// Nothing in the profile is worth an orderly end.
		b.kill(context.Canceled)
		for _, end := range b.release {
			end()
		}
		if err := b.profile.remove(); err != nil {
			b.closeErr = fmt.Errorf("remove the browser's profile: %w", err)
		}
	})
	return b.closeErr
}

// failure turns what a call on the browser came back with into an error for
// the caller: the end of its context, of the browser, or of alive, or err.
func (b *Browser) failure(ctx, alive context.Context, what string, err error) error {
	var known *Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, ctx.Err())
	case b.life.Err() != nil:
		return failed(what + ": the browser was closed")
	case alive.Err() != nil, errors.Is(err, context.Canceled), errors.Is(err, chromedp.ErrTargetDetached):
		return failed(what + ": the browser ended unexpectedly")
	case errors.As(err, &known):
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

func failed(message string) *Error {
	return &Error{Kind: ErrFailed, Message: message,
		Hint: "try again; if it stays so, start the browser by hand, or name another one: rotd run --browser PATH"}
}

// reason picks the line of a failed start that tells why: chromedp's error
// holds all that the browser printed.
func reason(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	why := lines[len(lines)-1]
	for _, line := range lines {
		if strings.Contains(line, ":FATAL:") || strings.Contains(line, "$DISPLAY") {
			why = line
		}
	}
	if r := []rune(why); len(r) > 300 {
		why = string(r[:300]) + "…"
	}
	return strings.TrimSpace(why)
}

func lookup(env []string) func(string) string {
	return func(name string) string {
		for i := len(env) - 1; i >= 0; i-- {
			if v, ok := strings.CutPrefix(env[i], name+"="); ok {
				return v
			}
		}
		return ""
	}
}

// killGroup ends the browser and every child of it.
func killGroup(cmd *exec.Cmd) error {
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		return cmd.Process.Kill()
	}
	return nil
}
