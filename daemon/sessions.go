package daemon

import (
	"context"
	"errors"
	"hash/fnv"
	"time"

	"rotd/daemon/npm"
	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/store"
)

// The website way has nothing but its session, and npm may end that at any time.
// So it is looked at now and then, and the user hears of its end while the
// token that is served is still good for weeks. The registry way is not looked
// at: its session lives for hours, ends before every rotation, and is made anew
// with what is remembered; a sign-in a day would tell npm more than us.

// checkEvery is the least between two looks at a session that nothing uses.
const checkEvery = day

// checkJitter spreads the looks of many passcards.
const checkJitter = 4 * time.Hour

// checkAt is when p's session is to be looked at; never, where p has none or a
// person has to sign in anyway. The jitter is p's own, and another one each day.
func checkAt(p store.Passcard, now time.Time) time.Time {
	switch {
	case p.Via != ipc.ViaWebsite || p.Trouble.Code != "":
		return never
	case p.Checked.After(now): // the clock was set back
		return now
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(p.ID + p.Checked.String()))
	return p.Checked.Add(checkEvery + time.Duration(h.Sum64()%uint64(checkJitter)))
}

// dueChecks are the passcards whose sessions are to be looked at, of those whose
// ROTs are rotated by themselves, and the time at which there will be another one.
func (d *Daemon) dueChecks(ctx context.Context, st *store.Store, now time.Time) (due []string, next time.Time, err error) {
	inUse, err := st.InUse(ctx)
	if err != nil {
		return nil, next, err
	}
	passcards, err := st.Passcards(ctx)
	for _, p := range passcards {
		at := checkAt(p, now)
		if held := d.held.at(p.ID, now); !at.IsZero() && held.After(at) {
			at = held
		}
		switch {
		case at.IsZero() || !inUse[p.ID]:
		case !now.Before(at):
			due = append(due, p.ID)
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	return due, next, err
}

// website is what the daemon needs of npm.Web.
type website interface {
	rotate.Account
	Username() string
	// SignIn makes sure of a session, Check looks whether there is one.
	SignIn(ctx context.Context) error
	Check(ctx context.Context) error
	SignOut(ctx context.Context) error
	Close(ctx context.Context) error
}

// websiteAccount is an account of the website way. When it is closed the store
// learns what its run has seen of the session.
type websiteAccount struct {
	website
	d        *Daemon
	st       *store.Store
	passcard store.Passcard

	seen    bool       // npm has shown that there is a session, or that there is none
	trouble *ipc.Error // why a person has to sign in; nil: nobody has to
}

func (w *websiteAccount) Create(ctx context.Context, name string, want store.Shape) (rotate.Token, error) {
	tk, err := w.website.Create(ctx, name, want)
	w.learn(err)
	return tk, err
}

func (w *websiteAccount) List(ctx context.Context) ([]rotate.Token, error) {
	all, err := w.website.List(ctx)
	w.learn(err)
	return all, err
}

func (w *websiteAccount) Revoke(ctx context.Context, key string) error {
	err := w.website.Revoke(ctx, key)
	w.learn(err)
	return err
}

func (w *websiteAccount) Check(ctx context.Context) error {
	err := w.website.Check(ctx)
	w.learn(err)
	return err
}

func (w *websiteAccount) SignIn(ctx context.Context) error {
	err := w.website.SignIn(ctx)
	w.learn(err)
	return err
}

// learn is told how a call ended that needs the session.
func (w *websiteAccount) learn(err error) {
	switch {
	case err == nil:
		w.seen, w.trouble = true, nil
	case errors.Is(err, npm.ErrNeedsSignIn):
		w.seen, w.trouble = true, toWire(err)
	}
}

// check looks whether the session is still there, unless this run has seen it,
// or another one did since the timer last looked. One that has ended is renewed
// with what is remembered. It is not tried again before the next day, whatever
// comes of it; a bot check or an npm that is away says nothing of the session,
// and the next rotation will tell.
func (w *websiteAccount) check(ctx context.Context) error {
	now := w.d.cfg.Now()
	if at := checkAt(w.passcard, now); w.seen || at.IsZero() || now.Before(at) {
		return nil
	}
	err := w.website.Check(ctx) // what it says is not the last word
	if errors.Is(err, npm.ErrNeedsSignIn) {
		if err = w.SignIn(ctx); err != nil && forPerson(toWire(err).Code) {
			w.trouble = toWire(err)
		}
	}
	w.seen = ctx.Err() == nil
	return err
}

// Close notes what has become of the session.
func (w *websiteAccount) Close(ctx context.Context) error {
	err := w.website.Close(ctx)
	if !w.seen {
		return err
	}
	var why store.Trouble
	if w.trouble != nil {
		w.trouble.Hint = personHint(ipc.CodeNeedsSignIn, passcardRef(w.passcard.ID))
		why = trouble(w.trouble)
	}
	now := w.d.cfg.Now()
	serr := w.st.NoteSession(ctx, w.passcard.ID, now, why)
	if serr != nil && !errors.Is(serr, store.ErrNotFound) { // it may have been removed
		w.d.held.wait(w.passcard.ID, now, now.Add(checkEvery)) // or the timer would spin
		err = errors.Join(err, serr)
	}
	return err
}

// checkSession is the timer's look at a session.
func (d *Daemon) checkSession(ctx context.Context, acct npmAccount) {
	w, ok := acct.(*websiteAccount)
	if !ok {
		return
	}
	if err := w.check(ctx); err != nil {
		d.cfg.Log.Warn("a session was not found in order", "passcard", w.passcard.ID, "code", toWire(err).Code, "err", err)
	} else {
		d.cfg.Log.Debug("a session is in order", "passcard", w.passcard.ID)
	}
}
