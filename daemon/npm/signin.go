package npm

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"rotd/daemon/browser"
	"rotd/ipc/secret"
)

const (
	// maxForms bounds the forms of one visit; signing in and an escalation of
	// two checks make four.
	maxForms = 10
	// maxSame bounds how often a visit meets the same form, refusals left out.
	maxSame = 3
	// answerFactor is how much longer than a page's drawing its server may take.
	answerFactor = 3
)

// visit is one browser on npm's site: it looks at the page, acts on what it
// recognises, and looks again.
type visit struct {
	*Website
	doing    string // how errors begin
	log      *slog.Logger
	b        *browser.Browser
	page     *browser.Page
	c        *Credentials
	patience time.Duration

	goal goal // where the visit is to end
	// mayEnter is asked before the sign-in form is filled in; nil: it may be.
	mayEnter func() error
	// person has the person pass what nothing that is known passes; nil: the
	// browser is in no window.
	person func(context.Context, *sight) error
	acts   int // what pass has done so far
	// changed says that npm may have changed something since the page was opened.
	changed bool

	site    string    // where the page was asked for; nothing is entered elsewhere
	address string    // that was opened; empty: something was sent from there
	last    *pageForm // the form answered last
	before  glance    // of the page when it was
	codes   int       // one-time codes computed for the form answered last
	begun   map[*pageForm]int
	allowed bool // the button that allows the sign-in was pressed
	keyUsed bool
	tried   []*pageForm   // ways that were changed to
	entered []secret.Text // for redaction
}

// goal is a page that is wanted. The zero goal is the page behind a check that
// the registry has sent to.
type goal struct {
	is   string // for a person: "the list of tokens"
	here func(ctx context.Context, g *glance) (bool, error)
	// first says that it is looked for before any form is.
	first bool
}

// sight is what a look at the page found: a form, a button that allows, a bot
// check where a person can pass it, or the end.
type sight struct {
	glance
	form  *pageForm
	allow *browser.Control
	bot   bool
	done  bool
}

func (v *visit) run(ctx context.Context, address string) error {
	if err := v.prepare(ctx); err != nil {
		return err
	}
	v.site = siteOf(address)
	_, err := v.reach(ctx, address, goal{})
	return err
}

// prepare gives the browser what it has to bring along.
func (v *visit) prepare(ctx context.Context) error {
	if err := v.restore(ctx); err != nil {
		return err
	}
	return v.useKey(ctx)
}

func (v *visit) useKey(ctx context.Context) error {
	if v.c.Passkey == nil {
		return nil
	}
	return v.page.AddPasskey(ctx, v.c.Passkey)
}

// reach opens an address and passes what stands before the goal.
func (v *visit) reach(ctx context.Context, address string, to goal) (*sight, error) {
	v.address = address
	if err := v.open(ctx, address); err != nil {
		return nil, err
	}
	return v.pass(ctx, to)
}

// pass answers what npm asks until the page is the goal.
func (v *visit) pass(ctx context.Context, to goal) (*sight, error) {
	v.goal, v.last, v.begun, v.tried, v.acts = to, nil, map[*pageForm]int{}, nil, 0
	for range maxForms {
		s, err := v.look(ctx, func(*sight) bool { return true })
		if errors.Is(err, ErrPage) && to.here != nil && v.acts > 0 && v.address != "" {
			// Behind the check npm has forgotten where it led to.
			address := v.address
			v.address = ""
			if err := v.open(ctx, address); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil || s.done {
			return s, err
		}
		v.log.Debug("npm's page", "is", s.name(), "title", v.clean(s.Title, 80))
		v.acts++
		if err := v.act(ctx, s); err != nil {
			return nil, err
		}
	}
	return nil, &Error{Kind: ErrPage, Message: v.doing + ": npm asks for one thing after the other and comes to no end"}
}

// siteOf is the origin of an address, with or without www.
func siteOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + strings.TrimPrefix(u.Host, "www.")
}

