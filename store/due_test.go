package store

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// TestWhatTheTimerLooksFor: of many ROTs those that matter, and no others.
func TestWhatTheTimerLooksFor(t *testing.T) {
	st := newState(t)
	s, ctx, now := st.open(t), t.Context(), st.clock.t
	if has := must[bool](t)(s.AnyROT(ctx)); has {
		t.Error("there is a ROT in an empty state")
	}
	ada, bob := addPasscard(t, s, "ada").ID, addPasscard(t, s, "bob").ID
	var ids []string
	for _, name := range []string{"due", "soon", "late", "paused"} {
		id := addROT(t, s, ada, name).ID
		rotate(t, s, id, "t-"+name, "npm_EXAMPLE-"+name)
		ids = append(ids, id)
		st.clock.advance(time.Second)
	}
	due, soon, late, paused := ids[0], ids[1], ids[2], ids[3]
	st.clock.t = now.Add(time.Minute) // the last attempts are over
	ok(t, s.SetNext(ctx, due, now.Add(-time.Hour)))
	ok(t, s.SetNext(ctx, soon, now.Add(time.Hour)))
	ok(t, s.SetNext(ctx, late, now.Add(100*time.Hour)))
	ok(t, s.SetSchedule(ctx, paused, Schedule{Paused: true}, time.Time{}))

	idsOf := func(rots []ROT) (ids []string) {
		for _, r := range rots {
			ids = append(ids, r.ID)
		}
		return ids
	}
	check := func(what string, got, want []string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	check("due within two hours", idsOf(must[[]ROT](t)(s.Due(ctx, now.Add(2*time.Hour), st.clock.t))), []string{due, soon})
	check("after the clock was set back", idsOf(must[[]ROT](t)(s.Due(ctx, now.Add(-2*time.Hour), now.Add(2*time.Second)))), []string{paused})
	if r := must[ROT](t)(s.FirstDue(ctx, now)); r.ID != soon {
		t.Errorf("the first from now on is %s", r.Name)
	}
	if _, err := s.FirstDue(ctx, now.Add(101*time.Hour)); !errors.Is(err, ErrNotFound) {
		t.Errorf("the first of none: %v", err)
	}
	if got := must[map[string][]string](t)(s.ROTIDs(ctx)); !slices.Equal(got[ada], ids) || got[bob] != nil {
		t.Errorf("the ids of each passcard: %v", got)
	}
	end := must[time.Time](t)(s.FirstExpiry(ctx, now))
	if end.IsZero() || !end.After(now) {
		t.Errorf("the first of the tokens ends at %v", end)
	}
	if last := must[time.Time](t)(s.FirstExpiry(ctx, end)); !last.IsZero() && !last.After(end) {
		t.Errorf("after %v ends the one of %v", end, last)
	}
	if none := must[time.Time](t)(s.FirstExpiry(ctx, now.Add(1000*24*time.Hour))); !none.IsZero() {
		t.Errorf("after 1000 days ends that of %v", none)
	}
	other := addROT(t, s, bob, "empty").ID
	if got := must[map[string]bool](t)(s.InUse(ctx)); !got[ada] || got[bob] {
		t.Errorf("passcards in use: %v", got)
	}
	if has := must[bool](t)(s.AnyROT(ctx)); !has {
		t.Error("there is no ROT")
	}

	notable := func(want ...string) {
		t.Helper()
		got := must[[]string](t)(s.Notable(ctx, now))
		slices.Sort(got)
		slices.Sort(want)
		check("notable", got, want)
	}
	notable()
	ok(t, s.SetTrouble(ctx, due, Trouble{Code: "unreachable", Message: "m"}, 1, now))
	ok(t, s.SetNotified(ctx, soon, "failing"))
	d := must[Delivery](t)(s.AddDelivery(ctx, Delivery{ROT: late, Name: "fleet", Command: []string{"true"}}))
	notable(due, soon)
	ok(t, s.NotDelivered(ctx, d.ID, "m", "", now))
	ok(t, s.NoteSession(ctx, bob, now, Trouble{Code: "needs_sign_in", Message: "m"}))
	notable(due, soon, late, other)
	if got := must[[]string](t)(s.Notable(ctx, now.Add(91*24*time.Hour))); len(got) != 5 {
		t.Errorf("when all have expired: %v", got)
	}
}
