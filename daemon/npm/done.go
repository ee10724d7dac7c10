package npm

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"rotd/ipc/secret"
)

const (
	pageTime    = 15 * time.Minute // how long a person gets on a page
	pollsAfter  = 30               // polls after the page was passed
	pollFaults  = 5                // polls in a row that may fail
	minPollWait = 200 * time.Millisecond
	maxPollWait = 30 * time.Second
)

// passPage opens a page of npm's and polls the address that tells its outcome
// (npm-facts B.3, B.4): a session token or a one-time code. Whichever of the
// two ends first with a result or an error ends the other; only a window that
// was closed leaves time for a last look, as its page may have been passed.
func (a *Account) passPage(ctx context.Context, c call, page, done string) (secret.Text, error) {
	pageURL, err := a.reg.resolve(c.doing, page)
	if err != nil {
		return secret.Text{}, err
	}
	doneURL, err := a.reg.resolve(c.doing, done)
	if err != nil {
		return secret.Text{}, err
	}
	pctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var p polling
	nap, wake := context.WithCancel(pctx)
	defer wake()
	ended := make(chan error, 1)
	creds := a.credentials()
	go func() {
		err := a.cfg.Pages.Pass(pctx, pageURL.String(), creds)
		p.passed.Store(err == nil)
		switch {
		case errors.Is(err, errClosed):
			p.closed.Store(true)
			wake()
		case err != nil:
			stop(err)
		}
		ended <- err
	}()
	token, err := a.poll(pctx, nap, c, doneURL, &p)
	if err == nil {
		stop(errPassed)
	}
	stop(err)
	pageErr := <-ended
	switch {
	case err == nil:
		return token, nil
	case ctx.Err() != nil:
		return secret.Text{}, a.stopped(ctx, c.doing, err)
	case pageErr != nil && !errors.Is(pageErr, context.Canceled):
		return secret.Text{}, pageErr
	}
	return secret.Text{}, err
}

// polling is what a poll is told of its page.
type polling struct {
	passed atomic.Bool
	closed atomic.Bool // by the person
}

// poll asks done until it gives a token. 202 means not yet, and names a pause,
// which ends with nap.
func (a *Account) poll(ctx, nap context.Context, c call, done *url.URL, p *polling) (secret.Text, error) {
	get := call{doing: c.doing, method: http.MethodGet, path: done.String(), command: c.command}
	if origin(done) == origin(a.reg.base) {
		get.bearer = c.bearer
	}
	var faults, after int
	for waited := time.Duration(0); ; {
		last := p.closed.Load()
		ans, err := a.reg.do(ctx, get)
		if err == nil && ans.ok() && ans.status != http.StatusAccepted {
			return a.doneToken(c.doing, ans)
		}
		if err == nil && ans.status != http.StatusAccepted {
			if err = a.reg.failure(c.doing, ans); errors.Is(err, ErrRefused) {
				err = &Error{Kind: ErrRefused, Message: c.doing + ": the registry does not wait for npm's page any more", Hint: "try again, and pass the page within a few minutes"}
			}
		}
		switch {
		case ctx.Err() != nil:
			return secret.Text{}, a.stopped(ctx, c.doing, ctx.Err())
		case last:
			return secret.Text{}, errClosed
		case err == nil:
			faults = 0
		case errors.Is(err, ErrUnreachable) || errors.Is(err, ErrServer) || errors.Is(err, ErrRateLimited):
			if faults++; faults >= pollFaults {
				return secret.Text{}, err
			}
		default:
			return secret.Text{}, err
		}
		if p.passed.Load() {
			if after++; after > pollsAfter {
				return secret.Text{}, &Error{Kind: ErrPage, Message: c.doing + ": npm's page was passed, and the registry does not know of it", Hint: "try again"}
			}
		}
		pause := a.reg.retryAfter(ans)
		if pause == 0 {
			pause = time.Second
		}
		pause = min(max(pause, minPollWait), maxPollWait)
		if waited += pause; waited > pageTime {
			return secret.Text{}, &Error{Kind: ErrNeedsPerson, Message: c.doing + ": nobody passed npm's page within 15 minutes", Hint: "run the command again and pass the check in the window that opens"}
		}
		if err := a.cfg.Sleep(nap, pause); err != nil && ctx.Err() != nil {
			return secret.Text{}, a.stopped(ctx, c.doing, err)
		}
	}
}

func (a *Account) doneToken(doing string, ans answer) (secret.Text, error) {
	var body struct {
		Token secret.Text `json:"token"`
	}
	if err := a.reg.decode(doing, ans, &body); err != nil {
		return secret.Text{}, err
	}
	if body.Token.IsZero() {
		return secret.Text{}, a.reg.garbled(doing, "to a passed page holds no token")
	}
	a.know(body.Token)
	return body.Token, nil
}

// credentials are what the page driver may enter. A password that it asks for
// is known to the run from then on.
func (a *Account) credentials() *Credentials {
	c := &Credentials{Username: a.username, Password: a.password, Passkey: a.passkey}
	if a.factor.key != nil {
		var tried attempts
		c.TOTP = func(ctx context.Context) (secret.Text, error) {
			// A page that asks again has refused the first code, or takes each
			// only once.
			if tried.codes > 0 {
				return a.nextTOTPCode(ctx, &tried)
			}
			return a.totpCode(ctx, &tried)
		}
	}
	if a.cfg.Ask != nil {
		c.Ask = func(ctx context.Context, kind, text string) (secret.Text, error) {
			return a.ask(ctx, "sign in", kind, text)
		}
	}
	return c
}

// resolve reads an address that the registry gave. As the npm client does, a
// relative one is taken below the registry, and one at the public registry
// means the registry that was asked, which may be a mirror of it.
func (r *registry) resolve(doing, raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || raw == "" {
		return nil, r.garbled(doing, "names an address that is none")
	}
	public, _ := url.Parse(PublicRegistry())
	if (u.Scheme == "" && u.Host == "") || strings.EqualFold(u.Hostname(), public.Hostname()) {
		there := *r.base
		there.RawQuery = u.RawQuery
		prefix := strings.TrimSuffix(r.base.Path, "/")
		there.Path = "/" + strings.TrimPrefix(u.Path, "/")
		if prefix != "" && there.Path != prefix && !strings.HasPrefix(there.Path, prefix+"/") {
			there.Path = prefix + there.Path
		}
		return &there, nil
	}
	if u.Host == "" || !confidential(u) {
		return nil, r.garbled(doing, "names an address that is not https")
	}
	return u, nil
}
