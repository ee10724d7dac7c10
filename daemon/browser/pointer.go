package browser

import (
	"context"
	"errors"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// releasePatience is how long the release of the button may take: it returns
// when the page has dealt with the click, and a page that goes away may never
// say so.
const releasePatience = 2 * time.Second

// press types text: a key down, a character and a key up for each rune.
func (p *Page) press(ctx context.Context, text string) error {
	_, err := chromedp.KeyEvent(text)(ctx, p.target)
	return err
}

// centre is the middle of an element, in the coordinates of the pointer.
func (p *Page) centre(ctx context.Context, e element) (x, y float64, err error) {
	res, err := cdp.Call(ctx, p.target, dom.GetContentQuads, dom.GetContentQuadsParams{ObjectID: e})
	if err != nil {
		return 0, 0, err
	}
	if len(res.Quads) == 0 || len(res.Quads[0]) != 8 {
		return 0, 0, notYet("it has no place on the page")
	}
	q := res.Quads[0]
	return (q[0] + q[2] + q[4] + q[6]) / 4, (q[1] + q[3] + q[5] + q[7]) / 4, nil
}

// clickAt moves the pointer and clicks. Once the button is down, nothing is
// worth a second try: the click counts as made.
func (p *Page) clickAt(ctx context.Context, x, y float64) error {
	mouse := input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMouseMoved, X: x, Y: y}
	if _, err := cdp.Call(ctx, p.target, input.DispatchMouseEvent, mouse); err != nil {
		return err
	}
	mouse.Type, mouse.Button, mouse.ClickCount = input.DispatchMouseEventTypeMousePressed, input.MouseButtonLeft, 1
	if _, err := cdp.Call(ctx, p.target, input.DispatchMouseEvent, mouse); err != nil {
		return err
	}
	mouse.Type = input.DispatchMouseEventTypeMouseReleased
	patient, cancel := context.WithTimeout(ctx, releasePatience)
	defer cancel()
	_, err := cdp.Call(patient, p.target, input.DispatchMouseEvent, mouse)
	if passing(err) || errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil
	}
	return err
}
