package npm

import (
	"context"
	"net/http"
	"net/url"
)

// SignOut ends the session that is kept, as `npm logout` does: a session token
// may delete itself (API, B.7). Where none is kept, or npm has ended it, there
// is nothing to do.
func (a *Account) SignOut(ctx context.Context) error {
	const doing = "sign out"
	if err := a.load(ctx); err != nil || a.session.IsZero() {
		return err
	}
	ans, err := a.reg.do(ctx, call{doing: doing, method: http.MethodDelete, path: "/-/user/token/" + url.PathEscape(a.session.Reveal()),
		command: "logout", bearer: a.session})
	switch {
	case err != nil:
		return err
	case ans.ok(), ans.status == http.StatusUnauthorized, ans.status == http.StatusNotFound:
		return nil
	}
	return a.reg.failure(doing, ans)
}
