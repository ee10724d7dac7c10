package daemon

import (
	"context"
	"errors"
	"sync"
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
	settle []string // ROTs with unfinished generations
	rotate []string
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
	for _, r := range rots {
		if unfinished[r.ID] && !d.running.has(r.ID) {
			if at := d.settles.at(r.ID); now.Before(at) {
				later(at)
			} else {
				w := of(r.Passcard)
				w.settle = append(w.settle, r.ID)
			}
		}
		switch {
		case r.Next.IsZero() || d.running.has(r.ID):
		case now.Before(r.Next):
			later(r.Next)
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
	for passcard, w := range work {
		unlock, ok := d.passcards.try(passcard)
		if !ok {
			continue
		}
		d.work.Go(func() {
			defer d.kick()
			defer unlock()
			d.perform(ctx, passcard, w)
		})
	}
}

// perform does what is due for one passcard, with nobody there to be asked.
func (d *Daemon) perform(ctx context.Context, passcard string, w *duty) {
	st := d.store.Load()
	quiet := func(string, string) {}
	acct, err := d.passcardAccount(ctx, st, passcard, nil, quiet)
	if err != nil {
		d.cfg.Log.Error("cannot use a passcard", "passcard", passcard, "err", err)
		return
	}
	for _, id := range w.settle {
		d.settle(ctx, st, acct, id)
	}
	for _, id := range w.rotate {
		rot, err := st.ROT(ctx, id)
		if err == nil && !rot.Next.IsZero() && !d.cfg.Now().Before(rot.Next) && ctx.Err() == nil {
			d.rotateOne(ctx, st, acct, id, func(string, string, string) {})
		}
	}
}

// settle brings what is unfinished of a ROT to its end, or decides when to try
// again.
func (d *Daemon) settle(ctx context.Context, st *store.Store, acct *npm.Account, id string) {
	rot, err := st.ROT(ctx, id)
	if err == nil {
		err = d.engine.Settle(ctx, acct, rot, func(name, _ string) { d.cfg.Log.Info("settling", "rot", id, "step", name) })
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		d.cfg.Log.Warn("something is left to settle", "rot", id, "err", err)
	}
	d.settles.note(id, d.cfg.Now(), err, retryAfter(err))
}

// retryAfter is the time that npm asked to be left alone for.
func retryAfter(err error) time.Duration {
	var e *npm.Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// settleTimes remember when to settle a ROT again. They need not outlive the
// daemon: a start is a good time to look. The zero value is ready.
type settleTimes struct {
	mu    sync.Mutex
	times map[string]settleTime
}

type settleTime struct {
	next     time.Time
	failures int
}

// at is when to settle next; the zero time where nothing speaks against now.
func (s *settleTimes) at(id string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.times[id].next
}

func (s *settleTimes) note(id string, now time.Time, err error, retryAfter time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		delete(s.times, id)
		return
	}
	if s.times == nil {
		s.times = make(map[string]settleTime)
	}
	t := settleTime{failures: s.times[id].failures + 1}
	t.next = rotate.Resettle(now, t.failures, retryAfter)
	s.times[id] = t
}
