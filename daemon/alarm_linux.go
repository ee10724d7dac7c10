package daemon

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// clockAlarm is an alarm by the kernel's timer of the wall clock: it counts while the
// machine is suspended, and says when the clock is set. So it can be still for long.
type clockAlarm struct {
	timer *os.File
	ring  chan struct{}
}

// newAlarm is a clockAlarm where the kernel gives one: some that only look like
// Linux's know no clocks that are set.
func newAlarm() alarm {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return newTickingAlarm()
	}
	a := &clockAlarm{timer: os.NewFile(uintptr(fd), "timerfd"), ring: make(chan struct{}, 1)}
	if err := a.arm(time.Hour); err != nil && !errors.Is(err, unix.ECANCELED) {
		a.close()
		return newTickingAlarm()
	}
	go a.listen()
	return a
}

// listen rings until the timer is closed.
func (a *clockAlarm) listen() {
	expirations := make([]byte, 8)
	for {
		if _, err := a.timer.Read(expirations); err != nil && !errors.Is(err, unix.ECANCELED) {
			return
		}
		ringOnce(a.ring)
	}
}

// set rings at once where the clock was set since it was last set itself.
func (a *clockAlarm) set(nap time.Duration) {
	switch err := a.arm(nap); {
	case errors.Is(err, unix.ECANCELED):
		ringOnce(a.ring)
	case err != nil: // which it was not at first
		time.AfterFunc(min(nap, tickingNap), func() { ringOnce(a.ring) })
	}
}

func (a *clockAlarm) arm(nap time.Duration) error {
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(time.Now().Add(nap).UnixNano())}
	conn, err := a.timer.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	err = conn.Control(func(fd uintptr) {
		serr = unix.TimerfdSettime(int(fd), unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &at, nil)
	})
	return errors.Join(err, serr)
}

func (a *clockAlarm) rings() <-chan struct{} { return a.ring }
func (a *clockAlarm) close()                 { _ = a.timer.Close() }
