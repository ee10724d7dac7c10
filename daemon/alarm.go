package daemon

import "time"

// alarm wakes the timer. One goroutine uses it.
type alarm interface {
	// set has it ring after nap, by the wall clock, or earlier; what it was set to
	// before counts no more.
	set(nap time.Duration)
	// rings is where it rings: when it is time, and when the clock may have been set.
	rings() <-chan struct{}
	close()
}

// tickingNap is the longest that a tickingAlarm waits. Go's timers stand still while a
// machine is suspended, and know nothing of a clock that is set: looking at the wall
// clock every minute catches up with both.
const tickingNap = time.Minute

// tickingAlarm is an alarm by Go's timers.
type tickingAlarm struct {
	timer *time.Timer
	ring  chan struct{}
}

func newTickingAlarm() *tickingAlarm {
	a := &tickingAlarm{ring: make(chan struct{}, 1)}
	a.timer = time.AfterFunc(tickingNap, func() { ringOnce(a.ring) })
	return a
}

func (a *tickingAlarm) set(nap time.Duration)  { a.timer.Reset(min(nap, tickingNap)) }
func (a *tickingAlarm) rings() <-chan struct{} { return a.ring }
func (a *tickingAlarm) close()                 { a.timer.Stop() }

// ringOnce never blocks: who has not heard the last ring hears this one with it.
func ringOnce(ring chan<- struct{}) {
	select {
	case ring <- struct{}{}:
	default:
	}
}
