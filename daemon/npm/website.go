package npm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"rotd/daemon/browser"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// Website passes pages of npm's site in Chromium, with the passcard's website
// session. One Pass at a time: a passcard has one session.
type Website struct {
	Browser   browser.Config
	Keep      Keeper       // nil: every visit begins signed out
	ReportDir string       // where pages are kept that were not recognised; empty: nowhere
	Log       *slog.Logger // nil: none

	// patience is how long a page may take to become one that is known, and an
	// answer to come; 0 is pagePatience.
	patience time.Duration
}

var _ Pages = (*Website)(nil)

const (
	pagePatience = 10 * time.Second
	// tidyTime bounds what is done after the last page, whatever became of ctx.
	tidyTime = 5 * time.Second
)

// Pass opens url, which the registry gave, and enters what npm asks there until
// the page says that all is done. The session is kept afterwards, also after
// an error or the end of ctx. c.Passkey's sign count goes up with its use; where
// a passkey is kept, the count is kept before it is used.
//
// Errors are *Error of this package, *browser.Error where the browser is
// missing or failed, or wrap the end of ctx. No page is retried: a refusal, a
// bot check or an unknown page ends it.
func (w *Website) Pass(ctx context.Context, url string, c *Credentials) (err error) {
	log := w.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	b, life, end, err := outlasting(ctx, passing, log, func(life context.Context) (*browser.Browser, error) { return browser.Start(life, w.Browser) })
	if err != nil {
		return err
	}
	defer end()
	v := w.visit(b, c, log)
	err = v.run(ctx, url)
	tidy, cancel := context.WithTimeout(life, tidyTime)
	defer cancel()
	v.keep(tidy)
	return v.explain(ctx, tidy, err)
}

const passing = "pass npm's page"

func (w *Website) visit(b *browser.Browser, c *Credentials, log *slog.Logger) *visit {
	return &visit{Website: w, doing: passing, log: log, b: b, page: b.Page(), c: c, patience: cmp.Or(w.patience, pagePatience)}
}

// outlasting starts a browser that lives longer than ctx, for as long as it
// takes to save its session: until end. The end of ctx ends the start, too.
func outlasting[B io.Closer](ctx context.Context, doing string, log *slog.Logger, start func(life context.Context) (B, error)) (b B, life context.Context, end func(), err error) {
	life, kill := context.WithCancel(context.WithoutCancel(ctx))
	end = func() {
		if err := b.Close(); err != nil {
			log.Warn("the browser left something behind", "err", err)
		}
		kill()
	}
	stop := context.AfterFunc(ctx, kill)
	b, err = start(life)
	if !stop() { // ctx has ended, and the browser with it
		if err == nil {
			end()
		}
		err = fmt.Errorf("%s: %w", doing, ctx.Err())
	}
	if err != nil {
		kill()
	}
	return b, life, end, err
}

// kept reads a secret of the passcard, the zero Text where there is none.
func (w *Website) kept(ctx context.Context, k store.Kind) (secret.Text, error) {
	if w.Keep == nil {
		return secret.Text{}, nil
	}
	t, err := w.Keep.Secret(ctx, k)
	if errors.Is(err, store.ErrNotFound) {
		return secret.Text{}, nil
	}
	return t, err
}

// restore puts the session of the last visit into the browser. One that cannot
// be used costs a sign-in, no more.
func (v *visit) restore(ctx context.Context) error {
	session, err := v.kept(ctx, store.KindCookies)
	if err != nil || session.IsZero() {
		return err
	}
	if err := v.b.SetCookies(ctx, []byte(session.Reveal())); err != nil {
		if errors.Is(err, browser.ErrFailed) || ctx.Err() != nil {
			return err
		}
		v.log.Warn("the website session was not restored", "err", err)
	}
	return nil
}

// keep seals the session, and the count of a security key that was used.
func (v *visit) keep(ctx context.Context) {
	if v.keyUsed {
		count, err := v.page.SignCount(ctx)
		if err == nil {
			err = v.keepCount(ctx, count)
		}
		if err != nil {
			v.log.Warn("the security key's count was not read; the one kept before its use stands", "err", err)
		}
	}
	if v.Keep == nil {
		return
	}
	session, err := v.b.Cookies(ctx)
	if err == nil {
		err = v.Keep.PutSecret(ctx, store.KindCookies, secret.New(string(session)))
	}
	if err != nil {
		v.log.Warn("the website session was not kept", "err", err)
	}
}

// keepCount raises the security key's sign count, in the run and, where that
// very key is kept, in the passcard. It never lowers it, and it keeps no key
// that was not kept before.
func (v *visit) keepCount(ctx context.Context, count int64) error {
	k := v.c.Passkey
	k.SignCount = max(k.SignCount, count)
	text, err := v.kept(ctx, store.KindPasskey)
	if err != nil || text.IsZero() {
		return err
	}
	var have ipc.Passkey
	if json.Unmarshal([]byte(text.Reveal()), &have) != nil || have.CredentialID != k.CredentialID || have.SignCount >= k.SignCount {
		return nil
	}
	have.SignCount = k.SignCount
	raw, err := json.Marshal(have)
	if err != nil {
		return fmt.Errorf("keep the security key's count: %w", err)
	}
	return v.Keep.PutSecret(ctx, store.KindPasskey, secret.New(string(raw)))
}
