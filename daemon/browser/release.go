package browser

import (
	"context"
	"errors"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// attachWindow starts the browser behind ctx and takes a tab in its window, in a
// way that lets go of it again. The tab is a new one: what is typed in the one
// that the browser begins with goes to the address bar.
func (p *Page) attachWindow(ctx context.Context) error {
	if err := p.b.denyDownloads(ctx); err != nil {
		return err
	}
	context.AfterFunc(ctx, p.die)
	var err error
	if p.tab, err = p.b.freshTab(ctx, "data:text/html,"); err != nil {
		return err
	}
	return p.reattach(ctx)
}

// freshTab makes a tab for the address and closes the others.
func (b *Browser) freshTab(ctx context.Context, address string) (target.ID, error) {
	old, err := b.tabs(ctx)
	if err != nil {
		return "", err
	}
	made, err := cdp.Call(ctx, b.chromium(), target.CreateTarget, target.CreateTargetParams{URL: address})
	if err != nil {
		return "", err
	}
	for _, t := range old {
		if _, err := cdp.Call(ctx, b.chromium(), target.CloseTarget, target.CloseTargetParams{TargetID: t.TargetID}); err != nil {
			return "", err
		}
	}
	return made.TargetID, nil
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

// Glimpse looks at the tab without being attached to it. open is false when the
// person has closed it, or the browser.
func (p *Page) Glimpse(ctx context.Context) (t Tab, open bool, err error) {
	infos, err := p.b.tabs(ctx)
	switch {
	case ctx.Err() != nil:
		return Tab{}, false, ctx.Err()
	case err != nil && !passing(err):
		return Tab{}, false, nil
	}
	for _, t := range asTabs(infos) {
		if t.ID == string(p.tab) {
			return t, true, nil
		}
	}
	return Tab{}, false, nil
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
