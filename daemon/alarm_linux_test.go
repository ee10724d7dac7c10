package daemon

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// setClock sets the clock of this machine a nanosecond on and back again: by less the
// kernel takes it for not set.
func setClock(t *testing.T) {
	t.Helper()
	for _, by := range []unix.Timeval{{Usec: 1}, {Sec: -1, Usec: 999_999_999}} {
		_, err := unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_SETOFFSET | unix.ADJ_NANO, Time: by})
		if errors.Is(err, unix.EPERM) {
			t.Skip("only root may set the clock")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A clock that is set is heard of at once, whether it is waited for just then or not.
func TestAlarmOfAClockThatIsSet(t *testing.T) {
	a, ok := newAlarm().(*clockAlarm)
	if !ok {
		t.Fatal("this kernel has no timers of the wall clock")
	}
	defer a.close()
	a.set(time.Hour)
	setClock(t)
	heard(t, a)
	a.set(time.Hour)
	setClock(t)
	a.set(time.Hour) // as where the timer was at work meanwhile
	heard(t, a)
}
