package store

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rotd/ipc/secret"
)

func TestJournalOfARotation(t *testing.T) {
	st := newState(t)
	s, ctx := st.open(t), t.Context()
	rot := addROT(t, s, addPasscard(t, s, "ada").ID, "").ID
	rotate(t, s, rot, "t1", "npm_oneEXAMPLE")
	ok(t, s.SetTrouble(ctx, rot, Trouble{Code: "unreachable"}, 2, st.clock.t))

	st.clock.advance(time.Hour)
	g := must[Generation](t)(s.Plan(ctx, rot, called("t2")))
	want := Generation{ROT: rot, N: 2, TokenName: "t2", Step: StepPlanned, Planned: st.clock.t, Changed: st.clock.t}
	check := func(step Step) {
		t.Helper()
		want.Step, want.Changed = step, st.clock.t
		got := must[[]Generation](t)(s.Generations(ctx, rot, step))
		if diff := cmp.Diff([]Generation{want}, got); diff != "" {
			t.Errorf("at %s (-want +got):\n%s", step, diff)
		}
	}
	if diff := cmp.Diff(want, g); diff != "" {
		t.Errorf("Plan (-want +got):\n%s", diff)
	}
	check(StepPlanned)
	if _, err := s.Value(ctx, rot, 2); !errors.Is(err, ErrNoValue) {
		t.Errorf("the value of a planned generation: %v", err)
	}

	st.clock.advance(time.Second)
	want.Key, want.Created, want.Expires = "k2", st.clock.t, st.clock.t.Add(90*24*time.Hour)
	ok(t, s.Created(ctx, rot, 2, "k2", secret.New("npm_twoEXAMPLE"), want.Created, want.Expires))
	check(StepCreated)
	st.clock.advance(time.Second)
	ok(t, s.Advance(ctx, rot, 2, StepCreated, StepVerified))
	check(StepVerified)
	if _, v, err := s.Current(ctx, rot); err != nil || v.Reveal() != "npm_oneEXAMPLE" {
		t.Errorf("before MakeCurrent: %v", err)
	}

	st.clock.advance(time.Second)
	next := st.clock.t.Add(60 * 24 * time.Hour)
	reshaped := Shape{Scopes: []string{"@acme"}, Permission: "read-only"}
	ok(t, s.MakeCurrent(ctx, rot, 2, next, reshaped))
	check(StepCurrent)
	if g, v, err := s.Current(ctx, rot); err != nil || v.Reveal() != "npm_twoEXAMPLE" || g != (Served{N: 2, Expires: want.Expires, Registry: "http://localhost:1"}) {
		t.Errorf("after MakeCurrent: %+v %v", g, err)
	}
	r := must[ROT](t)(s.ROT(ctx, rot))
	if r.Current != 2 || !cmp.Equal(r.Shape, reshaped) || !r.Next.Equal(next) || r.Failures != 0 || r.Trouble != (Trouble{}) || !r.LastAttempt.Equal(st.clock.t) {
		t.Errorf("the ROT after MakeCurrent: %+v", r)
	}
	if v := must[secret.Text](t)(s.Value(ctx, rot, 1)); v.Reveal() != "npm_oneEXAMPLE" {
		t.Error("the value that retires is not there")
	}
	ok(t, s.Advance(ctx, rot, 1, StepRetiring, StepRevoked))
	if _, err := s.Value(ctx, rot, 1); !errors.Is(err, ErrNoValue) {
		t.Errorf("the value of a revoked generation: %v", err)
	}
	if all := must[[]Generation](t)(s.Generations(ctx, rot)); len(all) != 2 || all[0].N != 1 || all[1].N != 2 {
		t.Errorf("Generations: %+v", all)
	}
	if g := must[Generation](t)(s.Plan(ctx, rot, called("t3"))); g.N != 3 {
		t.Errorf("the next generation has number %d", g.N)
	}
}