// open goes to the first page, as patiently as for any answer.
func (v *visit) open(ctx context.Context, address string) error {
	patient, cancel := context.WithTimeout(ctx, answerFactor*v.patience)
	defer cancel()
	err := v.page.Open(patient, address)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return &Error{Kind: ErrUnreachable, Message: v.doing + ": npm's website does not answer", Hint: "try again later"}
	}
	return err
}

func (s *sight) name() string {
	switch {
	case s.form != nil:
		return s.form.is
	case s.bot:
		return "a bot check"
	}
	return "a button that allows the sign-in"
}

// look waits until the page is one that is known, and wanted.
func (v *visit) look(ctx context.Context, wanted func(*sight) bool) (*sight, error) {
	patient, cancel := context.WithTimeout(ctx, v.patience)
	defer cancel()
	var s *sight
	err := v.page.WaitFor(patient, func(ctx context.Context) (bool, error) {
		now, err := v.recognise(ctx)
		if err != nil {
			return false, err
		}
		s = now
		return (s.done || s.form != nil || s.allow != nil || s.bot) && wanted(s), nil
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, v.unknown(s)
	}
	return s, err
}

// recognise looks once.
func (v *visit) recognise(ctx context.Context) (*sight, error) {
	g, err := v.glance(ctx)
	if err != nil {
		return nil, err
	}
	s := &sight{glance: g}
	switch {
	case g.answer.Failure != "" || g.Failed:
		return nil, &Error{Kind: ErrUnreachable, Message: v.doing + ": npm's website does not answer: " + g.answer.Failure, Hint: "try again later"}
	case g.answer.Header.Get("cf-mitigated") == "challenge":
		return v.botSight(s)
	case g.answer.Status == 429:
		return nil, &Error{Kind: ErrRateLimited, Message: v.doing + ": npm's website asks to wait",
			Hint: "try again later", RetryAfter: (&registry{now: time.Now}).retryAfter(answer{header: g.answer.Header})}
	case g.answer.Status >= 500 || g.says(faultWords):
		return nil, &Error{Kind: ErrServer, Message: v.doing + ": npm's website failed", Hint: "try again later"}
	case siteOf(g.Origin) != v.site:
		return nil, &Error{Kind: ErrPage, Message: v.doing + ": npm's page led to another site, " + v.clean(g.Origin, 100)}
	case v.goal.here == nil && g.successful():
		s.done = true
		return s, nil
	case !g.Ready:
		return s, nil
	case v.goal.first:
		if s.done, err = v.goal.here(ctx, &g); err != nil || s.done {
			return s, err
		}
	}
	for _, f := range pageForms {
		here, err := v.shows(ctx, &g, f)
		if err != nil {
			return nil, err
		}
		if here {
			s.form = f
			return s, nil
		}
	}
	if v.goal.here != nil {
		if s.done, err = v.goal.here(ctx, &g); err != nil || s.done {
			return s, err
		}
	}
	if g.botCheck() {
		return v.botSight(s)
	}
	if v.goal.here != nil {
		return s, nil
	}
	s.done = g.soundsSuccessful()
	if !s.done && !v.allowed && slices.ContainsFunc(allowPaths, func(p string) bool { return strings.HasPrefix(g.Path, p) }) {
		s.allow, err = v.only(ctx, allowButtons)
	}
	return s, err
}

// botSight is the sight of a bot check: for the person in the window, or the
// end.
func (v *visit) botSight(s *sight) (*sight, error) {
	if v.person == nil || s.answer.Status != 0 && !s.answer.Document { // or it is no page that could be shown
		return nil, v.botCheck()
	}
	s.bot = true
	return s, nil
}

func (v *visit) glance(ctx context.Context) (glance, error) {
	var g glance
	err := v.page.Read(ctx, readGlance, &g)
	g.answer = v.page.Answer()
	return g, err
}

// shows reports whether the page is f: all of its controls are there.
func (v *visit) shows(ctx context.Context, g *glance, f *pageForm) (bool, error) {
	if f.formName != g.FormName {
		return false, nil
	}
	for _, c := range slices.Concat(f.fields, f.marks, []browser.Control{f.button}) {
		if here, err := v.page.Has(ctx, c); err != nil || !here {
			return false, err
		}
	}
	return true, nil
}

// only returns the control of the list that is on the page, nil when there is
// none or more than one.
func (v *visit) only(ctx context.Context, list []browser.Control) (*browser.Control, error) {
	var found []*browser.Control
	for i := range list {
		here, err := v.page.Has(ctx, list[i])
		if err != nil {
			return nil, err
		}
		if here {
			found = append(found, &list[i])
		}
	}
	if len(found) != 1 {
		return nil, nil
	}
	return found[0], nil
}

// act answers what the page asks. It returns when npm has taken the answer.
func (v *visit) act(ctx context.Context, s *sight) error {
	if s.allow != nil {
		v.allowed = true
		return v.page.Click(ctx, *s.allow)
	}
	if s.bot {
		return v.person(ctx, s)
	}
	f := s.form
	if v.refused(s) {
		if err := v.refusal(s); err != nil {
			return err
		}
	} else if err := v.begin(f); err != nil {
		return err
	}
	if !v.able(f) {
		changed, err := v.anotherWay(ctx, f)
		if changed || err != nil {
			return err
		}
		if v.person != nil {
			return v.person(ctx, s)
		}
	}
	if f == signInForm && v.mayEnter != nil {
		if err := v.mayEnter(); err != nil {
			return err
		}
	}
	values, err := v.values(ctx, s)
	if err != nil {
		return err
	}
	for i, value := range values {
		v.entered = append(v.entered, value)
		if err := v.page.Fill(ctx, f.fields[i], value); err != nil {
			return err
		}
	}
	if f == keyForm {
		// Counted before it is used: a crash must not make the count go back.
		if err := v.keepCount(ctx, v.c.Passkey.SignCount+1); err != nil {
			return err
		}
		v.keyUsed = true
	}
	if v.before, err = v.glance(ctx); err != nil {
		return err
	}
	v.last = f
	if err := v.page.Click(ctx, f.button); err != nil {
		return err
	}
	return v.settle(ctx, f)
}

// begin counts a form that is not a refusal. npm drops some sign-ins without a
// word, after all of it was passed (SD, A.8): trying again is no use.
func (v *visit) begin(f *pageForm) error {
	v.codes = 0
	v.begun[f]++
	if f == signInForm && v.begun[f] > 1 {
		return &Error{Kind: ErrPage, Message: v.doing + ": npm took the sign-in and asks for it again"}
	}
	if v.begun[f] > maxSame {
		return &Error{Kind: ErrPage, Message: v.doing + ": npm asks again and again for " + f.is}
	}
	return nil
}

// settle waits until npm has answered the form: another document, a word about
// what is wrong, or, where a script sent it, the button for another try.
func (v *visit) settle(ctx context.Context, f *pageForm) error {
	patient, cancel := context.WithTimeout(ctx, answerFactor*v.patience)
	defer cancel()
	err := v.page.WaitFor(patient, func(ctx context.Context) (bool, error) {
		g, err := v.glance(ctx)
		if err != nil {
			return false, err
		}
		answered := g.answer.N > v.before.answer.N
		switch {
		case g.Document != v.before.Document, answered && g.answer.Failure != "":
			return true, nil
		case g.Alert != "" && (answered || g.Alert != v.before.Alert):
			return true, nil
		case !answered || g.answer.Document || g.answer.Header.Get("location") != "":
			return false, nil // it is on its way
		}
		here, enabled, err := v.page.Enabled(ctx, f.button)
		return !here || enabled, err
	})
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return err
	}
	if f == keyForm {
		return &Error{Kind: ErrWrongCode, Message: "sign in to npm: the security key was not accepted", Hint: "is it this account's key? Connect again with the right one"}
	}
	return &Error{Kind: ErrPage, Message: v.doing + ": npm did not answer " + f.is}
}

// refused reports whether the page is the last one again because the answer
// was wrong. A chain of checks may ask for the same thing twice, at another
// address and without a word of error.
func (v *visit) refused(s *sight) bool {
	return s.form == v.last && (s.Alert != "" || s.Errors > v.before.Errors || s.Path == v.before.Path)
}
