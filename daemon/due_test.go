package daemon

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// TestASmallLookFindsWhatALookAtAllFinds: whatever has become of the ROTs and of
// the clock, the timer finds the same to do, to tell the user and to tell the
// supervisor as if it had looked at each of them.
func TestASmallLookFindsWhatALookAtAllFinds(t *testing.T) {
	for seed := range uint64(8) {
		w := newClockwork(t)
		w.rnd = rand.New(rand.NewPCG(11, seed))
		w.d.engine.Courier = moody{w.rnd}
		var passcards, rots []string
		for n := range 3 {
			passcards = append(passcards, w.passcard(n))
		}
		for n := range 9 {
			rots = append(rots, w.rot(passcards[n%3], 1+w.rnd.IntN(90)))
		}
		empty, err := w.st.AddROT(t.Context(), store.ROT{Passcard: passcards[0], Shape: store.Shape{PackagesAll: true, ExpiresDays: 7}})
		w.must(err)
		rots = append(rots, empty.ID)
		for step := range 150 {
			did := w.anything(passcards, rots)
			when := fmt.Sprintf("seed %d, step %d, after %s", seed, step, did)
			w.sameLooks(when)
			w.sameNews(when)
			if w.rnd.IntN(2) == 0 {
				w.stillUntilNext(when)
			}
			if t.Failed() {
				return
			}
		}
	}
}

// sameLooks compares a look at what may be due with one at everything.
func (w *clockwork) sameLooks(when string) {
	w.t.Helper()
	small, soonest, err := w.d.due(w.t.Context(), w.last)
	w.must(err)
	whole, next, err := w.d.due(w.t.Context(), time.Time{})
	w.must(err)
	w.last = w.now()
	holds := 0 // for which the timer may look in vain
	for rot := range w.d.held.rot {
		if w.now().Before(w.d.held.at(rot, w.now())) {
			holds++
		}
	}
	if !reflect.DeepEqual(small, whole) || holds == 0 && soonest.Sub(next).Abs() > time.Millisecond {
		w.t.Errorf("%s: found %s, next %v, want %s, next %v", when, dutiesText(small), soonest, dutiesText(whole), next)
	}
}

func dutiesText(work map[string]*duty) string {
	var b strings.Builder
	for passcard, w := range work {
		fmt.Fprintf(&b, "%s %+v ", passcard, *w)
	}
	return b.String()
}

// sameNews compares what is told after a look at the ROTs that are not simply
// well with what would be after one at all.
func (w *clockwork) sameNews(when string) {
	w.t.Helper()
	ctx := w.t.Context()
	some, err := w.d.notableViews(ctx, w.st)
	w.must(err)
	found := make(map[string]ipc.ROT)
	for _, v := range some {
		found[v.Ref] = v
	}
	all, err := w.d.rotViews(ctx, w.st)
	w.must(err)
	for _, v := range all {
		r, err := w.st.ROT(ctx, strings.TrimPrefix(v.Ref, rotRef("")))
		w.must(err)
		got, ok := found[v.Ref]
		if ok && got.State != v.State && v.State != ipc.StateRevoked {
			w.t.Errorf("%s: %s is %s, want %s", when, v.Ref, got.State, v.State)
		}
		if !ok && (worthTelling(w.now(), r, v) || v.State == ipc.StateNeedsSignIn) {
			w.t.Errorf("%s: nobody is told that %s is %s", when, v.Ref, v.State)
		}
	}
	line, err := w.d.stateLine(ctx, w.st)
	w.must(err)
	if want := stateText(all); line != want {
		w.t.Errorf("%s: the supervisor is told %q, want %q", when, line, want)
	}
	if w.rnd.IntN(3) == 0 {
		w.d.notify = func(context.Context, []Notice) error { return nil }
		_, err := w.d.tellChanges(ctx)
		w.must(err)
		w.d.work.Wait()
	}
}

// stillUntilNext lets the timer look until it has nothing to do, and some of the time
// pass that it then sleeps for: there must be nothing to do, and nothing to tell.
func (w *clockwork) stillUntilNext(when string) {
	w.t.Helper()
	told := 0
	w.d.notify = func(_ context.Context, all []Notice) error { told += len(all); return nil }
	look := func() (work map[string]*duty, next time.Time) {
		work, next, err := w.d.due(w.t.Context(), w.last)
		w.must(err)
		w.last = w.now()
		tell, err := w.d.tellChanges(w.t.Context())
		w.must(err)
		w.d.work.Wait()
		return work, earlier(next, tell)
	}
	work, next := look()
	if len(work) > 0 {
		return // who has done it makes the timer look again
	}
	nap := 100 * day
	if !next.IsZero() {
		nap = next.Sub(w.now())
	}
	if nap <= time.Millisecond {
		w.t.Errorf("%s: it is to look again in %v, and has just done so", when, nap)
		return
	}
	began := w.now()
	told = 0
	w.npm = w.npm.Add(nap - time.Duration(w.rnd.Int64N(int64(nap)/2)) - time.Millisecond)
	if work, _ := look(); len(work) > 0 || told > 0 {
		w.t.Errorf("%s: at %v it was to sleep until %v, and at %v there is this to do: %s; and %d to tell", when, began, next, w.now(), dutiesText(work), told)
	}
}

