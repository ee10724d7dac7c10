package daemon

import (
	"runtime/debug"
	"time"
)

// restAfter is how long after the last work the daemon gives back the memory
// that it has no use for while it waits.
const restAfter = 5 * time.Second

// stir notes that there was work of the kind that takes memory: a look at
// everything, a rotation. It never blocks.
func (d *Daemon) stir() {
	select {
	case d.stirred <- struct{}{}:
	default:
	}
}

// rest gives memory back some time after work has begun, and again where there is
// more. It runs until the daemon stops, and wakes up for nothing else.
func (d *Daemon) rest() {
	for {
		select {
		case <-d.stirred:
		case <-d.stop.Done():
			return
		}
		if sleep(d.stop, restAfter) != nil {
			return
		}
		debug.FreeOSMemory()
		if err := releaseProgram(); err != nil {
			d.cfg.Log.Debug("the program's own pages stay in memory", "err", err)
		}
	}
}
