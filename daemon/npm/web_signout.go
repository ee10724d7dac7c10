package npm

import (
	"context"

	"rotd/store"
)

// SignOut ends the website's session, by the address that "Sign Out" in npm's
// menu leads to (A.1). Where none is kept, or npm has ended it, there is nothing
// to do.
func (w *Web) SignOut(ctx context.Context) error {
	if w.v == nil {
		kept, err := w.web.kept(ctx, store.KindCookies)
		if err != nil || kept.IsZero() {
			return err
		}
	}
	return w.during(ctx, "sign out", func(ctx context.Context) error {
		anywhere := goal{is: "npm's website signed out", first: true, here: func(_ context.Context, g *glance) (bool, error) { return !g.botCheck(), nil }}
		if _, err := w.v.reach(ctx, w.site+"/logout", anywhere); err != nil {
			return err
		}
		name, err := w.whoIs(ctx)
		if err == nil && name != "" {
			err = &Error{Kind: ErrPage, Message: w.v.doing + ": npm's website is still signed in", Hint: "sign out of npm's website in a browser, under its settings"}
		}
		return err
	})
}