// at brings a new generation of rot to a step.
func at(t *testing.T, s *Store, rot, tokenName string, step Step) int {
	t.Helper()
	ctx := t.Context()
	n := must[Generation](t)(s.Plan(ctx, rot, called(tokenName))).N
	create := func() { ok(t, s.Created(ctx, rot, n, "k", secret.New("npm_EXAMPLE"), s.stamp(), time.Time{})) }
	verify := func() { create(); ok(t, s.Advance(ctx, rot, n, StepCreated, StepVerified)) }
	switch step {
	case StepPlanned:
	case StepCreated:
		create()
	case StepVerified:
		verify()
	case StepCurrent:
		verify()
		ok(t, s.MakeCurrent(ctx, rot, n, time.Time{}, Shape{}))
	case StepRetiring, StepRevoked:
		verify()
		ok(t, s.MakeCurrent(ctx, rot, n, time.Time{}, Shape{}))
		at(t, s, rot, tokenName+"-next", StepCurrent)
		if step == StepRevoked {
			ok(t, s.Advance(ctx, rot, n, StepRetiring, StepRevoked))
		}
	case StepDiscarding, StepAbandoned:
		create()
		ok(t, s.Advance(ctx, rot, n, StepCreated, step))
	}
	return n
}

var allSteps = []Step{StepPlanned, StepCreated, StepVerified, StepCurrent, StepRetiring, StepRevoked, StepAbandoned, StepDiscarding}

// TestEveryMove tries every move from every step, with a true from and with a
// false one.
func TestEveryMove(t *testing.T) {
	s, ctx := openNew(t), t.Context()
	passcard := addPasscard(t, s, "ada").ID
	legal := map[[2]Step]bool{}
	for from, tos := range advances {
		for _, to := range tos {
			legal[[2]Step{from, to}] = true
		}
	}
	for _, is := range allSteps {
		for _, from := range allSteps {
			for _, to := range allSteps {
				rot := addROT(t, s, passcard, "").ID
				n := at(t, s, rot, rot, is)
				err := s.Advance(ctx, rot, n, from, to)
				if is == from && legal[[2]Step{from, to}] {
					ok(t, err)
				} else if !errors.Is(err, ErrStep) {
					t.Errorf("a generation that is %s from %s to %s: %v", is, from, to, err)
				}
			}
		}
	}
}

func TestCallsAtTheWrongStep(t *testing.T) {
	s, ctx := openNew(t), t.Context()
	passcard := addPasscard(t, s, "ada").ID
	for _, is := range allSteps {
		rot := addROT(t, s, passcard, "").ID
		n := at(t, s, rot, rot, is)
		before := must[[]Generation](t)(s.Generations(ctx, rot))
		if is != StepPlanned {
			if err := s.Created(ctx, rot, n, "k", secret.New("x"), time.Time{}, time.Time{}); !errors.Is(err, ErrStep) {
				t.Errorf("Created of a generation that is %s: %v", is, err)
			}
		}
		if is != StepVerified {
			if err := s.MakeCurrent(ctx, rot, n, time.Time{}, Shape{}); !errors.Is(err, ErrStep) {
				t.Errorf("MakeCurrent of a generation that is %s: %v", is, err)
			}
		}
		if diff := cmp.Diff(before, must[[]Generation](t)(s.Generations(ctx, rot))); diff != "" {
			t.Errorf("a refused call changed something (-before +after):\n%s", diff)
		}
	}
}

