package npm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"rotd/daemon/browser"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

const signingIn = "sign in"

// closedError says that a registry does not offer a way to sign in, or maybe
// refuses the user. The other way is tried then.
type closedError struct {
	error
	maybe bool
}

func (e closedError) Unwrap() error { return e.error }

// SignIn gets a session token and keeps it. There are two ways: the legacy
// login with user name, password and code, which needs no browser and may be
// closed any day (B.9), and the web login through npm's page (B.3).
func (a *Account) SignIn(ctx context.Context) error {
	if err := a.load(ctx); err != nil {
		return err
	}
	if a.cfg.MaySignIn != nil {
		if err := a.cfg.MaySignIn(); err != nil {
			return err
		}
	}
	a.tell("signing in", "signing in at "+a.reg.base.Host)
	session, err := a.newSession(ctx)
	if err != nil {
		return err
	}
	a.know(session)
	name, err := a.whoami(ctx, signingIn, session)
	switch {
	case errors.Is(err, ErrSessionExpired):
		return &Error{Kind: ErrSessionExpired, Message: signingIn + ": the registry refuses the session that it has just given", Hint: "try again later"}
	case err != nil:
		return err
	case a.username != "" && !strings.EqualFold(name, a.username):
		return &Error{Kind: ErrRefused, Message: fmt.Sprintf("%s: this is the account of %s, not of %s", signingIn, name, a.username),
			Hint: "sign in as " + a.username + ", or connect " + name + " as a passcard of its own"}
	}
	a.username, a.session = name, session
	if a.cfg.Keep != nil {
		return a.cfg.Keep.PutSecret(ctx, store.KindSession, session)
	}
	return nil
}

// newSession signs in the likelier way, and the other one if that is closed.
func (a *Account) newSession(ctx context.Context) (secret.Text, error) {
	first, second := a.webLogin, a.couchLogin
	if a.couchFirst() {
		first, second = second, first
	}
	session, err := first(ctx)
	var closed closedError
	if !errors.As(err, &closed) {
		return session, err
	}
	session, err2 := second(ctx)
	if errors.As(err2, &closedError{}) && closed.maybe {
		return session, err // what a person can mend
	}
	return session, err2
}

// closedBy sorts the refusal of a way to sign in.
func closedBy(status int, err error) error {
	switch {
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusGone || status == http.StatusNotImplemented:
		return closedError{err, false}
	case errors.Is(err, ErrRefused) || errors.Is(err, ErrWrongPassword):
		return closedError{err, true}
	}
	return err
}

// couchFirst reports whether the login without a browser is likely to do: the
// code can be computed, or the person will type it, or nobody is there to pass
// a page, nor a passkey. With a window npm's sign-in page asks for less.
func (a *Account) couchFirst() bool {
	if a.cfg.Pages == nil {
		return true
	}
	if _, ok := a.cfg.Pages.(*Window); ok {
		return !a.password.IsZero() && a.factor.key != nil
	}
	return !a.password.IsZero() && (a.factor.key != nil || a.typesCodes() || a.passkey == nil && a.cfg.Ask == nil)
}

// typesCodes reports whether a code is asked for rather than a page opened.
func (a *Account) typesCodes() bool {
	return a.cfg.Pages == nil || a.cfg.Terminal && a.passkey == nil
}

// noBrowser reports whether pages cannot be opened on this machine, so that
// what can do without them should.
func noBrowser(err error) bool {
	return errors.Is(err, browser.ErrNotFound) || errors.Is(err, browser.ErrRootSandbox)
}

// webLogin has npm's page make the session.
func (a *Account) webLogin(ctx context.Context) (secret.Text, error) {
	if a.cfg.Pages == nil {
		return secret.Text{}, closedError{&Error{Kind: ErrNeedsPerson, Message: signingIn + ": the registry wants its page opened, and there is no browser", Hint: "install Chromium, or name a browser with `rotd run --browser PATH`"}, false}
	}
	c := call{doing: signingIn, method: http.MethodPost, path: "/-/v1/login", command: "login", body: struct{}{}}
	ans, err := a.reg.do(ctx, c)
	switch {
	case err != nil:
		return secret.Text{}, err
	case !ans.ok():
		err := a.reg.failure(signingIn, ans)
		if ans.status == http.StatusInternalServerError { // so does the npm client
			return secret.Text{}, closedError{err, true}
		}
		return secret.Text{}, closedBy(ans.status, err)
	}
	var body struct {
		LoginURL string `json:"loginUrl"`
		DoneURL  string `json:"doneUrl"`
	}
	if err := a.reg.decode(signingIn, ans, &body); err != nil {
		return secret.Text{}, err
	}
	a.tell("signing in", "opening npm's sign-in page")
	session, err := a.passPage(ctx, c, body.LoginURL, body.DoneURL)
	if noBrowser(err) {
		err = closedError{err, true}
	}
	if err == nil && !sane(session.Reveal(), minToken, maxToken) {
		err = a.reg.garbled(signingIn, "holds a session that is none")
	}
	return session, err
}

