package browser

import (
	"context"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chromedp/cdproto/target"
)

// windowTick is how often a window is looked for.
const windowTick = 250 * time.Millisecond

// Window is an ordinary browser window, which a person uses. Nothing is
// attached to its pages, save by Attach: over the pipe only the browser itself
// is asked, for its cookies and for the list of its tabs, and what is typed
// never passes through us. It ends like a Browser, by Close.
type Window struct {
	b      *Browser
	ours   atomic.Int32 // tabs that Attach has not let go of
	driven atomic.Bool
}

// OpenWindow opens an empty window on the display that c names. The errors are
// Start's.
func OpenWindow(ctx context.Context, c Config) (*Window, error) {
	c.Visible = true
	b, err := launch(ctx, c, func(b *Browser) error {
		b.connect()
		return b.denyDownloads(b.ctx)
	})
	if err != nil {
		return nil, err
	}
	return &Window{b: b}, nil
}

// SetCookies is Browser.SetCookies; call it before Show.
func (w *Window) SetCookies(ctx context.Context, session []byte) error {
	return w.b.SetCookies(ctx, session)
}

// Cookies is Browser.Cookies.
func (w *Window) Cookies(ctx context.Context) ([]byte, error) { return w.b.Cookies(ctx) }

// Show opens an address, in place of what the window shows, and does not wait
// for the page. It makes a tab for it: to navigate one, it would have to be
// attached to.
func (w *Window) Show(ctx context.Context, address string) error {
	_, err := w.b.freshTab(ctx, address)
	return w.b.failure(ctx, w.b.ctx, "open a page in a window", err)
}

// Wait returns nil when the window has been closed or the browser has ended,
// and otherwise at the end of ctx with its error.
func (w *Window) Wait(ctx context.Context) error {
	_, err := w.Watch(ctx, func([]Tab) bool { return false })
	return err
}

// Watch is Wait that shows its tabs to enough, several times a second, and ends
// with true when that has seen enough.
func (w *Window) Watch(ctx context.Context, enough func([]Tab) bool) (seen bool, err error) {
	tick := time.NewTicker(windowTick)
	defer tick.Stop()
	for {
		infos, err := w.tabs(ctx)
		if w.ours.Load() == 0 && slices.ContainsFunc(infos, func(t *target.Info) bool { return t.Attached }) {
			w.driven.Store(true)
		}
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case err == nil && len(infos) == 0, err != nil && !passing(err):
			return false, nil
		case err == nil && enough(asTabs(infos)):
			return true, nil
		}
		select {
		case <-ctx.Done():
		case <-w.b.ctx.Done():
		case <-tick.C:
		}
	}
}

// Driven reports whether Wait or Watch has seen something attached to a tab,
// beside Attach: what drives or inspects a page sees what is typed there.
func (w *Window) Driven() bool { return w.driven.Load() }

// Tab is what the browser says of a tab of a window.
type Tab struct {
	ID, URL, Title string
	Attached       bool // to us, or to whatever else drives or inspects it
}

// Tabs lists the window's tabs, without attaching to any; none of them is left
// when the person has closed it.
func (w *Window) Tabs(ctx context.Context) ([]Tab, error) {
	infos, err := w.tabs(ctx)
	if err != nil {
		return nil, w.b.failure(ctx, w.b.ctx, "list the tabs of a window", err)
	}
	return asTabs(infos), nil
}

func asTabs(infos []*target.Info) []Tab {
	all := make([]Tab, 0, len(infos))
	for _, t := range infos {
		all = append(all, Tab{string(t.TargetID), t.URL, t.Title, t.Attached})
	}
	return all
}

// Attach attaches to a tab until letGo is called, which leaves the tab as it is
// and takes away what was added to it, a security key for one. The page stays
// the person's: its dialogs are his to answer.
func (w *Window) Attach(ctx context.Context, t Tab) (_ *Page, letGo func(), err error) {
	p := &Page{b: w.b, tab: target.ID(t.ID), patience: controlPatience, persons: true}
	if u, err := url.Parse(t.URL); err == nil {
		p.host = u.Host
	}
	p.alive, p.die = context.WithCancel(w.b.life)
	if err = p.reattach(ctx); err != nil {
		err = w.b.failure(ctx, p.alive, "attach to a tab of a window", err)
		p.die()
		return nil, nil, err
	}
	w.ours.Add(1)
	return p, sync.OnceFunc(func() { p.die(); p.letGo(); w.ours.Add(-1) }), nil
}

// tabs lists them without attaching to any.
func (w *Window) tabs(ctx context.Context) ([]*target.Info, error) {
	return w.b.tabs(ctx)
}

// Close is Browser.Close.
func (w *Window) Close() error { return w.b.Close() }
