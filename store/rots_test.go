package store

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestROTs(t *testing.T) {
	st := newState(t)
	s, ctx := st.open(t), t.Context()
	ada, bob := addPasscard(t, s, "ada"), addPasscard(t, s, "bob")
	shape := Shape{Description: "d", ExpiresDays: 90, Packages: []string{"a", "@b/c"}, Scopes: []string{"@b"}, Orgs: []string{"o"},
		Permission: "read-write", OrgsPerm: "read-only", CIDR: []string{"10.0.0.0/8"}, Bypass2FA: true}
	next := st.clock.t.Add(time.Hour)
	one := must[ROT](t)(s.AddROT(ctx, ROT{Passcard: ada.ID, Name: "one", Shape: shape, Next: next.In(time.FixedZone("", 3600)), Current: 7, Failures: 7}))
	st.clock.advance(time.Second)
	two := must[ROT](t)(s.AddROT(ctx, ROT{Passcard: bob.ID}))
	want := ROT{ID: one.ID, Passcard: ada.ID, Name: "one", Shape: shape, Created: st.clock.t.Add(-time.Second), Next: next}
	if diff := cmp.Diff(want, one); diff != "" {
		t.Errorf("AddROT (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]ROT{one, two}, must[[]ROT](t)(s.ROTs(ctx))); diff != "" {
		t.Errorf("ROTs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]ROT{two}, must[[]ROT](t)(s.ROTsOf(ctx, bob.ID))); diff != "" {
		t.Errorf("ROTsOf (-want +got):\n%s", diff)
	}

	ok(t, s.SetNext(ctx, one.ID, time.Time{}))
	trouble := Trouble{Code: "wrong_password", Message: "m", Hint: "h"}
	ok(t, s.SetTrouble(ctx, two.ID, trouble, 3, next))
	one.Next = time.Time{}
	two.Trouble, two.Failures, two.LastAttempt = trouble, 3, st.clock.t // no Next: it has no value
	for _, want := range []ROT{one, two} {
		if diff := cmp.Diff(want, must[ROT](t)(s.ROT(ctx, want.ID))); diff != "" {
			t.Errorf("after the changes (-want +got):\n%s", diff)
		}
	}
	ok(t, s.SetTrouble(ctx, two.ID, Trouble{}, 0, next))
	if got := must[ROT](t)(s.ROT(ctx, two.ID)); got.Trouble != (Trouble{}) || got.Failures != 0 {
		t.Errorf("the trouble is not cleared: %+v", got)
	}
}

func TestTroubleThatIsOver(t *testing.T) {
	st := newState(t)
	s, ctx := st.open(t), t.Context()
	rot := addROT(t, s, addPasscard(t, s, "ada").ID, "").ID
	for _, first := range []bool{true, false} {
		if !first {
			rotate(t, s, rot, "t1", "npm_oneEXAMPLE")
		}
		want := must[ROT](t)(s.ROT(ctx, rot))
		if !first {
			want.LastAttempt = must[[]Generation](t)(s.Generations(ctx, rot, StepCurrent))[0].Created
		}
		st.clock.advance(time.Hour)
		ok(t, s.SetTrouble(ctx, rot, Trouble{Code: "needs_sign_in", Message: "m"}, 2, want.Next))
		ok(t, s.ClearTrouble(ctx, rot))
		if diff := cmp.Diff(want, must[ROT](t)(s.ROT(ctx, rot))); diff != "" {
			t.Errorf("before the first success: %v (-want +got):\n%s", first, diff)
		}
	}
}

func TestROTsThatAreRefused(t *testing.T) {
	s, ctx := openNew(t), t.Context()
	p := must[Passcard](t)(s.AddPasscard(ctx, Passcard{Name: "work", Registry: "r", Username: "ada", Via: "registry"}))
	addROT(t, s, p.ID, "deploy")
	for _, name := range []string{"deploy", "work"} {
		if _, err := s.AddROT(ctx, ROT{Passcard: p.ID, Name: name}); !errors.Is(err, ErrTaken) || HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.AddROT(ctx, ROT{Passcard: "pas_none"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a ROT of no passcard: %v", err)
	}
	if _, err := s.AddROT(ctx, ROT{Passcard: p.ID, Name: "rot_x"}); err == nil {
		t.Error("a name like an id was taken")
	}
	for name, err := range map[string]error{
		"SetTrouble":   s.SetTrouble(ctx, "rot_none", Trouble{}, 0, time.Time{}),
		"ClearTrouble": s.ClearTrouble(ctx, "rot_none"),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of none: %v", name, err)
		}
	}
	if _, err := s.ROT(ctx, "rot_none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("ROT of none: %v", err)
	}
}
