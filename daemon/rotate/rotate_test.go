package rotate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"rotd/daemon/rotate"
	"rotd/store"
)

// rotateOnce gives the world's ROT another generation, and fails the test if
// that does not work.
func (w *world) rotateOnce() rotate.Outcome {
	w.t.Helper()
	out, err := w.engine().Rotate(w.t.Context(), account{w}, w.row(), silent)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func TestARotationReplacesTheToken(t *testing.T) {
	w := newWorld(t)
	var steps []string
	first, err := w.engine().Rotate(t.Context(), account{w}, w.rot, func(step, _ string) { steps = append(steps, step) })
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(steps, " "), "planned created verified current"; got != want {
		t.Errorf("steps are %q, want %q", got, want)
	}
	_, v1, err := w.st.Current(t.Context(), w.rot.ID)
	if err != nil {
		t.Fatal(err)
	}
	second := w.rotateOnce()
	_, v2, err := w.st.Current(t.Context(), w.rot.ID)
	if err != nil {
		t.Fatal(err)
	}
	if first.Generation != 1 || second.Generation != 2 || v1.Equal(v2) {
		t.Errorf("generations %d and %d, equal values: %v", first.Generation, second.Generation, v1.Equal(v2))
	}
	if second.Lingering != nil || w.accepts(v1) || !w.accepts(v2) {
		t.Errorf("lingering %v; npm accepts the first: %v, the second: %v", second.Lingering, w.accepts(v1), w.accepts(v2))
	}
	if want := w.now.AddDate(0, 0, 60); !second.Next.Equal(want) {
		t.Errorf("next is %v, want two thirds of 90 days: %v", second.Next, want)
	}
	for _, name := range w.live() {
		if !strings.HasPrefix(name, "rotd-"+strings.TrimPrefix(w.rot.ID, "rot_")[:8]+"-2-") || len(name) > 40 {
			t.Errorf("the token is called %q", name)
		}
	}
}

// TestEveryFaultAtEveryCall breaks a second rotation, and the settling after it,
// at each of its calls, to npm, to the journal and to the deliveries, in every
// way there is. Whatever happens: readers have an accepted token at every instant
// (world.check), the old one is not revoked before the deliveries and the grace
// period allow it (world.checkRevocation), and once the dust has settled npm
// holds exactly the token that is served.
func TestEveryFaultAtEveryCall(t *testing.T) {
	names := map[fault]string{lost: "lost", late: "late", refused: "refused", dieAt: "dies before", dieIn: "dies after"}
	for name, prepare := range map[string]func(*world){
		"alone":            func(*world) {},
		"to deliver":       func(w *world) { w.addDeliveries("a", "b"); w.setGrace(time.Hour) },
		"of a leaked one":  func(w *world) { w.addDeliveries("a"); w.setGrace(time.Hour); w.leaks = true },
		"a delivery fails": func(w *world) { w.addDeliveries("a", "b"); w.mends = map[string]int{"b": 2} },
	} {
		calls := callsOfARotation(t, prepare)
		if len(calls) < 10 {
			t.Fatalf("a rotation makes only the calls %v", calls)
		}
		for at := 1; at <= len(calls); at++ {
			for f, fname := range names {
				if f == refused && calls[at-1] != "npm.Create" {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s at %d %s", name, fname, at, calls[at-1]), func(t *testing.T) {
					w := newWorld(t)
					prepare(w)
					w.rotateOnce()
					w.restart()
					w.at, w.fault = at, f
					served, rerr := w.rotateAndSettle()
					w.restart()
					if err := w.settle(); err != nil {
						t.Fatalf("does not settle: %v", err)
					}
					w.settled()
					byNPM := strings.HasPrefix(calls[at-1], "npm.") && f != dieAt && f != dieIn
					if now := w.row().Current; rerr != nil && byNPM && now != served {
						t.Errorf("a failed rotation (%v) was finished behind the caller's back: %d, then %d", rerr, served, now)
					}
					w.rotateOnce()
					if err := w.settle(); err != nil {
						t.Fatal(err)
					}
					w.settled()
				})
			}
		}
		t.Logf("%s: %d calls, %d faults each", name, len(calls), len(names))
	}
}

// rotateAndSettle is a rotation and all that the timer does after it.
func (w *world) rotateAndSettle() (served int, err error) {
	w.t.Helper()
	if w.leaks {
		w.leak()
	}
	_, err = w.engine().Rotate(w.t.Context(), account{w}, w.row(), silent)
	served = w.row().Current
	if !w.dead {
		_ = w.settle()
	}
	return served, err
}

func callsOfARotation(t *testing.T, prepare ...func(*world)) []string {
	w := newWorld(t)
	for _, p := range prepare {
		p(w)
	}
	w.rotateOnce()
	w.restart()
	if _, err := w.rotateAndSettle(); err != nil {
		t.Fatal(err)
	}
	return w.history
}

