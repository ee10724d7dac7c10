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

const (
	// longestNap is the longest the timer sleeps, though it is known what is to be
	// done next, and when.
	longestNap = time.Hour
	// longestPartly is how long it looks at no more than what is known to be near.
	longestPartly = day
	// afterJump is how long it waits when the clock was set, or the machine has slept,
	// before it looks: a network takes as long to come back, too.
	afterJump = 15 * time.Second
)

// shortestNap keeps a clock that runs backwards from making the timer spin.
const shortestNap = 100 * time.Millisecond

// soon is how far ahead the timer looks for a passcard that has something due:
// one sign-in, and one second factor, then serve for all of it.
const soon = time.Hour

// schedule is the timer. It runs until the daemon stops.
func (d *Daemon) schedule() {
	ctx := d.stop
	alarm := newAlarm()
	defer alarm.close()
	var looked, whole time.Time // the last look, and the last one at everything
	for {
		alarm.set(longestNap) // from here on it hears of a clock that is set
		nap, now, began := tickingNap, d.cfg.Now(), time.Now()
		if looked.IsZero() || now.Before(looked) || now.Sub(whole) > longestPartly {
			looked, whole = time.Time{}, now
		}
		if next, err := d.look(ctx, looked); err != nil {
			if ctx.Err() == nil {
				d.cfg.Log.Error("cannot tell what is due", "err", err)
			}
		} else {
			looked = now
			nap = longestNap
			if !next.IsZero() {
				nap = min(longestNap, max(shortestNap, next.Sub(d.cfg.Now())))
			}
		}
		d.turn()
		alarm.set(nap)
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-alarm.rings():
			now := time.Now()
			if jumped(now.Round(0).Sub(began.Round(0)), now.Sub(began)) {
				_ = sleep(ctx, afterJump)
			}
		}
	}
}

// jumped reports whether the wall clock has gone on by another time than has passed
// for this machine: it was set, or the machine has slept.
func jumped(wall, passed time.Duration) bool { return (wall - passed).Abs() > 5*time.Second }

// look begins what is due, and says what has changed, and when there will be
// something next. looked is when that was last done; zero, where it never was.
func (d *Daemon) look(ctx context.Context, looked time.Time) (next time.Time, err error) {
	work, next, err := d.due(ctx, looked)
	if err != nil {
		return next, err
	}
	tell, err := d.tellChanges(ctx)
	if err != nil && ctx.Err() == nil {
		d.cfg.Log.Error("cannot tell what has changed", "err", err)
		tell = d.cfg.Now().Add(tickingNap)
	}
	if d.start(ctx, work) {
		next = earlier(next, d.cfg.Now().Add(tickingNap))
	}
	d.sayState(ctx)
	return earlier(next, tell), nil
}

// earlier is the first of two times, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// kick makes the timer look again at once.
func (d *Daemon) kick() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// start begins what is due, a goroutine a passcard. A passcard that is in use
// is left for later, and left says so; whoever uses it kicks the timer.
func (d *Daemon) start(ctx context.Context, work map[string]*duty) (left bool) {
	for passcard, w := range work {
		unlock, ok := d.passcards.try(passcard)
		if !ok {
			left = true
			continue
		}
		done := d.takesAWhile()
		d.work.Go(func() {
			defer d.kick()
			defer done()
			defer unlock()
			d.perform(ctx, passcard, w)
		})
	}
	return left
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
