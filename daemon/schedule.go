package daemon

import (
	"context"
	"errors"
	"math/rand/v2"
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
	for {
		nap := longestNap
		if work, next, err := d.due(ctx); err != nil {
			if ctx.Err() == nil {
				d.cfg.Log.Error("cannot tell what is due", "err", err)
			}
		} else {
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

// duty is what is due for one passcard.
type duty struct {
	settle []string // ROTs with unfinished generations, or deliveries that are behind
	rotate []string
	check  bool // the session has not been looked at for long
}

// due collects what is due now, by passcard, and the time at which something
// will be next.
func (d *Daemon) due(ctx context.Context) (work map[string]*duty, next time.Time, err error) {
	st := d.store.Load()
	now := d.cfg.Now()
	rots, err := st.ROTs(ctx)
	if err != nil {
		return nil, next, err
	}
	open, err := st.Unfinished(ctx)
	if err != nil {
		return nil, next, err
	}
	unfinished := make(map[string]bool)
	for _, g := range open {
		unfinished[g.ROT] = true
	}
	behind, err := st.Undelivered(ctx)
	if err != nil {
		return nil, next, err
	}
	for _, rot := range behind {
		unfinished[rot] = true
	}
	work = make(map[string]*duty)
	of := func(passcard string) *duty {
		if work[passcard] == nil {
			work[passcard] = new(duty)
		}
		return work[passcard]
	}
	later := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	live, err := st.Live(ctx)
	if err != nil {
		return nil, next, err
	}
	var near []store.ROT
	inUse := make(map[string]bool) // passcards whose ROTs are rotated by themselves
	for _, r := range rots {
		inUse[r.Passcard] = inUse[r.Passcard] || r.Current > 0 && !r.Schedule.Paused
		if d.running.has(r.ID) {
			continue
		}
		if unfinished[r.ID] {
			if at := d.settles.at(r.ID, now); now.Before(at) {
				later(at)
			} else {
				w := of(r.Passcard)
				w.settle = append(w.settle, r.ID)
			}
		}
		if r.Next, err = d.reckon(ctx, st, now, r, served(r, live[r.ID])); err != nil {
			return nil, next, err
		}
		held := d.held.at(r.ID, now)
		switch {
		case r.Next.IsZero():
		case now.Before(held):
			later(held)
		case !now.Before(r.Next):
			w := of(r.Passcard)
			w.rotate = append(w.rotate, r.ID)
		default:
			later(r.Next)
			near = append(near, r)
		}
	}
	for _, r := range near {
		if w := work[r.Passcard]; w != nil && len(w.rotate) > 0 && isSoon(now, r) {
			w.rotate = append(w.rotate, r.ID)
		}
	}
	checks, at, err := d.dueChecks(ctx, st, now, inUse)
	if err != nil {
		return nil, next, err
	}
	for _, passcard := range checks {
		of(passcard).check = true
	}
	if !at.IsZero() {
		later(at)
	}
	return work, next, nil
}

// isSoon tells whether a ROT may go along with one that is due: it is almost
// its time too, and it does not wait for a failure to pass.
func isSoon(now time.Time, r store.ROT) bool {
	return !r.Next.IsZero() && r.Failures == 0 && r.Next.Sub(now) <= min(soon, r.Next.Sub(r.LastAttempt)/8)
}

// served is the generation of r that is served, of those that live.
func served(r store.ROT, live []store.Generation) store.Generation {
	for _, g := range live {
		if g.N == r.Current {
			return g
		}
	}
	return store.Generation{}
}

// reckon is when to rotate r next, after a look at the clock: one that was
// ahead when r was rotated or tried last, and has been set back, has left a next
// time that is too late. It is drawn anew and kept.
func (d *Daemon) reckon(ctx context.Context, st *store.Store, now time.Time, r store.ROT, g store.Generation) (time.Time, error) {
	if r.Next.IsZero() || r.Current == 0 {
		return r.Next, nil
	}
	if r.Trouble.Code != "" {
		if !now.Before(r.LastAttempt) {
			return r.Next, nil
		}
		next := now.Add(r.Next.Sub(r.LastAttempt)) // as long from now as it was then
		return next, st.SetTrouble(ctx, r.ID, r.Trouble, r.Failures, next)
	}
	// A right one is never later than one that is drawn now; the minute is for
	// what is postponed.
	if !r.Next.After(rotate.Next(now, g, r, 0).Add(signInPause)) {
		return r.Next, nil
	}
	next := rotate.Next(now, g, r, rand.Float64())
	d.cfg.Log.Info("the clock was set back: the next rotation is drawn anew", "rot", r.ID, "was", r.Next, "is", next)
	return next, st.SetNext(ctx, r.ID, next)
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
	d.leases.takeGone(id)
	rot, err := st.ROT(ctx, id)
	if err == nil {
		wait, err = d.engine.Settle(ctx, acct, rot, func(name, _ string) { d.cfg.Log.Info("settling", "rot", id, "step", name) })
	}
	switch now := d.cfg.Now(); {
	case ctx.Err() != nil:
	case err == nil:
		d.settles.wait(id, now, wait.Until)
		if d.leases.takeGone(id) { // its last reader, while that was found out
			d.settles.release(id)
		}
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
