package npm

import (
	"context"
	"fmt"

	"rotd/daemon/browser"
	"rotd/daemon/rotate"
)

// perPage is how many tokens a page of the list is asked for. npm shows 10
// unless it honours this.
const perPage = 100

// List returns the account's tokens.
func (w *Web) List(ctx context.Context) ([]rotate.Token, error) {
	var tokens []rotate.Token
	err := w.during(ctx, "list the tokens", func(ctx context.Context) error {
		return w.rows(ctx, func(f fields) bool {
			tokens = append(tokens, f.token(w.a.cfg.Now()))
			return false
		})
	})
	if err != nil {
		return nil, err
	}
	return tokens, nil
}

// rows goes through the list, page by page, until found says that it need not
// go on. The browser then shows the page with that row.
func (w *Web) rows(ctx context.Context, found func(fields) bool) error {
	seen := map[string]bool{}
	for page := range maxPages {
		address := fmt.Sprintf("%s?page=%d&perPage=%d", w.page(tokensPage), page, perPage)
		if _, err := w.v.reach(ctx, address, w.listGoal()); err != nil {
			return err
		}
		list, err := w.readList(ctx)
		if err != nil {
			return err
		}
		before := len(seen)
		for _, f := range list.Objects {
			t := f.token(w.a.cfg.Now())
			if id := t.Key + " " + t.Name; id != " " && !seen[id] {
				seen[id] = true
				if !f.revoked() && found(f) {
					return nil
				}
			}
		}
		switch more := list.More || int(list.Total) > len(seen); {
		case !more:
			return nil
		case len(seen) == before: // it says that there are more, and shows none
			return w.stray(fmt.Sprintf("%d tokens in the list", int(list.Total)), fmt.Sprintf("%d", len(seen)))
		}
	}
	return w.stray("a list of tokens with an end", "none")
}

// listing is what one page of the list tells.
type listing struct {
	Objects []fields
	Total   float64 // 0 where it is not told
	More    bool
}

func (w *Web) readList(ctx context.Context) (l listing, err error) {
	return l, w.v.page.Read(ctx, readList, &l)
}

// listGoal is the list of tokens.
func (w *Web) listGoal() goal {
	return goal{is: "npm's list of tokens", here: func(ctx context.Context, _ *glance) (bool, error) {
		return w.all(ctx, listMarks)
	}}
}

// all reports whether every one of the controls is on the page.
func (w *Web) all(ctx context.Context, list []browser.Control) (bool, error) {
	for _, c := range list {
		if here, err := w.v.page.Has(ctx, c); err != nil || !here {
			return false, err
		}
	}
	return true, nil
}

// stray is the error of a page that is npm's and does not show what it should.
func (w *Web) stray(expected, found string) error {
	return &Error{Kind: ErrPage, Message: w.v.doing + ": expected " + expected + ", found " + w.v.clean(found, 200)}
}

// find looks for a token in the list. It returns nil when there is none.
func (w *Web) find(ctx context.Context, is func(rotate.Token) bool) (row fields, err error) {
	err = w.rows(ctx, func(f fields) bool {
		if is(f.token(w.a.cfg.Now())) {
			row = f
		}
		return row != nil
	})
	return row, err
}
