package daemon

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"rotd/daemon/rotate"
	"rotd/store"
)

// duty is what is due for one passcard.
type duty struct {
	settle []string // ROTs with unfinished generations, or deliveries that are behind
	rotate []string
	check  bool // the session has not been looked at for long
}

// due collects what is due now, by passcard, and the time at which something
// will be next. looked is when this was last asked; zero, where it never was.
func (d *Daemon) due(ctx context.Context, looked time.Time) (work map[string]*duty, next time.Time, err error) {
	st := d.store.Load()
	now := d.cfg.Now()
	unfinished, err := unfinished(ctx, st)
	if err != nil {
		return nil, next, err
	}
	rots, live, err := d.lookAt(ctx, st, now, looked, unfinished)
	if err != nil {
		return nil, next, err
	}
	work = make(map[string]*duty)
	of := func(passcard string) *duty {
		if work[passcard] == nil {
			work[passcard] = new(duty)
		}
		return work[passcard]
	}
	later := func(t time.Time) { next = earlier(next, t) }
	var near []store.ROT
	for _, r := range rots {
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
	switch first, err := st.FirstDue(ctx, now.Add(soon)); {
	case err == nil:
		later(first.Next)
	case !errors.Is(err, store.ErrNotFound):
		return nil, next, err
	}
	checks, at, err := d.dueChecks(ctx, st, now)
	if err != nil {
		return nil, next, err
	}
	for _, passcard := range checks {
		of(passcard).check = true
	}
	return work, earlier(next, at), nil
}

// unfinished are the ROTs with unfinished generations, or deliveries that are
// behind.
func unfinished(ctx context.Context, st *store.Store) (map[string]bool, error) {
	open, err := st.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	found := make(map[string]bool)
	for _, g := range open {
		found[g.ROT] = true
	}
	behind, err := st.Undelivered(ctx)
	for _, rot := range behind {
		found[rot] = true
	}
	return found, err
}

// lookAt returns the ROTs for which there may be something to do, the oldest
// first: those that are unfinished, and those that are due soon. At the first
// look, and where the clock was set back since the last one, that is all of them,
// as reckon has to see them; the timer has a first look each day. live are their generations that live.
func (d *Daemon) lookAt(ctx context.Context, st *store.Store, now, looked time.Time, unfinished map[string]bool) (rots []store.ROT, live map[string][]store.Generation, err error) {
	if looked.IsZero() || now.Before(looked) {
		d.stir()
		if rots, err = st.ROTs(ctx); err == nil {
			live, err = st.Live(ctx)
		}
		return rots, live, err
	}
	if rots, err = st.Due(ctx, now.Add(soon), now); err != nil {
		return nil, nil, err
	}
	for id := range unfinished {
		if slices.ContainsFunc(rots, func(r store.ROT) bool { return r.ID == id }) {
			continue
		}
		r, err := st.ROT(ctx, id)
		if err == nil {
			rots = append(rots, r)
		} else if !errors.Is(err, store.ErrNotFound) { // it was removed just now
			return nil, nil, err
		}
	}
	slices.SortFunc(rots, func(a, b store.ROT) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
	if len(rots) > fewROTs {
		live, err = st.Live(ctx)
		return rots, live, err
	}
	live = make(map[string][]store.Generation, len(rots))
	for _, r := range rots {
		if live[r.ID], err = st.Generations(ctx, r.ID, store.StepCurrent); err != nil {
			return nil, nil, err
		}
	}
	return rots, live, nil
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
	next := rotate.Next(now, g, r, d.engine.Jitter())
	d.cfg.Log.Info("the clock was set back: the next rotation is drawn anew", "rot", r.ID, "was", r.Next, "is", next)
	return next, st.SetNext(ctx, r.ID, next)
}
