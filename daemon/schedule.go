package daemon

import (
	"context"
	"errors"
	"time"

	"rotd/daemon/npm"
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
			d.start(ctx, work)
			if !next.IsZero() {
				nap = min(longestNap, max(shortestNap, next.Sub(d.cfg.Now())))
			}
		}
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
	passcard store.Passcard
	settle   []string // ROTs with unfinished generations
	rotate   []string
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
	passcards, err := st.Passcards(ctx)
	if err != nil {
		return nil, next, err
	}
	byID := make(map[string]store.Passcard, len(passcards))
	for _, p := range passcards {
		byID[p.ID] = p
	}
	unfinished := make(map[string]bool)
	for _, g := range open {
		unfinished[g.ROT] = true
	}
	work = make(map[string]*duty)
	of := func(passcard string) *duty {
		if work[passcard] == nil {
			work[passcard] = &duty{passcard: byID[passcard]}
		}
		return work[passcard]
	}
	later := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for _, r := range rots {
		if unfinished[r.ID] && !d.running.has(r.ID) {
			if at := d.settles.at(r.ID); now.Before(at) {
				later(at)
			} else {
				w := of(r.Passcard)
				w.settle = append(w.settle, r.ID)
			}
		}
		at := r.Next
		if held := d.held.at(r.ID); held.After(at) {
			at = held
		}
		switch {
		case r.Next.IsZero() || d.running.has(r.ID):
		case now.Before(at):
			later(at)
		default:
			w := of(r.Passcard)
			w.rotate = append(w.rotate, r.ID)
		}
	}
	return work, next, nil
}

// start begins what is due, a goroutine a passcard. A passcard that is in use
// is left for later; whoever uses it kicks the timer.
func (d *Daemon) start(ctx context.Context, work map[string]*duty) {
	for _, w := range work {
		unlock, ok := d.passcards.try(lockOf(w.passcard.Registry, w.passcard.Username))
		if !ok {
			continue
		}
		d.work.Go(func() {
			defer d.kick()
			defer unlock()
			d.perform(ctx, w)
		})
	}
}

// perform does what is due for one passcard, with nobody there to be asked.
func (d *Daemon) perform(ctx context.Context, w *duty) {
	st := d.store.Load()
	acct, err := d.passcardAccount(st, w.passcard, nil, func(string, string) {})
	if err != nil {
		d.cfg.Log.Error("cannot use a passcard", "passcard", w.passcard.ID, "err", err)
		for _, id := range append(w.settle, w.rotate...) {
			d.held.hold(id, d.cfg.Now().Add(time.Minute), nil)
			d.settles.note(id, d.cfg.Now(), toWire(err), 0)
		}
		return
	}
	for _, id := range w.settle {
		d.settle(ctx, st, acct, id)
	}
	var due []string
	for _, id := range w.rotate { // settling may have rotated it
		rot, err := st.ROT(ctx, id)
		if err == nil && !rot.Next.IsZero() && !d.cfg.Now().Before(rot.Next) {
			due = append(due, id)
		}
	}
	d.rotateEach(ctx, st, acct, due, nil, func(string, string, string) {})
}

// settle brings what is unfinished of a ROT to its end, or decides when to try
// again.
func (d *Daemon) settle(ctx context.Context, st *store.Store, acct *npm.Account, id string) {
	rot, err := st.ROT(ctx, id)
	if err == nil {
		err = d.engine.Settle(ctx, acct, rot, func(name, _ string) { d.cfg.Log.Info("settling", "rot", id, "step", name) })
	}
	switch {
	case ctx.Err() != nil:
	case err == nil:
		d.settles.release(id)
	default:
		wire := toWire(err)
		d.cfg.Log.Info("something is left to settle", "rot", id, "code", wire.Code, "err", err)
		d.settles.note(id, d.cfg.Now(), wire, retryAfter(err))
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
