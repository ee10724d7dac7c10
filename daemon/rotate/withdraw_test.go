package rotate_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"rotd/store"
)

// leaked is a world whose ROT serves generation 2, of which generation 1 still
// lives on npm and generation 3 was cut off when it had been verified; and the
// user has just withdrawn it.
func leaked(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.rotateOnce()
	w.lag["key-1"] = true
	w.rotateOnce()
	delete(w.lag, "key-1")
	w.restart()
	w.at, w.fault = indexOf(t, callsOfARotation(t), "Advance to verified"), dieIn
	if _, err := w.engine().Rotate(t.Context(), account{w}, w.row(), silent); err == nil {
		t.Fatal("the fault did not happen")
	}
	w.restart()
	open, err := w.st.Unfinished(t.Context())
	if err != nil || len(open) != 2 || open[0].Step != store.StepRetiring || open[1].Step != store.StepVerified {
		t.Fatalf("unfinished: %+v (%v)", open, err)
	}
	if err := w.st.Withdraw(t.Context(), w.rot.ID, nil); err != nil {
		t.Fatal(err)
	}
	return w
}

// gone checks that nothing is served, and that npm holds and takes nothing.
func (w *world) gone() {
	w.t.Helper()
	if _, _, err := w.st.Current(w.t.Context(), w.rot.ID); !errors.Is(err, store.ErrNoValue) {
		w.t.Errorf("a withdrawn ROT serves: %v", err)
	}
	if open, err := w.st.Unfinished(w.t.Context()); err != nil || len(open) > 0 {
		w.t.Errorf("unfinished: %+v (%v)", open, err)
	}
	if live := w.live(); len(live) != 0 {
		w.t.Errorf("npm holds %v", live)
	}
	for _, tk := range w.tokens {
		if w.accepts(tk.Value) {
			w.t.Errorf("npm accepts the value of %s", tk.Name)
		}
	}
}

// TestWithdrawUnderEveryFault breaks a withdrawal at each of its calls in every
// way. Whatever happens: nothing is served, at no instant and not by Settle
// either, and in the end npm refuses every value there was.
func TestWithdrawUnderEveryFault(t *testing.T) {
	names := map[fault]string{lost: "lost", late: "late", dieAt: "dies before", dieIn: "dies after"}
	whole := leaked(t)
	if err := whole.engine().Withdraw(t.Context(), account{whole}, whole.row(), silent); err != nil {
		t.Fatal(err)
	}
	whole.gone()
	calls := whole.history
	if len(calls) < 10 {
		t.Fatalf("a withdrawal makes only the calls %v", calls)
	}
	for at := 1; at <= len(calls); at++ {
		for f, name := range names {
			t.Run(fmt.Sprintf("%s at %d %s", name, at, calls[at-1]), func(t *testing.T) {
				w := leaked(t)
				w.at, w.fault = at, f
				err := w.engine().Withdraw(t.Context(), account{w}, w.row(), silent)
				w.restart()
				if err == nil {
					w.gone()
				}
				if w.row().Current != 0 {
					t.Error("it serves a value")
				}
				if _, err := w.engine().Settle(t.Context(), account{w}, w.row(), silent); err != nil {
					t.Fatalf("does not settle: %v", err)
				}
				w.gone()
				w.rotateOnce()
				w.settled()
			})
		}
	}
	t.Logf("%d calls, %d faults each", len(calls), len(names))
}

func TestAWithdrawalIsBelievedOnlyWhenNPMRefusesTheValue(t *testing.T) {
	for name, trouble := range map[string]struct{ begin, end func(*world) }{
		"still lists":   {func(w *world) { w.deaf = true }, func(w *world) { w.deaf = false }},
		"still accepts": {func(w *world) { w.lag["key-2"] = true }, func(w *world) { delete(w.lag, "key-2") }},
	} {
		w := leaked(t)
		trouble.begin(w)
		err := w.engine().Withdraw(t.Context(), account{w}, w.row(), silent)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
		w.now = w.now.Add(time.Hour)
		if _, err := w.engine().Settle(t.Context(), account{w}, w.row(), silent); err == nil {
			t.Errorf("%s: settled all the same", name)
		}
		trouble.end(w)
		if _, err := w.engine().Settle(t.Context(), account{w}, w.row(), silent); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		w.gone()
	}
}

// TestALeakedTokenWaitsForNoDelivery: whoever has not taken a newer value by now
// goes without one.
func TestALeakedTokenWaitsForNoDelivery(t *testing.T) {
	w := newWorld(t)
	w.rotateOnce()
	if _, err := w.st.AddDelivery(t.Context(), store.Delivery{ROT: w.rot.ID, Name: "late", Command: []string{"false"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.st.SetGrace(t.Context(), w.rot.ID, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	w.leak()
	if err := w.st.Withdraw(t.Context(), w.rot.ID, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine().Settle(t.Context(), account{w}, w.row(), silent); err != nil {
		t.Fatal(err)
	}
	w.gone()
}
