package rotate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"rotd/daemon/rotate"
	"rotd/ipc/secret"
	"rotd/store"
)

// settleOnce is one look of the timer.
func (w *world) settleOnce() rotate.Waiting {
	w.t.Helper()
	wait, err := w.engine().Settle(w.t.Context(), account{w}, w.row(), silent)
	if err != nil {
		w.t.Fatal(err)
	}
	return wait
}

func TestTheOldTokenStaysUntilADeliveryHasTheNew(t *testing.T) {
	w := newWorld(t)
	w.addDeliveries("good", "bad")
	w.rotateOnce()
	_, old, _ := w.st.Current(t.Context(), w.rot.ID)
	w.mends = map[string]int{"bad": 3}
	out := w.rotateOnce()
	if out.Lingering != nil || out.Waiting.Old != 1 || !slices.Equal(out.Waiting.Undelivered, []rotate.Undelivered{{Name: "bad", Why: "exit status 1"}}) {
		t.Fatalf("the outcome is %+v", out)
	}
	if pause := out.Waiting.Until.Sub(w.now); pause != 30*time.Second {
		t.Errorf("it is tried again in %v", pause)
	}
	w.history = nil
	if again := w.settleOnce(); !again.Until.Equal(out.Waiting.Until) || slices.Contains(w.history, "Deliver to bad") {
		t.Errorf("before its time: %+v, %v", again, w.history)
	}
	for range 3 {
		if !w.accepts(old) {
			t.Fatal("the old token is gone")
		}
		w.now = w.settleOnce().Until
	}
	if wait := w.settleOnce(); !wait.Until.IsZero() || w.accepts(old) {
		t.Errorf("after its success: %+v; npm takes the old one: %v", wait, w.accepts(old))
	}
	if slices.Contains(w.history, "Deliver to good") {
		t.Error("what was delivered is delivered again")
	}
	w.settled()
}

func TestTwoRotationsWhileADeliveryFails(t *testing.T) {
	w := newWorld(t)
	w.addDeliveries("x")
	w.rotateOnce()
	w.mends = map[string]int{"x": 2}
	w.rotateOnce()
	if out := w.rotateOnce(); out.Waiting.Old != 2 {
		t.Fatalf("the outcome is %+v", out)
	}
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	if !w.taken["x"][2].IsZero() || w.taken["x"][3].IsZero() {
		t.Errorf("delivered are %v, want the newest alone", w.taken["x"])
	}
	w.settled()
}

func TestGraceRunsFromTheLastDelivery(t *testing.T) {
	w := newWorld(t)
	w.addDeliveries("x")
	w.setGrace(24 * time.Hour)
	w.rotateOnce()
	w.mends = map[string]int{"x": 1}
	w.now = w.now.Add(w.rotateOnce().Waiting.Until.Sub(w.now))
	delivered := w.now
	wait := w.settleOnce()
	if !wait.Grace.Equal(delivered.Add(24*time.Hour)) || !wait.Until.Equal(wait.Grace) || wait.Old != 1 {
		t.Fatalf("waits for %+v, delivered at %v", wait, delivered)
	}
	// A rotation within the grace period leaves the first one its own end.
	w.now = w.now.Add(12 * time.Hour)
	second := w.rotateOnce()
	if !second.Waiting.Until.Equal(wait.Grace) || !second.Waiting.Grace.Equal(w.now.Add(24*time.Hour)) || len(w.live()) != 3 {
		t.Errorf("after another rotation: %+v, %v", second.Waiting, w.live())
	}
	w.now = wait.Grace
	if w.settleOnce(); len(w.live()) != 2 {
		t.Errorf("at the end of the first grace: %v", w.live())
	}
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	w.settled()
}

