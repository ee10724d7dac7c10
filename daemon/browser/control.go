package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/runtime"

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
	ID         string // the id attribute
}

// String names the control for a person.
func (c Control) String() string {
	switch {
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
	return p.act(ctx, "click "+c.String(), c, func(ctx context.Context, e element) error {
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
	})
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

// element is a handle of an element of the page. It is good until forget or
// until the page changes.
type element = runtime.RemoteObjectID

// handles is the group in which Chromium keeps the handles for us.
const handles = "rotd"

// forget lets go of all handles.
func (p *Page) forget(ctx context.Context) {
	_, _ = cdp.Call(ctx, p.target, runtime.ReleaseObjectGroup, runtime.ReleaseObjectGroupParams{ObjectGroup: handles})
}

// find returns the control if it is on the page, visible, and only one fits.
func (p *Page) find(ctx context.Context, c Control) (element, error) {
	res, err := cdp.Call(ctx, p.target, runtime.Evaluate, runtime.EvaluateParams{Expression: "document", ObjectGroup: handles})
	if err != nil {
		return "", err
	}
	document := res.Result.ObjectID
	if c.Name != "" {
		found, err := p.byName(ctx, document, c)
		if err != nil || len(found) == 1 {
			return first(found), err
		}
		if len(found) > 1 {
			return "", &Error{Kind: ErrNoControl, Message: "there are several of it"}
		}
	}
	for _, by := range []struct{ attribute, value string }{{"name", c.Field}, {"id", c.ID}} {
		if by.value == "" {
			continue
		}
		e, err := p.byAttribute(ctx, document, by.attribute, by.value)
		if err != nil || e != "" {
			return e, err
		}
	}
	return "", &Error{Kind: ErrNoControl, Message: "it is not there"}
}

func first(found []element) element {
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

// byName asks the accessibility tree. Of several that fit, those remain that
// have the field name or the id too, if any has.
func (p *Page) byName(ctx context.Context, document element, c Control) ([]element, error) {
	res, err := cdp.Call(ctx, p.target, accessibility.QueryAXTree,
		accessibility.QueryAXTreeParams{ObjectID: document, Role: c.Role})
	if err != nil {
		return nil, err
	}
	var found, certain []element
	for _, n := range res.Nodes {
		if n.Ignored || n.Name == nil || !sameName(n.Name.Value, c.Name) {
			continue
		}
		r, err := cdp.Call(ctx, p.target, dom.ResolveNode,
			dom.ResolveNodeParams{BackendNodeID: n.BackendDOMNodeID, ObjectGroup: handles})
		if err != nil {
			return nil, err
		}
		var is struct{ Visible, Certain bool }
		if err := p.ask(ctx, r.Object.ObjectID, &is, `function(name, id) { return {
			visible: `+visible+`,
			certain: name !== "" && this.name === name || id !== "" && this.id === id,
		}}`, c.Field, c.ID); err != nil {
			return nil, err
		}
		if is.Visible {
			found = append(found, r.Object.ObjectID)
			if is.Certain {
				certain = append(certain, r.Object.ObjectID)
			}
		}
	}
	if len(found) > 1 && len(certain) > 0 {
		return certain, nil
	}
	return found, nil
}

// visible is true for an element that a person can see.
const visible = `this.checkVisibility({visibilityProperty: true}) && this.getClientRects().length > 0`

// sameName compares accessible names as a reader does.
func sameName(raw []byte, name string) bool {
	var got string
	if json.Unmarshal(raw, &got) != nil {
		return false
	}
	return strings.EqualFold(strings.Join(strings.Fields(got), " "), strings.Join(strings.Fields(name), " "))
}

// byAttribute returns the only visible element with the attribute, "" when
// there is none or more than one.
func (p *Page) byAttribute(ctx context.Context, document element, attribute, value string) (element, error) {
	res, err := p.call(ctx, document, false, `function(attribute, value) {
		const all = [...this.querySelectorAll("[" + attribute + "]")].filter(e =>
			e.getAttribute(attribute) === value && (function() { return `+visible+` }).call(e));
		return all.length === 1 ? all[0] : null;
	}`, attribute, value)
	if err != nil {
		return "", err
	}
	return res.ObjectID, nil
}

// ask calls a JavaScript function on the element and decodes what it returns.
func (p *Page) ask(ctx context.Context, e element, v any, function string, args ...any) error {
	res, err := p.call(ctx, e, true, function, args...)
	if err != nil {
		return err
	}
	return json.Unmarshal(res.Value, v)
}

func (p *Page) call(ctx context.Context, e element, byValue bool, function string, args ...any) (*runtime.RemoteObject, error) {
	params := runtime.CallFunctionOnParams{
		ObjectID: e, FunctionDeclaration: function, ReturnByValue: new(byValue), Silent: new(true)}
	if !byValue {
		params.ObjectGroup = handles
	}
	for _, arg := range args {
		raw, err := json.Marshal(arg)
		if err != nil {
			return nil, err
		}
		params.Arguments = append(params.Arguments, &runtime.CallArgument{Value: raw})
	}
	res, err := cdp.Call(ctx, p.target, runtime.CallFunctionOn, params)
	if err != nil {
		return nil, err
	}
	if res.ExceptionDetails != nil {
		return nil, errors.New("an exception in the page")
	}
	return res.Result, nil
}
