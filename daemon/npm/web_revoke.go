package npm

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"rotd/daemon/rotate"
)

// Revoke deletes the token with this key on the list's page. A token that is
// gone is no error.
func (w *Web) Revoke(ctx context.Context, key string) error {
	const doing = "revoke a token"
	if !keyLike.MatchString(key) {
		return &Error{Kind: ErrRefused, Message: doing + ": what is kept as its key is none", Hint: "delete the token on npm's website"}
	}
	return w.during(ctx, doing, func(ctx context.Context) error {
		// A check that comes on the deletion may have swallowed it: then it is
		// done once more.
		for range 2 {
			row, err := w.find(ctx, func(t rotate.Token) bool { return t.Key == key })
			if err != nil || row == nil {
				return err
			}
			checked, err := w.delete(ctx, key, row.token(time.Time{}).Name)
			if err != nil {
				return err
			}
			if !checked {
				break
			}
		}
		row, err := w.find(ctx, func(t rotate.Token) bool { return t.Key == key })
		if err == nil && row != nil {
			err = w.stray("the token to be gone from the list", "it still there")
		}
		return err
	})
}

// delete deletes the token whose row the page shows, and waits for what comes
// of it. checked reports a check that came between.
func (w *Web) delete(ctx context.Context, key, name string) (checked bool, err error) {
	v := w.v
	button, err := w.first(ctx, deleteButtons(key, name))
	if err != nil {
		return false, err
	}
	if button == nil {
		if err := v.page.Tick(ctx, tickBox(key), true); err != nil {
			return false, err
		}
		var ticked int
		if err := v.page.Read(ctx, countTicked, &ticked); err != nil {
			return false, err
		}
		if ticked != 1 {
			return false, w.stray("one tick box to be ticked", fmt.Sprint(ticked))
		}
		button = &deleteSelected
	}
	v.page.Agree(func(question string) bool {
		return slices.ContainsFunc(deleteWords, func(word string) bool { return strings.Contains(strings.ToLower(question), word) })
	})
	defer v.page.Agree(nil)
	asked := false
	before, err := w.send(ctx, *button, func(ctx context.Context) error {
		yes, err := w.first(ctx, confirmDelete)
		if err != nil || yes == nil || asked || yes.Name == button.Name {
			return err
		}
		asked = true
		return v.page.Click(ctx, *yes)
	})
	if err != nil {
		return false, err
	}
	_, err = v.pass(ctx, goal{is: "the list of tokens without the one that was deleted", here: func(ctx context.Context, _ *glance) (bool, error) {
		if here, err := w.all(ctx, listMarks); err != nil || !here || v.acts > 0 {
			return here, err
		}
		if words, err := w.said(ctx, before); err != nil || words != "" {
			return false, cmp.Or(err, error(w.refusedFor(words)))
		}
		var there bool
		err := v.page.Read(ctx, rowShown(key, name), &there)
		return !there, err
	}})
	return v.acts > 0, err
}
