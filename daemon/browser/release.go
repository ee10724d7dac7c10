package browser

import (
	"context"
	"errors"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// attachWindow starts the browser behind ctx and takes its window's tab in a
// way that lets go of it again.
func (p *Page) attachWindow(ctx context.Context) error {
	if err := p.b.denyDownloads(ctx); err != nil {
		return err
	}
	context.AfterFunc(ctx, p.die)
	for {
		tabs, err := p.b.tabs(ctx)
		if err != nil {
			return err
		}
		if len(tabs) > 0 {
			p.tab = tabs[0].TargetID
			return p.reattach(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(tick):
		}
	}
}

func (p *Page) reattach(ctx context.Context) error {
	tab, letGo := chromedp.NewContext(p.b.ctx,
		chromedp.WithTargetID(p.tab), chromedp.WithDetachOnCancel(), chromedp.WithListener(p.observe))
	stop := context.AfterFunc(ctx, letGo)
	err := p.take(tab)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		letGo()
		return err
	}
	p.letGo = letGo
	return nil
}

// Release lets go of the tab of a visible browser: until Attach nothing is
// attached to it, so that what a person types there does not pass through us.
// Of the Page's methods only Glimpse, Attach and Note may be called meanwhile.
func (p *Page) Release() error {
	if p.letGo == nil {
		return errors.New("let go of a page: it is in no window, or was let go of")
	}
	p.letGo()
	p.letGo = nil
	p.authenticator = ""
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.requests)
	p.answer = Answer{N: p.answer.N} // what comes now, nobody hears
	return nil
}

// Attach takes the tab again after Release. Its security key is gone, and the
// last answer is not known.
func (p *Page) Attach(ctx context.Context) error {
	return p.b.failure(ctx, p.alive, "take the page back", p.reattach(ctx))
}

// Glimpse is the tab's address and title, without being attached to it. open is
// false when the person has closed it, or the browser.
func (p *Page) Glimpse(ctx context.Context) (address, title string, open bool, err error) {
	tabs, err := p.b.tabs(ctx)
	switch {
	case ctx.Err() != nil:
		return "", "", false, ctx.Err()
	case err != nil && !passing(err):
		return "", "", false, nil
	}
	for _, t := range tabs {
		if t.TargetID == p.tab {
			return t.URL, t.Title, true, nil
		}
	}
	return "", "", false, nil
}

// tabs lists them without attaching to any.
func (b *Browser) tabs(ctx context.Context) ([]*target.Info, error) {
	res, err := cdp.Call(ctx, b.chromium(), target.GetTargets,
		target.GetTargetsParams{Filter: target.Filter{{Type: "page"}}})
	if err != nil {
		return nil, err
	}
	return res.TargetInfos, nil
}

func (b *Browser) chromium() *chromedp.Browser { return chromedp.FromContext(b.ctx).Browser }
