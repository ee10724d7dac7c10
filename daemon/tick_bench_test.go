package daemon

import (
	"context"
	"fmt"
	"testing"
	"time"

	"rotd/ipc/secret"
	"rotd/store"
)

// BenchmarkTick is one look of the timer at 10 000 ROTs, under a supervisor: at
// what is due, at what to tell the user, and at what to tell the supervisor. Of
// one in so many the token has to be rotated.
func BenchmarkTick(b *testing.B) {
	for _, c := range []struct {
		name string
		due  bool
	}{{"nothing-due", false}, {"one-due", true}} {
		b.Run(c.name, func(b *testing.B) {
			w := newClockwork(b)
			w.d.notify = func(context.Context, []Notice) error { return nil }
			w.d.cfg.Supervisor = mute{}
			w.fill(10_000, c.due)
			looked := w.d.cfg.Now()
			if _, _, err := w.d.due(b.Context(), time.Time{}); err != nil { // the first look is at all
				b.Fatal(err)
			}
			for b.Loop() {
				work, next, err := w.d.due(b.Context(), looked)
				if err != nil || next.IsZero() || len(work) > 0 != c.due {
					b.Fatalf("%d passcards with work, next %v, %v", len(work), next, err)
				}
				if _, err := w.d.tellChanges(b.Context()); err != nil {
					b.Fatal(err)
				}
				w.d.sayState(b.Context())
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "tick-ms")
		})
	}
}

// fill makes so many ROTs with a value, without rotating them.
func (w *clockwork) fill(rots int, oneDue bool) {
	w.t.Helper()
	ctx := w.t.Context()
	passcard := w.passcard(1)
	now := w.now()
	for i := range rots {
		next := now.Add(time.Duration(1+i%60) * 24 * time.Hour)
		if i == 0 && oneDue {
			next = now.Add(-time.Minute)
		}
		r, err := w.st.AddROT(ctx, store.ROT{Passcard: passcard, Name: fmt.Sprint("rot-", i)})
		w.must(err)
		_, err = w.st.Plan(ctx, r.ID, func(int) string { return "token-of-" + r.ID })
		w.must(err)
		w.must(w.st.Created(ctx, r.ID, 1, "k", secret.New("npm_0123456789012345678901234567EXAMPLE"), now, now.AddDate(0, 3, 0)))
		w.must(w.st.Advance(ctx, r.ID, 1, store.StepCreated, store.StepVerified))
		w.must(w.st.MakeCurrent(ctx, r.ID, 1, next, store.Shape{PackagesAll: true}))
	}
}

// mute is a Supervisor that listens to nothing.
type mute struct{}

func (mute) Ready()        {}
func (mute) Status(string) {}
func (mute) Alive()        {}
func (mute) Reloading()    {}
func (mute) Stopping()     {}
