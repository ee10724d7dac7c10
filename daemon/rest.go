package daemon

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// restAfter is how long nothing has to happen before the daemon rests.
	restAfter = 5 * time.Second
	// wakeAfter is how long after something has happened it does not rest any more: a
	// reader who comes alone is answered first.
	wakeAfter = 100 * time.Millisecond
	// worthFreeing is what has to be allocated, in bytes, before memory is given back.
	worthFreeing = 1 << 20
)

// stir notes that something happens. It never blocks.
func (d *Daemon) stir() {
	if d.astir.Load() {
		return
	}
	d.astir.Store(true)
	select {
	case d.stirred <- struct{}{}:
	default:
	}
}

// takesAWhile is stir for what takes a while, until it is done.
func (d *Daemon) takesAWhile() (done func()) {
	d.busy.Add(1)
	d.stir()
	return func() {
		d.busy.Add(-1)
		d.stir()
	}
}

// rest gives memory back where nothing has happened for a while, and has the
// collector rest until something does. It runs until the daemon stops, and wakes up
// for nothing else.
func (d *Daemon) rest() {
	var c collector
	freed := uint64(0) // allocated when memory was last given back
	for {
		select {
		case <-d.stirred:
		case <-d.stop.Done():
			return
		}
		if sleep(d.stop, wakeAfter) != nil {
			return
		}
		c.wake()
		for d.astir.Swap(false) || d.busy.Load() > 0 {
			if sleep(d.stop, restAfter) != nil {
				return
			}
		}
		if now := allocated(); now-freed > worthFreeing {
			freed = now
			debug.FreeOSMemory()
			if err := releaseProgram(); err != nil {
				d.cfg.Log.Debug("the program's own pages stay in memory", "err", err)
			}
		}
		if d.cfg.Alone {
			c.rest()
		}
	}
}

// collector is Go's. It runs every two minutes whether there is something to collect
// or not, and that is most of what a daemon with nothing to do would do.
type collector struct {
	resting bool
	percent int
	limit   int64
}

// restingRoom is how much memory may be taken while the collector rests before it
// runs all the same, in bytes: a look of the timer takes some.
const restingRoom = 4 << 20

func (c *collector) rest() {
	if c.resting {
		return
	}
	c.resting = true
	c.percent = debug.SetGCPercent(-1)
	c.limit = debug.SetMemoryLimit(-1)
	debug.SetMemoryLimit(min(c.limit, int64(inUse())+restingRoom))
}

func (c *collector) wake() {
	if !c.resting {
		return
	}
	c.resting = false
	debug.SetGCPercent(c.percent)
	debug.SetMemoryLimit(c.limit)
}

// allocated is what the program has allocated since its start, in bytes.
func allocated() uint64 { return metric("/gc/heap/allocs:bytes") }

// inUse is the memory that Go's runtime has, in bytes, as its limit counts it.
func inUse() uint64 {
	return metric("/memory/classes/total:bytes") - metric("/memory/classes/heap/released:bytes")
}

func metric(name string) uint64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