func TestAnOldTokenLivesForItsReaders(t *testing.T) {
	w := newWorld(t)
	w.rotateOnce()
	_, old, _ := w.st.Current(t.Context(), w.rot.ID)
	w.readers = map[int]int{1: 2, 2: 7}
	replaced := w.now
	out := w.rotateOnce()
	if out.Waiting.Readers != 2 || out.Waiting.Old != 1 || !out.Waiting.Until.Equal(replaced.Add(time.Hour)) || !w.accepts(old) {
		t.Fatalf("the outcome is %+v", out)
	}
	// Another rotation goes ahead, and each value has its own readers and time.
	w.now = w.now.Add(40 * time.Minute)
	if out := w.rotateOnce(); out.Waiting.Readers != 9 || out.Waiting.Old != 2 || !out.Waiting.Until.Equal(replaced.Add(time.Hour)) {
		t.Fatalf("the outcome is %+v", out)
	}
	w.now = replaced.Add(time.Hour)
	if wait := w.settleOnce(); w.accepts(old) || wait.Readers != 7 {
		t.Errorf("after its longest time: %+v, npm takes it: %v", wait, w.accepts(old))
	}
	w.readers = nil
	if wait := w.settleOnce(); wait.Old != 0 || !wait.Until.IsZero() {
		t.Errorf("without readers: %+v", wait)
	}
	w.settled()
}

// TestAClockThatIsSetBackKeepsNothing for longer than its readers' time.
func TestAClockThatIsSetBackKeepsNothing(t *testing.T) {
	w := newWorld(t)
	w.rotateOnce()
	_, old, _ := w.st.Current(t.Context(), w.rot.ID)
	w.readers = map[int]int{1: 1}
	w.rotateOnce()
	w.now = w.now.Add(-2 * time.Hour)
	if wait := w.settleOnce(); wait.Readers != 0 || w.accepts(old) {
		t.Errorf("%+v, npm takes it: %v", wait, w.accepts(old))
	}
}

func TestALeakedTokenWaitsForNothing(t *testing.T) {
	w := newWorld(t)
	w.addDeliveries("x")
	w.setGrace(time.Hour)
	w.rotateOnce()
	w.rotateOnce()
	w.mends = map[string]int{"x": 1}
	w.readers = map[int]int{1: 1, 2: 1}
	w.leak()
	w.history = nil
	out := w.rotateOnce()
	if len(w.live()) != 1 || out.Waiting.Old != 0 || len(out.Waiting.Undelivered) != 1 {
		t.Errorf("the outcome is %+v, npm has %v", out, w.live())
	}
	if all := strings.Join(w.history, ","); strings.Index(all, "Deliver to x") < strings.LastIndex(all, "npm.Revoke") {
		t.Errorf("something else came first: %v", w.history)
	}
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	w.settled()
}

func TestADeliveryThatIsRemovedIsNotWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.addDeliveries("x")
	w.rotateOnce()
	w.mends = map[string]int{"x": 1}
	w.rotateOnce()
	if err := w.st.RemoveDelivery(t.Context(), w.rot.ID, "x"); err != nil {
		t.Fatal(err)
	}
	if wait := w.settleOnce(); wait.Old != 0 {
		t.Errorf("waits for %+v", wait)
	}
	w.settled()
}

func TestAnExpiredTokenWaitsForNothing(t *testing.T) {
	w := newWorld(t)
	w.addDeliveries("x")
	w.rotateOnce()
	w.mends = map[string]int{"x": 1000}
	w.now = w.now.AddDate(0, 0, 60)
	w.rotateOnce()
	w.now = w.now.AddDate(0, 0, 31)
	if wait := w.settleOnce(); wait.Old != 0 || len(wait.Undelivered) != 1 {
		t.Errorf("waits for %+v", wait)
	}
}

// courierFunc is a courier of one test.
type courierFunc func() error

func (f courierFunc) Deliver(context.Context, store.Delivery, store.Generation, secret.Text) (string, error) {
	return "", f()
}

func TestAStopInTheMiddleOfADeliveryIsNoFailureOfIt(t *testing.T) {
	w := newWorld(t)
	w.addDeliveries("x")
	ctx, stop := context.WithCancel(t.Context())
	e := w.engine()
	e.Courier = courierFunc(func() error { stop(); return errors.New("signal: killed") })
	if _, err := e.Rotate(ctx, account{w}, w.row(), silent); err != nil {
		t.Fatal(err)
	}
	all, err := w.st.Deliveries(t.Context(), w.rot.ID)
	if err != nil || all[0].Failures != 0 || all[0].Delivered != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	w.settled()
}
