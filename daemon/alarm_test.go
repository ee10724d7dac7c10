package daemon

import (
	"testing"
	"time"
)

// heard waits for a ring.
func heard(t *testing.T, a alarm) time.Time {
	t.Helper()
	select {
	case <-a.rings():
	case <-time.After(time.Minute):
		t.Fatal("it does not ring")
	}
	return time.Now()
}

func TestAlarm(t *testing.T) {
	for name, a := range map[string]alarm{"this system's": newAlarm(), "Go's": newTickingAlarm()} {
		t.Run(name, func(t *testing.T) {
			defer a.close()
			const nap = 50 * time.Millisecond
			for range 3 {
				began := time.Now()
				a.set(nap)
				if took := heard(t, a).Sub(began); took < nap {
					t.Errorf("it rings after %v, and was set to %v", took, nap)
				}
			}
			began := time.Now()
			a.set(nap)
			a.set(4 * nap)
			if took := heard(t, a).Sub(began); took < 4*nap {
				t.Errorf("it rings after %v, and was set anew, to %v", took, 4*nap)
			}
			a.set(-time.Hour)
			heard(t, a)
		})
	}
}

func TestJumped(t *testing.T) {
	for _, c := range []struct {
		wall, passed time.Duration
		want         bool
	}{
		{time.Hour, time.Hour, false},
		{time.Hour, time.Hour - time.Second, false},
		{9 * time.Hour, time.Hour, true},  // the machine has slept
		{-time.Hour, time.Second, true},   // the clock was set back
		{10 * time.Second, 0, true},       // and on
		{time.Second, time.Second, false}, // a kick
	} {
		if got := jumped(c.wall, c.passed); got != c.want {
			t.Errorf("%v by the clock and %v: %t", c.wall, c.passed, got)
		}
	}
}

// TestWallClock: times that Go has its own reading in besides are compared by that,
// which no setting of the clock changes.
func TestWallClock(t *testing.T) {
	if now := wallClock(); now != now.Round(0) {
		t.Errorf("%v has more than the wall clock", now)
	}
}