// settled checks that nothing is unfinished and nothing is left over.
func (w *world) settled() {
	w.t.Helper()
	w.check()
	open, err := w.st.Unfinished(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if len(open) > 0 {
		w.t.Errorf("unfinished: %+v", open)
	}
	late, err := w.st.Undelivered(w.t.Context())
	if err != nil || len(late) > 0 {
		w.t.Errorf("not delivered: %v, %v", late, err)
	}
	if live := w.live(); len(live) != 1 {
		w.t.Errorf("npm holds %d tokens of ours: %v", len(live), live)
	}
}

func TestATokenThatIsNotWhatWasAskedIsRevoked(t *testing.T) {
	w := newWorld(t)
	w.rotateOnce()
	_, before, _ := w.st.Current(t.Context(), w.rot.ID)
	_, err := w.engine().Rotate(t.Context(), twisted{account{w}}, w.row(), silent)
	var mismatch *rotate.MismatchError
	if !errors.As(err, &mismatch) || !strings.Contains(err.Error(), "permission") {
		t.Fatalf("got %v, want the difference named", err)
	}
	_, after, _ := w.st.Current(t.Context(), w.rot.ID)
	if !before.Equal(after) {
		t.Error("readers got another value")
	}
	w.settled()
}

// twisted makes tokens that may do something else.
type twisted struct{ account }

func (a twisted) Create(ctx context.Context, name string, want store.Shape) (rotate.Token, error) {
	want.Permission = "read-only"
	return a.account.Create(ctx, name, want)
}

func TestALateRevocationIsAskedForUntilItIsTrue(t *testing.T) {
	w := newWorld(t)
	w.rotateOnce()
	_, old, _ := w.st.Current(t.Context(), w.rot.ID)
	w.lag["key-1"] = true
	out := w.rotateOnce()
	if out.Lingering == nil {
		t.Fatal("a value that npm still accepts counts as revoked")
	}
	if err := w.settle(); err == nil {
		t.Fatal("settled, though npm still accepts the old value")
	}
	delete(w.lag, "key-1")
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	if w.accepts(old) {
		t.Error("the old value is accepted")
	}
	w.settled()
}

func TestADeletionThatIsOnlySaidIsNotBelieved(t *testing.T) {
	w := newWorld(t)
	w.rotateOnce()
	w.deaf = true
	if out := w.rotateOnce(); out.Lingering == nil || !strings.Contains(out.Lingering.Error(), "still lists") {
		t.Fatalf("lingering is %v", out.Lingering)
	}
	w.deaf = false
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	w.settled()
}

// TestATokenThatTurnsUpLate is a creation that was cut off and is still at work
// on npm's side when we first look.
func TestATokenThatTurnsUpLate(t *testing.T) {
	w := newWorld(t)
	w.rotateOnce()
	w.restart()
	w.at, w.fault = indexOf(t, callsOfARotation(t), "npm.Create"), lost
	if _, err := w.engine().Rotate(t.Context(), account{w}, w.row(), silent); err == nil {
		t.Fatal("the fault did not happen")
	}
	planned, err := w.st.Generations(t.Context(), w.rot.ID, store.StepPlanned)
	if err != nil || len(planned) != 1 {
		t.Fatalf("planned are %v (%v), want the one whose fate is open", planned, err)
	}
	e := w.engine()
	w.restart()
	if _, err := e.Settle(t.Context(), account{w}, w.row(), silent); err == nil {
		t.Fatal("given up at the first look, long after the planning though it was")
	}
	w.tokens["late"] = &fakeToken{Token: rotate.Token{Key: "late", Name: planned[0].TokenName, Expires: w.now.AddDate(0, 0, 9)}}
	if _, err := e.Settle(t.Context(), account{w}, w.row(), silent); err != nil {
		t.Fatal(err)
	}
	w.settled()
}

// TestATokenThatIsNotListedIsDeletedAllTheSame has a listing that lags behind:
// a token whose key is known is not left alive because of that.
func TestATokenThatIsNotListedIsDeletedAllTheSame(t *testing.T) {
	w := newWorld(t)
	w.rotateOnce()
	if _, err := w.engine().Rotate(t.Context(), blind{account{w}}, w.row(), silent); !errors.Is(err, rotate.ErrNotYet) {
		t.Fatalf("got %v", err)
	}
	w.settled()
}

// blind lists nothing, and so verifies nothing.
type blind struct{ account }

func (blind) List(context.Context) ([]rotate.Token, error) { return nil, nil }

func (blind) Verify(context.Context, rotate.Token, store.Shape) error {
	return fmt.Errorf("not listed: %w", rotate.ErrNotYet)
}

// TestOnlyWhatMayChangeIsAskedAgain counts the checks of a new token.
func TestOnlyWhatMayChangeIsAskedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"not yet known":          {fmt.Errorf("x: %w", rotate.ErrNotYet), 5},
		"asked to wait":          {errors.New("429"), 1},
		"another than asked for": {&rotate.MismatchError{Differences: []string{"x"}}, 1},
	} {
		w := newWorld(t)
		w.rotateOnce()
		a := &stubborn{account: account{w}, err: c.err}
		if _, err := w.engine().Rotate(t.Context(), a, w.row(), silent); err == nil || a.asked != c.want {
			t.Errorf("%s: asked %d times, want %d (%v)", name, a.asked, c.want, err)
		}
		w.settled()
	}
}

// stubborn fails every check of a token.
type stubborn struct {
	account
	err   error
	asked int
}

func (a *stubborn) Verify(context.Context, rotate.Token, store.Shape) error {
	a.asked++
	return a.err
}

// TestADeletionIsAskedForOnce: waiting for a deleted token to be refused needs
// no second factor.
func TestADeletionIsAskedForOnce(t *testing.T) {
	w := newWorld(t)
	w.rotateOnce()
	w.lag["key-1"] = true
	e := w.engine()
	if _, err := e.Rotate(t.Context(), account{w}, w.row(), silent); err != nil {
		t.Fatal(err)
	}
	w.history = nil
	if _, err := e.Settle(t.Context(), account{w}, w.row(), silent); err == nil {
		t.Fatal("settled, though npm still accepts the old value")
	}
	for _, call := range w.history {
		if call == "npm.Revoke" || call == "npm.List" {
			t.Errorf("%s is asked again: %v", call, w.history)
		}
	}
}

func indexOf(t *testing.T, calls []string, name string) int {
	t.Helper()
	for i, c := range calls {
		if c == name {
			return i + 1
		}
	}
	t.Fatalf("no call %s in %v", name, calls)
	return 0
}
