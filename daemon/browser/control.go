package browser

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"

	"rotd/ipc/secret"
)

// controlPatience is how long a control is waited for, that it be there, be
// enabled and lie still. Scripts that draw a page take a while.
const controlPatience = 5 * time.Second

// Control names a control of a page. It is looked for by what a person sees,
// then by its field name, then by its id; what is left empty is not looked for.
type Control struct {
	// Role and Name are those of the accessibility tree: "button" and its
	// text, "textbox" and its label. Case and runs of space do not matter.
	Role, Name string
	Field      string // the name attribute
	Value      string // with Field: the value attribute, of one radio button among several
	ID         string // the id attribute

	// Under is a title's text: of the controls that fit, the first behind the
	// title is meant. A heading's part of the page ends at the next one of its
	// rank.
	Under string
	// Row is what the control's row of a table or a list shows in a cell or a
	// link, or the last step of the link's address.
	Row string
	// Menu says that the control is what opens a menu (HTML's summary), whose
	// role and name change with what is chosen in it.
	Menu bool
}

// String names the control for a person.
func (c Control) String() string {
	switch {
	case c.Menu:
		return fmt.Sprintf("the menu %q", cmp.Or(c.Name, c.Under))
	case c.Name != "" && c.Under != "":
		return fmt.Sprintf("the %s %q of %q", c.Role, c.Name, c.Under)
	case c.Name != "":
		return fmt.Sprintf("the %s %q", c.Role, c.Name)
	case c.Field != "":
		return fmt.Sprintf("the field %q", c.Field)
	}
	return fmt.Sprintf("the element #%s", c.ID)
}

// Has reports whether the control is on the page now, once and visible.
func (p *Page) Has(ctx context.Context, c Control) (bool, error) {
	found, _, err := p.Enabled(ctx, c)
	return found, err
}

// Enabled reports whether the control is on the page now, as Has does, and
// whether it can be used.
func (p *Page) Enabled(ctx context.Context, c Control) (found, enabled bool, err error) {
	err = p.do(ctx, "look at "+c.String(), func(ctx context.Context) error {
		defer p.forget(ctx)
		e, err := p.find(ctx, c)
		if err == nil {
			found = true
			err = p.ask(ctx, e, &enabled, isEnabled)
		}
		if errors.Is(err, ErrNoControl) || passing(err) {
			found = false
			return nil
		}
		return err
	})
	return found, enabled, err
}

// isEnabled is true for a control that takes input.
const isEnabled = `function() { return !this.disabled && this.getAttribute("aria-disabled") !== "true" }`

// Fill types v into the control, key by key, in place of what it holds, and
// reads it back. A control that is not there, or does not take what is typed,
// is an *Error of kind ErrNoControl; no error holds v.
func (p *Page) Fill(ctx context.Context, c Control, v secret.Text) error {
	what := "fill in " + c.String()
	if strings.ContainsFunc(v.Reveal(), unicode.IsControl) {
		return fmt.Errorf("%s: the value holds a character that cannot be typed", what)
	}
	p.Note(what)
	return p.act(ctx, what, c, func(ctx context.Context, e element) error {
		var state struct{ Usable, Empty bool }
		if err := p.ask(ctx, e, &state, `function() {
			this.scrollIntoView({block: "center", behavior: "instant"}); this.focus(); if (this.value) this.select();
			return {usable: !this.disabled && !this.readOnly && document.activeElement === this, empty: !this.value}
		}`); err != nil {
			return err
		}
		if !state.Usable {
			return notYet("it takes no input")
		}
		if !state.Empty {
			if err := p.press(ctx, "\b"); err != nil {
				return err
			}
		}
		if err := p.press(ctx, v.Reveal()); err != nil {
			return err
		}
		var got string
		if err := p.ask(ctx, e, &got, `function() { return this.value }`); err != nil {
			return err
		}
		if !secret.New(got).Equal(v) {
			return notYet("it does not hold what was typed")
		}
		return nil
	})
}

// Click clicks the control with the pointer, once it is enabled, lies still
// and is covered by nothing. A control that is not there is an *Error of kind
// ErrNoControl. It does not wait for what the click brings about.
func (p *Page) Click(ctx context.Context, c Control) error {
	what := "click " + c.String()
	p.Note(what)
	return p.act(ctx, what, c, p.click)
}

func (p *Page) click(ctx context.Context, e element) error {
	var enabled bool
	if err := p.ask(ctx, e, &enabled, isEnabled); err != nil {
		return err
	}
	if !enabled {
		return notYet("it is disabled")
	}
	if _, err := cdp.Call(ctx, p.target, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{ObjectID: e}); err != nil {
		return err
	}
	x, y, err := p.centre(ctx, e)
	if err != nil {
		return err
	}
	var free bool
	if err := p.ask(ctx, e, &free, `function(x, y) {
		const top = document.elementFromPoint(x, y);
		return !!top && (this.contains(top) || top.closest("label")?.control === this)
	}`, x, y); err != nil {
		return err
	}
	if !free {
		return notYet("something covers it")
	}
	if x2, y2, err := p.centre(ctx, e); err != nil || x != x2 || y != y2 {
		return notYet("it moves")
	}
	return p.clickAt(ctx, x, y)
}

// notYet is why a control cannot be used at this moment.
type notYet string

func (e notYet) Error() string { return string(e) }

// act finds the control and runs f on it, again and again while it is not
// there or not ready, for as long as the page's patience.
func (p *Page) act(ctx context.Context, what string, c Control, f func(ctx context.Context, e element) error) error {
	return p.do(ctx, what, func(ctx context.Context) error {
		defer p.forget(ctx)
		deadline := time.Now().Add(p.patience)
		for {
			e, err := p.find(ctx, c)
			if err == nil {
				err = f(ctx, e)
			}
			var wait notYet
			switch {
			case err == nil:
				return nil
			case !errors.As(err, &wait) && !errors.Is(err, ErrNoControl) && !passing(err):
				return err
			case time.Now().After(deadline):
				return &Error{Kind: ErrNoControl, Message: fmt.Sprintf("%s: %v", what, err)}
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(tick):
			}
		}
	})
}
