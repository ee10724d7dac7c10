package npm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"rotd/daemon/browser"
	"rotd/ipc"
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

// visit is one Pass: it looks at the page, acts on what it recognises, and
// looks again.
type visit struct {
	*Website
	log      *slog.Logger
	b        *browser.Browser
	page     *browser.Page
	c        *Credentials
	patience time.Duration

	last    *pageForm // the form answered last
	before  glance    // of the page when it was
	codes   int       // one-time codes computed for the form answered last
	begun   map[*pageForm]int
	allowed bool // the button that allows the sign-in was pressed
	keyUsed bool
	tried   []*pageForm   // ways that were changed to
	entered []secret.Text // for redaction
}

// sight is what a look at the page found: a form, a button that allows, or the
// end.
type sight struct {
	glance
	form  *pageForm
	allow *browser.Control
	done  bool
}

func (v *visit) run(ctx context.Context, url string) error {
	if err := v.restore(ctx); err != nil {
		return err
	}
	if v.c.Passkey != nil {
		if err := v.page.AddPasskey(ctx, v.c.Passkey); err != nil {
			return err
		}
	}
	if err := v.open(ctx, url); err != nil {
		return err
	}
	for range maxForms {
		s, err := v.look(ctx, func(*sight) bool { return true })
		if err != nil {
			return err
		}
		if s.done {
			return nil
		}
		v.log.Debug("npm's page", "is", s.name(), "title", s.Title)
		if err := v.act(ctx, s); err != nil {
			return err
		}
	}
	return &Error{Kind: ErrPage, Message: passing + ": npm asks for one thing after the other and comes to no end"}
}

// open goes to the first page, as patiently as for any answer.
func (v *visit) open(ctx context.Context, url string) error {
	patient, cancel := context.WithTimeout(ctx, answerFactor*v.patience)
	defer cancel()
	err := v.page.Open(patient, url)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return &Error{Kind: ErrUnreachable, Message: passing + ": npm's website does not answer", Hint: "try again later"}
	}
	return err
}

