package browser

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/runtime"
)

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
	if !c.Menu && (c.Name != "" || c.Role != "" && c.Row != "") {
		named, err := p.named(ctx, document, c)
		if err != nil {
			return "", err
		}
		e, several, err := p.choose(ctx, document, c, "given", named...)
		if err != nil || e != "" {
			return e, err
		}
		if several {
			return "", &Error{Kind: ErrNoControl, Message: "there are several of it"}
		}
	}
	for _, by := range []struct {
		how  string
		want bool
	}{{"menu", c.Menu}, {"name", c.Field != ""}, {"id", c.ID != ""}} {
		if !by.want {
			continue
		}
		if e, _, err := p.choose(ctx, document, c, by.how); err != nil || e != "" {
			return e, err
		}
	}
	return "", &Error{Kind: ErrNoControl, Message: "it is not there"}
}

// named asks the accessibility tree for what has the control's role and, where
// it has one, its name.
func (p *Page) named(ctx context.Context, document element, c Control) ([]element, error) {
	res, err := cdp.Call(ctx, p.target, accessibility.QueryAXTree,
		accessibility.QueryAXTreeParams{ObjectID: document, Role: c.Role})
	if err != nil {
		return nil, err
	}
	var found []element
	for _, n := range res.Nodes {
		if n.Ignored || c.Name != "" && (n.Name == nil || !sameName(n.Name.Value, c.Name)) {
			continue
		}
		r, err := cdp.Call(ctx, p.target, dom.ResolveNode,
			dom.ResolveNodeParams{BackendNodeID: n.BackendDOMNodeID, ObjectGroup: handles})
		if err != nil {
			return nil, err
		}
		found = append(found, r.Object.ObjectID)
	}
	return found, nil
}

// choose returns the one element that a person can see and that stands where
// the control does, out of those given or of all that have its attribute. Of
// several, those remain that have the field name or the id too, if any has.
func (p *Page) choose(ctx context.Context, document element, c Control, how string, given ...element) (e element, several bool, err error) {
	args := []any{how, map[string]string{"field": c.Field, "value": c.Value, "id": c.ID,
		"name": words(c.Name), "under": words(c.Under), "row": words(c.Row)}}
	for _, g := range given {
		args = append(args, g)
	}
	res, err := p.call(ctx, document, false, choice, args...)
	if err != nil {
		return "", false, err
	}
	return res.ObjectID, string(res.Value) == "true", nil
}

// choice is the script of choose. It returns the element, true for several, or
// null.
const choice = `function(how, c, ...given) {
	const words = s => (s || "").replace(/\s+/g, " ").trim().toLowerCase();
	const seen = function() { return ` + visible + ` };
	const has = {
		name: e => e.getAttribute("name") === c.field && (c.value === "" || e.value === c.value),
		id: e => e.id === c.id,
		menu: e => c.name === "" || words(e.innerText) === c.name || words(e.getAttribute("aria-label")) === c.name,
	};
	let all = how === "given" ? given : how === "menu" ? [...this.querySelectorAll("summary")].filter(has.menu)
		: [...this.querySelectorAll("[" + how + "]")].filter(has[how]);
	all = all.filter(e => seen.call(e));
	if (c.row !== "") all = all.filter(e => {
		const row = e.closest("tr, li, [role=row], [role=listitem]");
		return row && [...row.querySelectorAll("*")].some(x => words(x.innerText) === c.row
			|| words(x.getAttribute("href")).split("/").pop() === c.row);
	});
	if (c.under !== "") {
		const title = [...this.querySelectorAll("*")].find(e => words(e.innerText) === c.under && seen.call(e)
			&& !e.closest("a, button, summary, nav, [role=menu]") && ![...e.children].some(x => words(x.innerText) === c.under));
		const after = (a, b) => a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING;
		const next = title && [...this.querySelectorAll("h1, h2, h3, h4, h5, h6")].find(e => e.tagName === title.tagName && after(title, e) && seen.call(e));
		all = all.filter(e => title && after(title, e) && !(next && after(next, e)));
		all = all.filter(e => all.every(x => x === e || after(e, x)));
	}
	const certain = all.filter(e => c.field !== "" && has.name(e) || c.id !== "" && has.id(e));
	if (how === "given" && all.length > 1 && certain.length > 0) all = certain;
	return all.length > 1 ? true : all[0] ?? null;
}`

// visible is true for an element that a person can see.
const visible = `this.checkVisibility({visibilityProperty: true}) && this.getClientRects().length > 0`

// words is a text as a reader compares it.
func words(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

func sameName(raw []byte, name string) bool {
	var got string
	return json.Unmarshal(raw, &got) == nil && words(got) == words(name)
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
		if e, ok := arg.(element); ok {
			params.Arguments = append(params.Arguments, &runtime.CallArgument{ObjectID: e})
			continue
		}
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
