package daemon

import (
	"context"
	"errors"
	"time"

	"rotd/daemon/npm"
	"rotd/daemon/rotate"
	"rotd/store"
)

// never is the time of what does not happen by itself.
var never time.Time

// longestNap is the longest the timer sleeps. Go's timers stand still while a
// machine is suspended, and a clock can be set: looking at the wall clock every
// minute catches up with both.
const longestNap = time.Minute

// shortestNap keeps a clock that runs backwards from making the timer spin.
const shortestNap = 100 * time.Millisecond

// soon is how far ahead the timer looks for a passcard that has something due:
// one sign-in, and one second factor, then serve for all of it.
const soon = time.Hour

// schedule is the timer. It runs until the daemon stops.
func (d *Daemon) schedule() {
	ctx := d.stop
	var looked time.Time
	for {
		nap, now := longestNap, d.cfg.Now()
		if work, next, err := d.due(ctx, looked); err != nil {
			if ctx.Err() == nil {
				d.cfg.Log.Error("cannot tell what is due", "err", err)
			}
		} else {
			looked = now
			if err := d.tellChanges(ctx); err != nil && ctx.Err() == nil {
				d.cfg.Log.Error("cannot tell what has changed", "err", err)
			}
			d.start(ctx, work)
			d.sayState(ctx)
			if !next.IsZero() {
				nap = min(longestNap, max(shortestNap, next.Sub(d.cfg.Now())))
			}
		}
		d.turn()
		t := time.NewTimer(nap)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-d.wake:
			t.Stop()
		case <-t.C:
		}
	}
}

// kick makes the timer look again at once.
func (d *Daemon) kick() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// start begins what is due, a goroutine a passcard. A passcard that is in use
// is left for later; whoever uses it kicks the timer.
func (d *Daemon) start(ctx context.Context, work map[string]*duty) {
	for passcard, w := range work {
		unlock, ok := d.passcards.try(passcard)
		if !ok {
			continue
		}
		d.work.Go(func() {
			defer d.kick()
			defer d.stir()
			defer unlock()
			d.perform(ctx, passcard, w)
		})
	}
}

// perform does what is due for one passcard, with nobody there to be asked.
func (d *Daemon) perform(ctx context.Context, passcard string, w *duty) {
	st := d.store.Load()
	acct, err := d.unattended(ctx, st, passcard)
	if err != nil {
		d.cfg.Log.Error("cannot use a passcard", "passcard", passcard, "err", err)
		now := d.cfg.Now()
		for _, id := range w.rotate {
			d.held.wait(id, now, now.Add(time.Minute))
		}
		for _, id := range w.settle {
			d.settles.note(id, now, toWire(err), 0)
		}
		d.held.wait(passcard, now, now.Add(time.Minute))
		return
	}
	defer d.closeAccount(ctx, acct)
	for _, id := range w.settle {
		// Another run may have tried since, and nobody guesses a password twice.
		if now := d.cfg.Now(); !now.Before(d.settles.at(id, now)) {
			d.settle(ctx, st, acct, id)
		}
	}
	var due []string
	for _, id := range w.rotate {
		rot, err := st.ROT(ctx, id)
		// Somebody may have rotated it since, or changed its schedule.
		if now := d.cfg.Now(); err == nil && !rot.Next.IsZero() && (!now.Before(rot.Next) || isSoon(now, rot)) {
			due = append(due, id)
		}
	}
	d.rotateEach(ctx, st, acct, due, nil, func(string, string, string) {})
	if w.check {
		d.checkSession(ctx, acct)
	}
}

// settle brings what is unfinished of a ROT to its end, or decides when to try
// again.
func (d *Daemon) settle(ctx context.Context, st *store.Store, acct rotate.Account, id string) {
	var wait rotate.Waiting
	mark := d.settles.mark()
	rot, err := st.ROT(ctx, id)
	if err == nil {
		wait, err = d.engine.Settle(ctx, acct, rot, func(name, _ string) { d.cfg.Log.Info("settling", "rot", id, "step", name) })
	}
	switch now := d.cfg.Now(); {
	case ctx.Err() != nil:
	case err == nil:
		d.settles.waitSince(mark, id, now, wait.Until)
	default:
		wire := toWire(err)
		d.cfg.Log.Info("something is left to settle", "rot", id, "code", wire.Code, "err", err)
		d.settles.note(id, now, wire, retryAfter(err))
	}
}

// retryAfter is the time that npm asked to be left alone for.
func retryAfter(err error) time.Duration {
	var e *npm.Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}
