package store

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDeliveries(t *testing.T) {
	st := newState(t)
	s, ctx := st.open(t), t.Context()
	rot := addROT(t, s, addPasscard(t, s, "ada").ID, "").ID
	add := func(name string, command ...string) (Delivery, error) {
		st.clock.advance(time.Second)
		return s.AddDelivery(ctx, Delivery{ROT: rot, Name: name, Command: command, Delivered: 9})
	}
	first := must[Delivery](t)(add("gh", "gh", "secret", "set", "NPM_TOKEN"))
	second := must[Delivery](t)(add("etcd", "etcdctl"))
	if first.Delivered != 0 || !strings.HasPrefix(first.ID, "dlv_") || first.Created.IsZero() {
		t.Errorf("added %+v", first)
	}
	if _, err := add("gh", "true"); !errors.Is(err, ErrTaken) || HintOf(err) == "" {
		t.Errorf("a second of the name: %v", err)
	}
	for _, name := range []string{"", "a b", "../x", "-x", strings.Repeat("x", 65)} {
		if _, err := add(name, "true"); err == nil {
			t.Errorf("%q is taken as a name", name)
		}
	}
	if _, err := add("none"); err == nil {
		t.Error("a delivery without a command")
	}
	if _, err := s.AddDelivery(ctx, Delivery{ROT: "rot_none", Name: "x", Command: []string{"true"}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("of no ROT: %v", err)
	}

	next := st.clock.t.Add(time.Minute)
	ok(t, s.NotDelivered(ctx, first.ID, "exit status 1", strings.Repeat("é", MaxOutput)+"end", next))
	ok(t, s.NotDelivered(ctx, first.ID, "exit status 2", "é"+strings.Repeat("x", MaxOutput-1), next))
	first.Failures, first.Next, first.LastAttempt, first.LastResult = 2, next, st.clock.t, "exit status 2"
	first.LastOutput = strings.Repeat("x", MaxOutput-1)
	if diff := cmp.Diff([]Delivery{first, second}, must[[]Delivery](t)(s.Deliveries(ctx, rot))); diff != "" {
		t.Errorf("after failures (-want +got):\n%s", diff)
	}
	ok(t, s.Delivered(ctx, first.ID, 2, "done"))
	ok(t, s.Delivered(ctx, first.ID, 1, "done")) // late news of an older one
	want := first
	want.Delivered, want.DeliveredAt, want.LastAttempt = 2, st.clock.t, st.clock.t
	want.Failures, want.Next, want.LastResult, want.LastOutput = 0, time.Time{}, "", "done"
	if diff := cmp.Diff(map[string][]Delivery{rot: {want, second}}, must[map[string][]Delivery](t)(s.AllDeliveries(ctx))); diff != "" {
		t.Errorf("after a success (-want +got):\n%s", diff)
	}

	ok(t, s.RemoveDelivery(ctx, rot, "gh"))
	for name, err := range map[string]error{
		"RemoveDelivery": s.RemoveDelivery(ctx, rot, "gh"),
		"Delivered":      s.Delivered(ctx, first.ID, 3, ""),
		"NotDelivered":   s.NotDelivered(ctx, first.ID, "", "", next),
		"SetGrace":       s.SetGrace(ctx, "rot_none", time.Hour),
		"Replaced":       s.Replaced(ctx, rot, 7),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of what is not there: %v", name, err)
		}
	}
}

func TestUndelivered(t *testing.T) {
	s, ctx := openNew(t), t.Context()
	rot := addROT(t, s, addPasscard(t, s, "ada").ID, "").ID
	d := must[Delivery](t)(s.AddDelivery(ctx, Delivery{ROT: rot, Name: "x", Command: []string{"true"}}))
	due := func() int { return len(must[[]string](t)(s.Undelivered(ctx))) }
	if due() != 0 {
		t.Error("due before there is a value")
	}
	rotate(t, s, rot, "t1", "npm_oneEXAMPLE")
	if due() != 1 {
		t.Error("not due with a value")
	}
	ok(t, s.Delivered(ctx, d.ID, 1, ""))
	if due() != 0 {
		t.Error("due after its success")
	}
	rotate(t, s, rot, "t2", "npm_twoEXAMPLE")
	if due() != 1 {
		t.Error("not due with a newer value")
	}
}

func TestGraceAndHurry(t *testing.T) {
	st := newState(t)
	s, ctx := st.open(t), t.Context()
	rot := addROT(t, s, addPasscard(t, s, "ada").ID, "").ID
	ok(t, s.SetGrace(ctx, rot, 36*time.Hour))
	if r := must[ROT](t)(s.ROT(ctx, rot)); r.Grace != 36*time.Hour {
		t.Errorf("grace is %v", r.Grace)
	}
	n := at(t, s, rot, "t", StepRetiring)
	generation := func(n int) Generation { return must[[]Generation](t)(s.Generations(ctx, rot))[n-1] }
	if g := generation(n); !g.Delivered.IsZero() || g.Hurry {
		t.Errorf("just retiring: %+v", g)
	}
	began := st.clock.t
	ok(t, s.Replaced(ctx, rot, n))
	st.clock.advance(time.Hour)
	ok(t, s.Replaced(ctx, rot, n))
	if g := generation(n); !g.Delivered.Equal(began) {
		t.Errorf("grace began %v, and is said to at %v", began, g.Delivered)
	}
	if err := s.Replaced(ctx, rot, n+1); !errors.Is(err, ErrStep) {
		t.Errorf("the grace of the current one: %v", err)
	}
	ok(t, s.Hurry(ctx, rot))
	later := at(t, s, rot, "later", StepPlanned)
	if !generation(n).Hurry || !generation(n+1).Hurry || generation(later).Hurry {
		t.Errorf("in a hurry are %+v", must[[]Generation](t)(s.Generations(ctx, rot)))
	}
}
