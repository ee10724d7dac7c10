package store

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"rotd/ipc/secret"
)

func TestWithdraw(t *testing.T) {
	st := newState(t)
	s := st.open(t)
	ctx := t.Context()
	rot := addROT(t, s, addPasscard(t, s, "ada").ID, "ci").ID
	if err := s.Withdraw(ctx, "rot_none", nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("of nothing: %v", err)
	}
	ok(t, s.Withdraw(ctx, rot, nil)) // it has no value
	if got := must[map[string]time.Time](t)(s.Withdrawn(ctx)); len(got) != 0 {
		t.Errorf("a ROT without a value counts as withdrawn: %v", got)
	}
	rotate(t, s, rot, "one", "npm_EXAMPLE1")
	g := must[Generation](t)(s.Plan(ctx, rot, called("two")))
	ok(t, s.Created(ctx, rot, g.N, "k", secret.New("npm_EXAMPLE2"), s.stamp(), time.Time{}))
	ok(t, s.Advance(ctx, rot, g.N, StepCreated, StepVerified))
	ok(t, s.MakeCurrent(ctx, rot, g.N, s.stamp().Add(time.Hour), Shape{}))
	at := s.stamp()
	ok(t, s.Withdraw(ctx, rot, nil))

	if _, _, err := s.Current(ctx, rot); !errors.Is(err, ErrNoValue) {
		t.Errorf("it is still served: %v", err)
	}
	if r := must[ROT](t)(s.ROT(ctx, rot)); r.Current != 0 || !r.Next.IsZero() {
		t.Errorf("the ROT is %+v", r)
	}
	for _, g := range must[[]Generation](t)(s.Generations(ctx, rot, StepRetiring)) {
		if !g.Hurry {
			t.Errorf("generation %d is in no hurry", g.N)
		}
		st.clock.advance(time.Minute)
		ok(t, s.Advance(ctx, rot, g.N, StepRetiring, StepRevoked))
	}
	if got := must[map[string]time.Time](t)(s.Withdrawn(ctx)); len(got) != 1 || got[rot].Sub(at) > 2*time.Minute {
		t.Errorf("withdrawn: %v", got)
	}
	rotate(t, s, rot, "three", "npm_EXAMPLE3")
	if got := must[map[string]time.Time](t)(s.Withdrawn(ctx)); len(got) != 0 {
		t.Errorf("after a rotation it counts as withdrawn: %v", got)
	}
}

// TestRemovedIsGone looks for what was removed, sealed or not, in every byte of
// the database and its WAL.
func TestRemovedIsGone(t *testing.T) {
	st := newState(t)
	s := st.open(t)
	ctx := t.Context()
	p := addPasscard(t, s, "ada").ID
	a, b := addROT(t, s, p, "ci-EXAMPLE").ID, addROT(t, s, p, "b").ID
	rotate(t, s, a, "name-of-a", "npm_EXAMPLEa")
	rotate(t, s, b, "name-of-b", "npm_EXAMPLEb")
	ok(t, s.PutSecret(ctx, p, KindPassword, secret.New("pw-EXAMPLE")))
	sealed := func(query string, args ...any) (all [][]byte) {
		scan := func(from row) (v []byte, err error) { return v, from.Scan(&v) }
		return must[[][]byte](t)(list(ctx, s.db, "look", scan, query, args...))
	}
	tokenA := sealed(`SELECT sealed FROM generations WHERE rot = ? AND sealed NOT NULL`, a)
	all := append(sealed(`SELECT sealed FROM generations WHERE sealed NOT NULL`), sealed(`SELECT sealed FROM passcard_secrets`)...)
	if len(tokenA) != 1 || len(all) != 3 {
		t.Fatalf("%d and %d sealed values", len(tokenA), len(all))
	}
	gone := func(values ...[]byte) {
		t.Helper()
		for _, suffix := range append([]string{""}, sidecars[0]) {
			disk := readFile(t, st.dir+"/rotd.db"+suffix)
			for _, v := range values {
				if bytes.Contains(disk, v) {
					t.Errorf("rotd.db%s holds a removed value", suffix)
				}
			}
		}
	}

	ok(t, s.RemoveROT(ctx, a, nil))
	gone(tokenA...)
	if err := s.RemoveROT(ctx, a, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	if _, _, err := s.Current(ctx, b); err != nil {
		t.Errorf("the other one: %v", err)
	}
	ok(t, s.RemovePasscard(ctx, p, nil))
	gone(all...)
	if err := s.RemovePasscard(ctx, p, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	if n := len(must[[]Passcard](t)(s.Passcards(ctx))) + len(must[[]ROT](t)(s.ROTs(ctx))); n != 0 {
		t.Errorf("%d are left", n)
	}
	// The log outlives them, and is found by the whole reference.
	log := lastLog(t, s, LogQuery{ROT: a})
	if kinds(log) != "rotated 1, removed 0" || log[1].Detail != "not known to be revoked: name-of-a" {
		t.Errorf("the log says %+v", log)
	}
}
