package npm

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

const (
	tokensPath = "/-/npm/v1/tokens"
	// npm holds at most 1000 tokens an account, and lists 10 a page.
	maxPages   = 500
	maxListing = 32 << 20 // bytes of all pages

	// The lengths that a token may have. npm's are 40 characters (B.10), other
	// registries have JWTs.
	minToken = 8
	maxToken = 4096
)

var (
	keyLike  = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._~-]{0,127}$`)
	bodyLike = regexp.MustCompile(`^[A-Za-z0-9._~+/=:-]+$`)
)

// sane reports whether s can be a token or a code: of that length and of
// characters that need no quoting in a header or an .npmrc. A redacted token
// ("npm_aBcD...7890") is none.
func sane(s string, shortest, longest int) bool {
	return len(s) >= shortest && len(s) <= longest && bodyLike.MatchString(s) && !strings.Contains(s, "...")
}

// guarded makes a call that only a signed-in person may make (B.5 to B.7): with
// the session token, signing in again once if it has expired, and with the
// second factor. The answer to an error is the one to c itself; it is the zero
// answer when the call was for certain not carried out.
func (a *Account) guarded(ctx context.Context, c call) (answer, error) {
	if err := a.ensureSession(ctx); err != nil {
		return answer{}, err
	}
	for again := false; ; again = true {
		c.bearer, c.command = a.session, "token"
		ans, err := a.challenged(ctx, c)
		switch {
		case err != nil:
			return ans, err
		case ans.ok():
			return ans, nil
		case c.password && ans.refused() && wrongPassword.MatchString(a.reg.words(ans)):
			return ans, a.passwordRefused(c.doing)
		case ans.status != http.StatusUnauthorized:
			return ans, a.reg.failure(c.doing, ans)
		}
		if err := a.unauthorized(ctx, c, ans, again); err != nil {
			return answer{}, err
		}
	}
}

func (a *Account) ensureSession(ctx context.Context) error {
	if err := a.load(ctx); err != nil {
		return err
	}
	if a.session.IsZero() {
		return a.SignIn(ctx)
	}
	return nil
}

// unauthorized finds out what a bare 401 is about: the password in the body,
// the code, or the session. It returns nil when there is something new to try
// with.
func (a *Account) unauthorized(ctx context.Context, c call, ans answer, again bool) error {
	_, err := a.whoami(ctx, c.doing, a.session)
	switch {
	case err == nil && a.factor.key != nil && c.method != http.MethodGet && !again:
		a.factor.once = true // perhaps the code had been used: take the next
		return nil
	case err == nil && c.password:
		return a.passwordRefused(c.doing)
	case err == nil:
		return a.reg.failure(c.doing, ans)
	case !errors.Is(err, ErrSessionExpired):
		return err
	case again:
		return &Error{Kind: ErrSessionExpired, Message: c.doing + ": the registry ends every session at once", Hint: "run `rot connect npm` again"}
	}
	a.session = secret.Text{}
	return a.SignIn(ctx)
}

func (a *Account) passwordRefused(doing string) error {
	a.password = secret.Text{} // so that the next call asks
	return &Error{Kind: ErrWrongPassword, Message: doing + ": npm refused the password of " + a.username,
		Hint: "if it was changed, run `rot connect npm` again"}
}

// Create makes a granular token. Any error that leaves open whether npm made
// one does not wrap rotate.ErrNotCreated.
func (a *Account) Create(ctx context.Context, name string, want store.Shape) (rotate.Token, error) {
	const doing = "create a token"
	ans, err := a.create(ctx, doing, name, want)
	if err != nil {
		if !ans.sent || ans.refused() {
			err = notCreatedError{err}
		}
		return rotate.Token{}, err
	}
	var f fields
	if err := a.reg.decode(doing, ans, &f); err != nil {
		return rotate.Token{}, err
	}
	value := secret.New(f.text("token"))
	a.know(value)
	delete(f, "token")
	if !sane(value.Reveal(), minToken, maxToken) {
		return rotate.Token{}, a.reg.garbled(doing, "holds no token that could be used")
	}
	t := f.token(a.cfg.Now())
	t.Name, t.Value = name, value
	if t.Expires.IsZero() {
		t.Expires = endOf(value)
	}
	if t.Key == "" {
		if t.Key, err = a.keyOf(ctx, name); err != nil {
			return rotate.Token{}, err
		}
	}
	a.made[t.Key] = f
	return t, nil
}

// endOf is when a token ends that tells it itself, as the JSON Web Tokens of
// Verdaccio do, whose list does not: the time of its claim exp.
func endOf(value secret.Text) time.Time {
	parts := strings.Split(value.Reveal(), ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	var claims struct{ Exp float64 }
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(b, &claims) != nil || claims.Exp < 1e9 || claims.Exp > 1e11 {
		return time.Time{}
	}
	return time.Unix(int64(claims.Exp), 0).UTC()
}

// notCreatedError is a failure after which no token can be left over.
type notCreatedError struct{ error }

func (e notCreatedError) Unwrap() []error { return []error{e.error, rotate.ErrNotCreated} }

// wantsPackages finds a refusal because a token is for nothing (npm-facts B.5).
var wantsPackages = regexp.MustCompile(`(?i)at least one`)

// create posts the token. npm's client and npm's API text spell a few fields
// differently, and which spelling npm honours is not known. The client's is
// the base, as it is seen to work; description and CIDR ranges go in both, as
// each spelling alone is in daily use and neither is refused for the fields
// that only the other knows. "All packages" as a list would be a package called
// "*" to a server that knows the client's spelling only, so it follows only
// after a refusal that asks for packages. What was not honoured in the end,
// Verify finds.
func (a *Account) create(ctx context.Context, doing, name string, want store.Shape) (answer, error) {
	if err := a.ensureSession(ctx); err != nil {
		return answer{}, err
	}
	password, err := a.needPassword(ctx, doing)
	if err != nil {
		return answer{}, err
	}
	body := creation(name, password, want)
	if a.reg.base.String() != PublicRegistry() {
		// The older API's fields, for what has no granular tokens (Verdaccio).
		body["readonly"] = want.Permission != ipc.PermissionWrite && want.Permission != ipc.PermissionStage && want.OrgsPerm != ipc.PermissionWrite
		body["cidr_whitelist"] = append([]string{}, want.CIDR...)
	}
	c := call{doing: doing, method: http.MethodPost, path: tokensPath, body: body, password: true}
	ans, err := a.guarded(ctx, c)
	if want.PackagesAll && ans.status == http.StatusBadRequest && wantsPackages.MatchString(a.reg.words(ans)) {
		body["packages"] = []string{"*"}
		return a.guarded(ctx, c)
	}
	return ans, err
}

func creation(name string, password secret.Text, want store.Shape) map[string]any {
	body := map[string]any{"name": name, "password": secret.Wire{Text: password}}
	put := func(value any, present bool, keys ...string) {
		for _, k := range keys {
			if present {
				body[k] = value
			}
		}
	}
	put(want.Description, want.Description != "", "description", "token_description")
	put(want.ExpiresDays, want.ExpiresDays > 0, "expires")
	put(want.Packages, len(want.Packages) > 0, "packages")
	put(true, want.PackagesAll, "packages_all")
	put(want.Scopes, len(want.Scopes) > 0, "scopes")
	put(want.Orgs, len(want.Orgs) > 0, "orgs")
	put(want.Permission, want.Permission != "", "packages_and_scopes_permission")
	put(want.OrgsPerm, want.OrgsPerm != "", "orgs_permission")
	put(want.CIDR, len(want.CIDR) > 0, "cidr_whitelist", "cidr")
	put(true, want.Bypass2FA, "bypass_2fa")
	return body
}

// keyOf finds the key of a token that the registry made without naming one.
func (a *Account) keyOf(ctx context.Context, name string) (string, error) {
	tokens, err := a.List(ctx)
	if err != nil {
		return "", err
	}
	for _, t := range tokens {
		if t.Name == name {
			return t.Key, nil
		}
	}
	return "", a.reg.garbled("create a token", "names no key, and its list no token called "+name)
}

// List returns the account's tokens that are not revoked.
func (a *Account) List(ctx context.Context) ([]rotate.Token, error) {
	listed, err := a.list(ctx)
	if err != nil {
		return nil, err
	}
	var tokens []rotate.Token
	for _, f := range listed {
		if !f.revoked() {
			tokens = append(tokens, f.token(a.cfg.Now()))
		}
	}
	return tokens, nil
}

// list reads every page. A registry that counts more tokens than it lists and
// names no further page is asked for the next one by number.
func (a *Account) list(ctx context.Context) ([]fields, error) {
	const doing = "list the tokens"
	var all []fields
	pages, keys := map[string]bool{}, map[string]bool{}
	size := 0
	for next := tokensPath; len(pages) < maxPages && size < maxListing; {
		ans, err := a.guarded(ctx, call{doing: doing, method: http.MethodGet, path: next, list: true})
		if err != nil {
			return nil, err
		}
		pages[next] = true
		size += len(ans.body)
		var page struct {
			Objects *[]fields `json:"objects"`
			Total   float64   `json:"total"`
			URLs    fields    `json:"urls"`
		}
		if err := a.reg.decode(doing, ans, &page); err != nil {
			return nil, err
		}
		if page.Objects == nil {
			return nil, a.reg.garbled(doing, "holds no list")
		}
		before := len(all)
		for _, f := range *page.Objects {
			// A token whose key cannot be read still counts by its name.
			t := f.token(time.Time{})
			if id := t.Key + " " + t.Name; id != " " && !keys[id] {
				keys[id] = true
				all = append(all, f)
			}
		}
		switch next = page.URLs.text("next"); {
		case next != "":
			if next, err = a.reg.nextPage(doing, next); err != nil {
				return nil, err
			}
		case int(page.Total) > len(all) && len(all) > before:
			next = fmt.Sprintf("%s?page=%d", tokensPath, len(pages))
		default:
			return all, nil
		}
		if pages[next] {
			break
		}
	}
	return nil, a.reg.garbled(doing, "goes on without an end")
}

// nextPage is where the listing goes on. The session token goes to no other
// origin: of an address elsewhere, as behind a proxy, only the query counts.
func (r *registry) nextPage(doing, raw string) (string, error) {
	u, err := url.Parse(raw)
	if err == nil && (u.Path == "" || u.Host != "" && origin(u) != origin(r.base)) {
		return tokensPath + "?" + u.RawQuery, nil
	}
	if u, err = r.resolve(doing, raw); err != nil {
		return "", err
	}
	return u.String(), nil
}

// Revoke deletes the token with this key. A token that is gone is no error.
func (a *Account) Revoke(ctx context.Context, key string) error {
	const doing = "revoke a token"
	if !keyLike.MatchString(key) {
		return &Error{Kind: ErrRefused, Message: doing + ": what is kept as its key is none", Hint: "delete the token on npm's website"}
	}
	ans, err := a.guarded(ctx, call{doing: doing, method: http.MethodDelete, path: tokensPath + "/token/" + key})
	switch {
	case err == nil || ans.status == http.StatusNotFound:
		return nil
	case ans.status == http.StatusBadRequest:
		// "invalid token" (B.7) may be said of one that is gone.
		if listed, lerr := a.List(ctx); lerr == nil && !holds(listed, key) {
			return nil
		}
	}
	return err
}

func holds(tokens []rotate.Token, key string) bool {
	for _, t := range tokens {
		if t.Key == key {
			return true
		}
	}
	return false
}