func (s *sight) name() string {
	if s.form != nil {
		return s.form.is
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
		return (s.done || s.form != nil || s.allow != nil) && wanted(s), nil
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
		return nil, &Error{Kind: ErrUnreachable, Message: passing + ": npm's website does not answer: " + g.answer.Failure, Hint: "try again later"}
	case g.answer.Header.Get("cf-mitigated") == "challenge":
		return nil, botCheck()
	case g.answer.Status == 429:
		return nil, &Error{Kind: ErrRateLimited, Message: passing + ": npm's website asks to wait", RetryAfter: retryAfter(g.answer.Header.Get("retry-after"))}
	case g.answer.Status >= 500 || g.says(faultWords):
		return nil, &Error{Kind: ErrServer, Message: passing + ": npm's website failed", Hint: "try again later"}
	case g.successful():
		s.done = true
		return s, nil
	case !g.Ready:
		return s, nil
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
	if g.botCheck() {
		return nil, botCheck()
	}
	s.done = g.soundsSuccessful()
	if !s.done && !v.allowed && slices.ContainsFunc(allowPaths, func(p string) bool { return strings.HasPrefix(g.Path, p) }) {
		s.allow, err = v.only(ctx, allowButtons)
	}
	return s, err
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
		return &Error{Kind: ErrPage, Message: passing + ": npm took the sign-in and asks for it again"}
	}
	if v.begun[f] > maxSame {
		return &Error{Kind: ErrPage, Message: passing + ": npm asks again and again for " + f.is}
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
	return &Error{Kind: ErrPage, Message: passing + ": npm did not answer " + f.is}
}

// refused reports whether the page is the last one again because the answer
// was wrong. A chain of checks may ask for the same thing twice, at another
// address and without a word of error.
func (v *visit) refused(s *sight) bool {
	return s.form == v.last && (s.Alert != "" || s.Errors > v.before.Errors || s.Path == v.before.Path)
}

// refusal is the error of a form that came back; nil where it is worth a
// second try: a code may have been used before, or have run out on its way.
func (v *visit) refusal(s *sight) error {
	if s.form == codeForm && v.codes == 1 {
		return nil
	}
	e := &Error{Kind: s.form.wrong, Message: "sign in to npm: npm refused " + map[*pageForm]string{
		signInForm:   "the user name or the password",
		passwordForm: "the password",
		codeForm:     "the one-time code",
		emailForm:    "the one-time code",
		keyForm:      "the security key",
	}[s.form]}
	if s.Alert != "" {
		e.Message += ": " + v.clean(s.Alert, 200)
	}
	e.Hint = "check it and try again; if it was changed at npm, run `rot connect npm` again"
	if v.codes > 0 {
		e.Hint = "check this machine's clock; if it is right, connect again with the present TOTP secret"
	}
	return e
}

// able reports whether the form can be answered without a person.
func (v *visit) able(f *pageForm) bool {
	switch f {
	case signInForm, passwordForm:
		return !v.c.Password.IsZero()
	case codeForm:
		return v.c.TOTP != nil
	case keyForm:
		return v.c.Passkey != nil
	}
	return false
}

// anotherWay changes to a check that can be answered without a person, or,
// from the security key, to a code that a person can tell. Each way is taken
// once.
func (v *visit) anotherWay(ctx context.Context, f *pageForm) (changed bool, err error) {
	for _, way := range otherWays {
		told := f == keyForm && way.to == codeForm && v.c.Ask != nil
		if way.to == f || slices.Contains(v.tried, way.to) || !v.able(way.to) && !told {
			continue
		}
		c, err := v.only(ctx, way.controls)
		if err != nil {
			return false, err
		}
		if c == nil {
			continue
		}
		v.tried = append(v.tried, way.to)
		if err := v.page.Click(ctx, *c); err != nil {
			return false, err
		}
		_, err = v.look(ctx, func(s *sight) bool { return s.form != f })
		return true, err
	}
	return false, nil
}

// values is what goes into the fields of the form, from what is known or from
// the person.
func (v *visit) values(ctx context.Context, s *sight) ([]secret.Text, error) {
	switch s.form {
	case signInForm:
		name, err := v.orAsk(ctx, secret.New(v.c.Username), ipc.AskUsername, "npm user name")
		if err != nil {
			return nil, err
		}
		password, err := v.orAsk(ctx, v.c.Password, ipc.AskPassword, "npm password of "+name.Reveal())
		return []secret.Text{name, password}, err
	case passwordForm:
		password, err := v.orAsk(ctx, v.c.Password, ipc.AskPassword, "npm password of "+v.c.Username)
		return []secret.Text{password}, err
	case codeForm:
		if v.c.TOTP != nil {
			v.codes++
			code, err := v.c.TOTP(ctx)
			return []secret.Text{code}, err
		}
		code, err := v.orAsk(ctx, secret.Text{}, ipc.AskOTP, "one-time code of the authenticator app")
		return []secret.Text{code}, err
	case emailForm:
		text := "one-time code that npm has sent by e-mail"
		if strings.Contains(s.Email, "*") { // masked
			text = "one-time code that npm has sent to " + cut(s.Email, 100)
		}
		code, err := v.orAsk(ctx, secret.Text{}, ipc.AskEmailOTP, text)
		return []secret.Text{code}, err
	}
	if v.c.Passkey == nil {
		return nil, &Error{Kind: ErrNeedsPerson, Message: passing + ": npm wants the security key",
			Hint: "pass the check with your own security key in a browser window: run the command again where there is a display"}
	}
	return nil, nil
}

// orAsk returns known, or what the person answers.
func (v *visit) orAsk(ctx context.Context, known secret.Text, kind, text string) (secret.Text, error) {
	if !known.IsZero() {
		return known, nil
	}
	if v.c.Ask == nil {
		return known, &Error{Kind: ErrNeedsPerson, Message: passing + ": npm wants the " + text + ", and nobody is there to give it", Hint: hintToRemember(kind)}
	}
	answer, err := v.c.Ask(ctx, kind, text)
	if err == nil && answer.IsZero() {
		err = &Error{Kind: ErrNeedsPerson, Message: passing + ": the question for the " + text + " was left unanswered", Hint: hintToRemember(kind)}
	}
	return answer, err
}

// unknown is the error of a page that fits nothing.
func (v *visit) unknown(s *sight) error {
	found := "nothing"
	if s != nil {
		found = fmt.Sprintf("%q at %s", v.clean(s.Title, 80), v.cleanPath(s.Path))
	}
	return &Error{Kind: ErrPage, Message: passing + ": expected a form to sign in or to pass the second factor, found " + found}
}

// explain turns what ended the visit into an error of this package, and keeps
// the page where it was not recognised.
func (v *visit) explain(ctx, tidy context.Context, err error) error {
	var own *Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", passing, ctx.Err())
	case errors.As(err, &own):
	case errors.Is(err, browser.ErrLoad):
		return &Error{Kind: ErrUnreachable, Message: passing + ": npm's website does not answer: " + err.Error(), Hint: "try again later"}
	case errors.Is(err, browser.ErrNoControl):
		own = &Error{Kind: ErrPage, Message: passing + ": " + err.Error()}
	default:
		return err
	}
	if errors.Is(own, ErrPage) && v.ReportDir != "" {
		dir, err := v.page.Report(tidy, v.ReportDir, v.secrets()...)
		if err != nil {
			v.log.Warn("the page could not be kept for a report", "err", err)
		} else {
			own.Hint = "nothing was changed at npm; the page is kept without secrets in " + dir + ", please report it"
		}
	}
	return own
}

func (v *visit) secrets() []secret.Text {
	all := append([]secret.Text{v.c.Password}, v.entered...)
	if v.c.Passkey != nil {
		all = append(all, v.c.Passkey.PrivateKey.Text)
	}
	return all
}

// clean makes words of the page fit for an error: short, and without secrets.
func (v *visit) clean(s string, most int) string {
	for _, t := range v.secrets() {
		if !t.IsZero() && t.Reveal() != v.c.Username {
			s = strings.ReplaceAll(s, t.Reveal(), "[redacted]")
		}
	}
	return cut(browser.Redact(s), most)
}

// cleanPath is clean for an address, step by step: a long path is no secret,
// the identifiers in it are.
func (v *visit) cleanPath(path string) string {
	steps := strings.Split(path, "/")
	for i := range steps {
		steps[i] = v.clean(steps[i], 60)
	}
	return cut(strings.Join(steps, "/"), 200)
}

func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

func botCheck() error {
	return &Error{Kind: ErrBotCheck, Message: passing + ": npm's bot check stands before the page",
		Hint: "it is for a person to pass: open npm's website in a browser of your own, and try again later; trying often makes it worse"}
}

// retryAfter reads the header's seconds.
func retryAfter(header string) time.Duration {
	n, err := strconv.Atoi(strings.TrimSpace(header))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Second
}
