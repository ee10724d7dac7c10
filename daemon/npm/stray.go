package npm

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"rotd/daemon/rotate"
	"rotd/ipc/secret"
)

// Holder asks the registry whose a token is. ok is false where it takes it for
// nobody's.
func (a *Account) Holder(ctx context.Context, value secret.Text) (username string, ok bool, err error) {
	name, err := a.whoami(ctx, "ask whose a token is", value)
	if errors.Is(err, ErrSessionExpired) {
		return "", false, nil
	}
	return name, err == nil, err
}

// Found is a token in the account's list.
type Found struct {
	rotate.Token        // without its value
	Permission   string // what it may do with packages, in npm's words; "": not told
}

// Find looks for a token among the account's by its value, of which the list has
// the beginning and the end (B.6). ok is false where there is none, or more than
// one that it could be.
func (a *Account) Find(ctx context.Context, value secret.Text) (t Found, ok bool, err error) {
	listed, err := a.list(ctx)
	if err != nil {
		return t, false, err
	}
	found := 0
	for _, f := range listed {
		if !f.revoked() && redacts(f.text("token"), value) {
			t = Found{f.token(a.cfg.Now()), (&comparison{told: f}).action("package")}
			found++
		}
	}
	return t, found == 1 && t.Key != "", nil
}

// redacts tells whether a listed text is the value without its middle:
// "npm_aBcD...7890". Fewer characters than that would fit too many.
func redacts(listed string, value secret.Text) bool {
	const fewest = 4
	begin, end, ok := strings.Cut(listed, "...")
	v := value.Reveal()
	return ok && len(begin) >= fewest && len(end) >= fewest && len(v) > len(begin)+len(end) &&
		strings.HasPrefix(v, begin) && strings.HasSuffix(v, end)
}

// GiveUp has a token end itself, as npm logout does: it takes no account (B.7).
// Whether a registry lets every kind of token do so is not known; ask whether it
// is still accepted.
func (a *Account) GiveUp(ctx context.Context, value secret.Text) error {
	const doing = "have a token end itself"
	if !sane(value.Reveal(), minToken, maxToken) {
		return &Error{Kind: ErrRefused, Message: doing + ": it is no token"}
	}
	a.know(value)
	ans, err := a.reg.do(ctx, call{doing: doing, method: http.MethodDelete, path: "/-/user/token/" + url.PathEscape(value.Reveal()), command: "logout", bearer: value})
	if err != nil || ans.ok() {
		return err
	}
	return a.reg.failure(doing, ans)
}