// couchLogin is `npm login --auth-type=legacy`.
func (a *Account) couchLogin(ctx context.Context) (secret.Text, error) {
	if a.username == "" {
		name, err := a.ask(ctx, signingIn, ipc.AskUsername, "npm user name")
		if err != nil {
			return secret.Text{}, err
		}
		if err := checkUsername(strings.TrimSpace(name.Reveal())); err != nil {
			return secret.Text{}, err
		}
		a.username = strings.TrimSpace(name.Reveal())
	}
	password, err := a.needPassword(ctx, signingIn)
	if err != nil {
		return secret.Text{}, err
	}
	body := map[string]any{
		"_id": "org.couchdb.user:" + a.username, "name": a.username, "password": secret.Wire{Text: password},
		"type": "user", "roles": []string{}, "date": a.cfg.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
	}
	c := call{doing: signingIn, method: http.MethodPut, path: "/-/user/org.couchdb.user:" + url.PathEscape(a.username), command: "login", body: body}
	if a.typesCodes() {
		c.auth = "legacy" // a code is wanted, no page to be sent to
	}
	ans, err := a.challenged(ctx, c)
	if err == nil && ans.status == http.StatusConflict {
		ans, err = a.couchRevision(ctx, c, body)
	}
	if err != nil {
		return secret.Text{}, err
	}
	return a.couchSession(ans)
}

// couchRevision is what the npm client does after a 409: the user's record is
// read and written again, with the password in the header.
func (a *Account) couchRevision(ctx context.Context, c call, body map[string]any) (answer, error) {
	get := c
	get.method, get.body, get.path = http.MethodGet, nil, c.path+"?write=true"
	ans, err := a.reg.do(ctx, get)
	if err != nil || !ans.ok() {
		return ans, err
	}
	var record map[string]any
	if err := a.reg.decode(c.doing, ans, &record); err != nil {
		return answer{}, err
	}
	rev, _ := record["_rev"].(string)
	if rev == "" {
		rev = "undefined" // what the npm client sends then, and Verdaccio takes
	}
	maps.DeleteFunc(record, func(k string, _ any) bool { return body[k] != nil && k != "roles" })
	maps.Copy(body, record)
	c.path += "/-rev/" + url.PathEscape(rev)
	c.basic = &basicAuth{a.username, a.password}
	return a.challenged(ctx, c)
}

func (a *Account) couchSession(ans answer) (secret.Text, error) {
	words := a.reg.words(ans)
	wrong := &Error{Kind: ErrWrongPassword, Message: signingIn + ": npm refused the user name or the password", Hint: "check both, and run `rot connect npm` again"}
	if words != "" {
		wrong.Message += ": " + words
	}
	switch {
	case ans.ok():
	case ans.status == http.StatusUnauthorized || ans.status == http.StatusConflict || ans.refused() && wrongPassword.MatchString(words):
		return secret.Text{}, wrong
	case ans.status == http.StatusBadRequest: // "no such user" (B.9), or a registry without this login
		return secret.Text{}, closedBy(ans.status, wrong)
	default:
		return secret.Text{}, closedBy(ans.status, a.reg.failure(signingIn, ans))
	}
	session, err := a.doneToken(signingIn, ans)
	if err == nil && !sane(session.Reveal(), minToken, maxToken) {
		err = a.reg.garbled(signingIn, "holds a session that is none")
	}
	return session, err
}

// needPassword returns the account's password, asking for it once a run.
func (a *Account) needPassword(ctx context.Context, doing string) (secret.Text, error) {
	if !a.password.IsZero() {
		return a.password, nil
	}
	p, err := a.ask(ctx, doing, ipc.AskPassword, "npm password of "+a.username)
	if err != nil {
		return p, err
	}
	a.password = p
	return p, nil
}