// anything changes something of the ROTs, or of the clock, and says what.
func (w *clockwork) anything(passcards, rots []string) string {
	w.t.Helper()
	ctx, now := w.t.Context(), w.now()
	passcard, rot := passcards[w.rnd.IntN(len(passcards))], rots[w.rnd.IntN(len(rots))]
	span := func(most time.Duration) time.Duration { return time.Duration(w.rnd.Int64N(int64(most))) }
	around := func(most time.Duration) time.Time { return now.Add(span(2*most) - most) }
	why := store.Trouble{Code: string([]ipc.Code{ipc.CodeUnreachable, ipc.CodeNeedsApproval, ipc.CodeNeedsSignIn}[w.rnd.IntN(3)]), Message: "m"}
	absent := func(err error) {
		if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrTaken) && !errors.Is(err, store.ErrStep) {
			w.must(err)
		}
	}
	does := []struct {
		what string
		do   func()
	}{
		{"some seconds", func() { w.npm = w.npm.Add(span(tickingNap)) }},
		{"some hours", func() { w.npm = w.npm.Add(span(10 * time.Hour)) }},
		{"some days", func() { w.npm = w.npm.Add(span(20 * day)) }},
		{"the clock was set", func() { w.skew = span(40*day) - 20*day }},
		{"the clock was set right", func() { w.skew = 0 }},
		{"a failure", func() { w.must(w.st.SetTrouble(ctx, rot, why, 1+w.rnd.IntN(9), around(6*time.Hour))) }},
		{"a failure for a person", func() { w.must(w.st.SetTrouble(ctx, rot, why, 1, never)) }},
		{"a failure while the clock was ahead", func() {
			w.skew += 2 * time.Hour
			w.must(w.st.SetTrouble(ctx, rot, why, 3, w.now().Add(span(6*time.Hour))))
			w.skew -= 2 * time.Hour
		}},
		{"its end", func() { w.must(w.st.ClearTrouble(ctx, rot)) }},
		{"a postponement", func() { w.must(w.st.SetNext(ctx, rot, now.Add(span(time.Minute)))) }},
		{"a schedule", func() {
			r, err := w.st.ROT(ctx, rot)
			w.must(err)
			r.Schedule = store.Schedule{Every: time.Hour + span(20*day), Paused: w.rnd.IntN(4) == 0}
			live, err := w.st.Generations(ctx, rot, store.StepCurrent)
			w.must(err)
			next := never
			if r.Current > 0 {
				next = rotate.Next(now, served(r, live), r, w.rnd.Float64())
			}
			w.must(w.st.SetSchedule(ctx, rot, r.Schedule, next))
		}},
		{"a plan", func() {
			_, err := w.st.Plan(ctx, rot, func(n int) string { return fmt.Sprint("planned-", rot, n) })
			absent(err)
		}},
		{"a hold", func() { w.d.held.wait(rot, now, around(time.Hour)) }},
		{"a failure to settle", func() { w.d.settles.note(rot, now, &ipc.Error{Code: ipc.Code(why.Code)}, 0) }},
		{"a wait", func() { w.d.settles.wait(rot, now, around(time.Hour)) }},
		{"the end of a wait", func() { w.d.settles.release(rot) }},
		{"a delivery", func() {
			_, err := w.st.AddDelivery(ctx, store.Delivery{ROT: rot, Name: "d", Command: []string{"true"}})
			absent(err)
		}},
		{"a delivery's turn", func() {
			all, err := w.st.Deliveries(ctx, rot)
			w.must(err)
			r, err := w.st.ROT(ctx, rot)
			w.must(err)
			for _, d := range all {
				if w.rnd.IntN(2) == 0 {
					w.must(w.st.Delivered(ctx, d.ID, r.Current, ""))
				} else {
					w.must(w.st.NotDelivered(ctx, d.ID, "m", "", around(time.Hour)))
				}
			}
		}},
		{"a session's end", func() { w.must(w.st.NoteSession(ctx, passcard, now, why)) }},
		{"a session", func() { w.must(w.st.NoteSession(ctx, passcard, now, store.Trouble{})) }},
		{"a turn", func() { w.turn() }},
	}
	of := does[w.rnd.IntN(len(does))]
	of.do()
	return of.what
}

// moody is a courier that comes through every other time or so.
type moody struct{ rnd *rand.Rand }

func (m moody) Deliver(context.Context, store.Delivery, store.Generation, secret.Text) (string, error) {
	if m.rnd.IntN(2) == 0 {
		return "", errors.New("not today")
	}
	return "", nil
}

// A passcard that could not be used is left alone for a while, and that is all: where
// no session is to be looked at, there is nothing to do when it is over.
func TestAfterAHoldOfAPasscard(t *testing.T) {
	w := newClockwork(t)
	passcard := w.passcard(0)
	w.rot(passcard, 90)
	w.d.held.wait(passcard, w.now(), w.now().Add(time.Minute))
	for range 3 {
		w.npm = w.npm.Add(40 * time.Second)
		work, next, err := w.d.due(t.Context(), w.last)
		w.must(err)
		w.last = w.now()
		if len(work) > 0 || next.Sub(w.now()) < day {
			t.Errorf("to do: %s, next in %v", dutiesText(work), next.Sub(w.now()))
		}
	}
}