func TestGenerationsThatAreNotThere(t *testing.T) {
	s, ctx := openNew(t), t.Context()
	p := addPasscard(t, s, "ada").ID
	rot := addROT(t, s, p, "").ID
	if _, err := s.Plan(ctx, "rot_none", called("t")); !errors.Is(err, ErrNotFound) {
		t.Errorf("Plan: %v", err)
	}
	_ = must[Generation](t)(s.Plan(ctx, rot, called("t")))
	if _, err := s.Plan(ctx, rot, called("t")); !errors.Is(err, ErrTaken) {
		t.Errorf("Plan with a name that is taken: %v", err)
	}
	if _, err := s.Plan(ctx, rot, called("")); err == nil {
		t.Error("Plan without a name")
	}
	if err := s.Created(ctx, rot, 1, "k", secret.Text{}, time.Time{}, time.Time{}); err == nil {
		t.Error("Created without a value")
	}
	_, valueErr := s.Value(ctx, rot, 2)
	_, _, currentErr := s.Current(ctx, "rot_none")
	for name, err := range map[string]error{
		"Created":     s.Created(ctx, rot, 2, "k", secret.New("x"), time.Time{}, time.Time{}),
		"Advance":     s.Advance(ctx, rot, 2, StepCreated, StepVerified),
		"MakeCurrent": s.MakeCurrent(ctx, rot, 2, time.Time{}, Shape{}),
		"Value":       valueErr,
		"Current":     currentErr,
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := s.Current(ctx, rot); !errors.Is(err, ErrNoValue) || HintOf(err) == "" {
		t.Errorf("Current of a ROT without a value: %v", err)
	}
}

func TestUnfinished(t *testing.T) {
	s, ctx := openNew(t), t.Context()
	passcard := addPasscard(t, s, "ada").ID
	want := map[Step]int{}
	for _, step := range allSteps {
		rot := addROT(t, s, passcard, "").ID
		at(t, s, rot, rot, step)
		if step != StepCurrent && step != StepRevoked && step != StepAbandoned {
			want[step] = 1
		}
	}
	got := map[Step]int{}
	for _, g := range must[[]Generation](t)(s.Unfinished(ctx)) {
		got[g.Step]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Unfinished (-want +got):\n%s", diff)
	}
	var id, parent, unused int
	var plan string
	ok(t, s.db.QueryRowContext(ctx, `EXPLAIN QUERY PLAN SELECT n FROM generations
		 WHERE step NOT IN ('current', 'revoked', 'abandoned') ORDER BY rot, n`).Scan(&id, &parent, &unused, &plan))
	if !strings.Contains(plan, "generations_unfinished") {
		t.Errorf("Unfinished reads the whole history: %s", plan)
	}
}

func TestLive(t *testing.T) {
	s, ctx := openNew(t), t.Context()
	p := addPasscard(t, s, "ada")
	want := map[string][]int{}
	for _, step := range allSteps {
		rot := addROT(t, s, p.ID, "").ID
		at(t, s, rot, rot, step)
		switch step {
		case StepCurrent:
			want[rot] = []int{1}
		case StepRetiring:
			want[rot] = []int{1, 2}
		case StepRevoked:
			want[rot] = []int{2}
		}
	}
	got := map[string][]int{}
	for rot, generations := range must[map[string][]Generation](t)(s.Live(ctx)) {
		for _, g := range generations {
			got[rot] = append(got[rot], g.N)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Live (-want +got):\n%s", diff)
	}
}

// TestSchemaKeepsTheJournalHonest: what the code must never do, the schema
// refuses.
func TestSchemaKeepsTheJournalHonest(t *testing.T) {
	s, ctx := openNew(t), t.Context()
	rot := addROT(t, s, addPasscard(t, s, "ada").ID, "").ID
	at(t, s, rot, "t1", StepCurrent)
	at(t, s, rot, "t2", StepVerified)
	for name, statement := range map[string]string{
		"an unknown step":               `UPDATE generations SET step = 'done'`,
		"two current ones":              `UPDATE generations SET step = 'current'`,
		"a current one without a value": `UPDATE generations SET sealed = NULL WHERE step = 'current'`,
		"a revoked one with its value":  `UPDATE generations SET step = 'revoked' WHERE n = 2`,
		"a ROT that goes away":          `DELETE FROM rots`,
		"a passcard that goes away":     `DELETE FROM passcards`,
		"a text as a time":              `UPDATE generations SET changed = 'today'`,
		"a second meta row":             `INSERT INTO meta (one, state_id) VALUES (2, 'x')`,
	} {
		if res, err := s.db.ExecContext(ctx, statement); err == nil {
			n, _ := res.RowsAffected()
			t.Errorf("%s: %d rows", name, n)
		}
	}
}
