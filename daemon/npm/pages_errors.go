package npm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"rotd/daemon/browser"
	"rotd/ipc/secret"
)

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

// unknown is the error of a page that fits nothing.
func (v *visit) unknown(s *sight) error {
	found := "nothing"
	if s != nil {
		found = fmt.Sprintf("%q at %s", v.clean(s.Title, 80), v.cleanPath(s.Path))
	}
	return &Error{Kind: ErrPage, Message: v.doing + ": expected " + cmp.Or(v.goal.is, "a form to sign in or to pass the second factor") + ", found " + found}
}

// explain turns what ended the visit into an error of this package, and keeps
// the page where it was not recognised.
func (v *visit) explain(ctx, tidy context.Context, err error) error {
	var own *Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", v.doing, ctx.Err())
	case errors.As(err, &own):
	case errors.Is(err, browser.ErrLoad):
		return &Error{Kind: ErrUnreachable, Message: v.doing + ": npm's website does not answer: " + err.Error(), Hint: "try again later"}
	case errors.Is(err, browser.ErrPasskey):
		return &Error{Kind: ErrWrongCode, Message: err.Error(), Hint: "connect again with the passkey as its export has it"}
	case errors.Is(err, browser.ErrNoControl):
		own = &Error{Kind: ErrPage, Message: v.doing + ": " + err.Error()}
	default:
		return err
	}
	if errors.Is(own, ErrPage) {
		v.page.Note("! " + own.Message)
		own.Hint = v.report(tidy)
	}
	return own
}

// report keeps the page, and says where.
func (v *visit) report(ctx context.Context) (hint string) {
	hint = "try again later; if it stays so, report it: npm may have changed the page"
	if v.ReportDir == "" {
		return hint
	}
	dir, err := v.page.Report(ctx, v.ReportDir, v.secrets()...)
	if err != nil {
		v.log.Warn("the page could not be kept for a report", "err", err)
		return hint
	}
	hint = "the page is kept without secrets in " + dir + ", please report it"
	if !v.changed {
		hint = "nothing was changed at npm; " + hint
	}
	return hint
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

func (v *visit) botCheck() error {
	return &Error{Kind: ErrBotCheck, Message: v.doing + ": npm's bot check stands before the page",
		Hint: "it is for a person to pass: open npm's website in a browser of your own, and try again later; trying often makes it worse"}
}
