package browser

import (
	"context"
	"errors"
	"time"

	"github.com/chromedp/cdproto/page"
)

// tickPatience is how long a tick box may take to change after a click.
const tickPatience = 500 * time.Millisecond

// isOn is true for what is ticked or chosen.
const isOn = `function() { return this.checked ?? this.getAttribute("aria-checked") === "true" }`

// Tick brings a tick box or a radio button to a state by clicking it, and reads
// it back. Where a click on it changes nothing, its label is clicked, as some
// are drawn in place of their box. One that does not change is an *Error of
// kind ErrNoControl.
func (p *Page) Tick(ctx context.Context, c Control, on bool) error {
	what := "tick " + c.String()
	if !on {
		what = "clear " + c.String()
	}
	p.Note(what)
	return p.act(ctx, what, c, func(ctx context.Context, e element) error {
		is, err := p.becomes(ctx, e, on, 0)
		if err != nil || is {
			return err
		}
		if err := p.click(ctx, e); err != nil && !errors.As(err, new(notYet)) {
			return err
		}
		if is, err = p.becomes(ctx, e, on, tickPatience); err != nil || is {
			return err
		}
		label, err := p.call(ctx, e, false, `function() { return this.labels?.[0] ?? null }`)
		if err != nil {
			return err
		}
		if label.ObjectID == "" {
			return notYet("it does not change")
		}
		if err := p.click(ctx, label.ObjectID); err != nil {
			return err
		}
		if is, err = p.becomes(ctx, e, on, tickPatience); err == nil && !is {
			return notYet("it does not change")
		}
		return err
	})
}

// becomes waits for a state of a tick box.
func (p *Page) becomes(ctx context.Context, e element, on bool, within time.Duration) (bool, error) {
	for deadline := time.Now().Add(within); ; {
		var is bool
		if err := p.ask(ctx, e, &is, isOn); err != nil || is == on || !time.Now().Before(deadline) {
			return is == on && err == nil, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(tick):
		}
	}
}

// SetDate puts a date, "2026-12-24", into a date field and reads it back. It is
// not typed: which keys make a date depends on the browser's language.
func (p *Page) SetDate(ctx context.Context, c Control, date string) error {
	what := "set " + c.String()
	p.Note(what)
	return p.act(ctx, what, c, func(ctx context.Context, e element) error {
		var got string
		if err := p.ask(ctx, e, &got, `function(date) {
			this.focus();
			Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(this, date);
			this.dispatchEvent(new Event("input", {bubbles: true}));
			this.dispatchEvent(new Event("change", {bubbles: true}));
			return this.value;
		}`, date); err != nil {
			return err
		}
		if got != date {
			return notYet("it does not take the date")
		}
		return nil
	})
}

// State is what a control shows.
type State struct {
	Value string // what a field holds
	Text  string // what there is to read, or its spoken label
	On    bool   // ticked, chosen
}

// State reads the control, waiting for it to be there.
func (p *Page) State(ctx context.Context, c Control) (State, error) {
	var s State
	err := p.act(ctx, "read "+c.String(), c, func(ctx context.Context, e element) error {
		return p.ask(ctx, e, &s, `function() { return {
			value: String(this.value ?? ""),
			text: (this.innerText || this.getAttribute("aria-label") || "").replace(/\s+/g, " ").trim(),
			on: (`+isOn+`).call(this),
		}}`)
	})
	return s, err
}

// Agree has the next question of the browser's own (confirm) answered with yes
// if expected says so of its text. Any other is answered with no, as all are
// after Agree(nil). Expected must not block.
func (p *Page) Agree(expected func(question string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.agreeTo = expected
}

// agrees says how to answer a dialog. One that would hold up the way to another
// page is always let pass.
func (p *Page) agrees(ev *page.EventJavascriptDialogOpening) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ev.Type != page.DialogTypeConfirm {
		return ev.Type == page.DialogTypeBeforeunload
	}
	if p.agreeTo == nil || !p.agreeTo(ev.Message) {
		return false
	}
	p.agreeTo = nil
	return true
}
