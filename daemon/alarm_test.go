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
