package store

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestASchedule(t *testing.T) {
	st := newState(t)
	s, ctx := st.open(t), t.Context()
	p := must[Passcard](t)(s.AddPasscard(ctx, Passcard{Registry: "r", Username: "ada", Via: "registry"}))
	r := addROT(t, s, p.ID, "ci")
	next := st.clock.t.Add(time.Hour)
	for _, to := range []Schedule{{Every: 30 * 24 * time.Hour}, {BeforeExpiry: 36 * time.Hour}, {Paused: true}, {}} {
		ok(t, s.SetSchedule(ctx, r.ID, to, next))
		r.Schedule, r.Next = to, next
		if diff := cmp.Diff(r, must[ROT](t)(s.ROT(ctx, r.ID))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		next = next.Add(time.Hour)
	}
	ok(t, s.SetNext(ctx, r.ID, time.Time{}))
	ok(t, s.SetNotified(ctx, r.ID, "failing"))
	r.Next, r.Notified, r.NotifiedAt = time.Time{}, "failing", st.clock.t
	if diff := cmp.Diff(r, must[ROT](t)(s.ROT(ctx, r.ID))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, err := range map[string]error{
		"SetSchedule": s.SetSchedule(ctx, "rot_none", Schedule{}, next),
		"SetNext":     s.SetNext(ctx, "rot_none", next),
		"SetNotified": s.SetNotified(ctx, "rot_none", ""),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of none: %v", name, err)
		}
	}
}
