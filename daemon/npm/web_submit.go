package npm

import (
	"context"
	"errors"
	"slices"
	"strings"

	"rotd/daemon/browser"
)

// send clicks a button that changes something at npm and waits until npm has
// answered: another page, the answer to a script, or a word about what is
// wrong, which is not among those returned. Meanwhile is called at every look.
func (w *Web) send(ctx context.Context, button browser.Control, meanwhile func(context.Context) error) (before []string, err error) {
	v := w.v
	if before, err = w.alerts(ctx); err != nil {
		return nil, err
	}
	if v.before, err = v.glance(ctx); err != nil {
		return nil, err
	}
	v.changed, v.address = true, ""
	if err := v.page.Click(ctx, button); err != nil {
		return nil, err
	}
	patient, cancel := context.WithTimeout(ctx, answerFactor*v.patience)
	defer cancel()
	err = v.page.WaitFor(patient, func(ctx context.Context) (bool, error) {
		g, err := v.glance(ctx)
		if err != nil || g.Document != v.before.Document || g.answer.N > v.before.answer.N {
			return err == nil, err
		}
		if words, err := w.said(ctx, before); err != nil || words != "" {
			return err == nil, err
		}
		return false, meanwhile(ctx)
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = &Error{Kind: ErrPage, Message: v.doing + ": npm did not answer"}
	}
	return before, err
}

// alerts are the errors that the page shows.
func (w *Web) alerts(ctx context.Context) (all []string, err error) {
	return all, w.v.page.Read(ctx, readAlerts, &all)
}

// said is what the page says is wrong now and did not say before: npm's own
// words, or nothing.
func (w *Web) said(ctx context.Context, before []string) (string, error) {
	now, err := w.alerts(ctx)
	now = slices.DeleteFunc(now, func(s string) bool { return slices.Contains(before, s) })
	if i := slices.IndexFunc(now, func(s string) bool { return !strings.Contains(s, failedBanner) }); i >= 0 {
		return now[i], err
	}
	return strings.Join(now, " "), err
}

// refusedFor is npm's refusal in npm's words.
func (w *Web) refusedFor(words string) *Error {
	return &Error{Kind: ErrRefused, Message: w.v.doing + ": npm refused: " + strings.TrimSuffix(w.v.clean(words, maxWords), "."), Hint: hintFor(0, words)}
}
