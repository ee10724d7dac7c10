package daemon

import (
	"sync"
	"time"

	"rotd/store"
)

const (
	// refusalsApart are entries of one uid's refusals within an hour. What comes
	// after them is one entry a minute: nobody pushes older ones out of the log by
	// being refused.
	refusalsApart = 100

	// readsApart are likewise entries of one uid's reads. What comes after them is
	// gathered for readPause.
	readsApart = 100
	readPause  = time.Minute
)

// logbook gathers reads and refusals in memory, so that reading a value writes
// nothing and waits for nothing. The zero value gathers, and wakes nobody.
type logbook struct {
	mu    sync.Mutex
	open  map[logKey]gathered
	fresh chan struct{} // holds one: something is open
	pause time.Duration // between the first entry and the writing of all
	shy   map[caught]refusals
	often map[caught]reads
}

// caught is whoever was refused, or reads.
type caught struct {
	uid   uint32
	known bool
}

// reads are the entries of one's reads within an hour.
type reads struct {
	since time.Time
	apart int
}

// refusals are those of one within an hour.
type refusals struct {
	since time.Time
	apart int
	more  int       // that are in no entry yet
	told  time.Time // of more, last
}

// logKey is what makes two entries one. Every field has few values, so that a
// logbook that nobody writes stays small.
type logKey struct {
	kind, rot  string
	generation int
	uid        uint32
	known      bool // uid is
	detail     string
	token      string // the id of the access token that was used
}

type gathered struct {
	first, last time.Time
	count       int
}

func newLogbook() logbook { return logbook{fresh: make(chan struct{}, 1), pause: logPause} }

// add gathers; first says that there was none like it yet since the last writing.
func (b *logbook) add(k logKey, at time.Time, count int) (first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = make(map[logKey]gathered)
	}
	g, more := b.open[k]
	if !more {
		g.first = at
	}
	g.count += count
	if at.After(g.last) {
		g.last = at
	}
	b.open[k] = g
	b.wake()
	return !more
}

func (b *logbook) wake() {
	select {
	case b.fresh <- struct{}{}:
	default:
	}
}

// refuse gathers a refusal. first says that it is to be told of elsewhere, too.
func (b *logbook) refuse(k logKey, at time.Time) (first bool) {
	k, count := b.lump(k, at)
	if count == 0 || !b.add(k, at, count) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	who := caught{k.uid, k.known}
	of := b.shy[who]
	of.apart++
	b.shy[who] = of
	return true
}

// lump is the entry for a refusal, and how many it stands for; 0: for now it is
// only counted.
func (b *logbook) lump(k logKey, at time.Time) (logKey, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shy == nil || len(b.shy) > 1000 {
		b.shy = make(map[caught]refusals)
	}
	who := caught{k.uid, k.known}
	of := b.shy[who]
	if age := at.Sub(of.since); age < 0 || age >= time.Hour {
		of = refusals{since: at, more: of.more}
	}
	count := 1
	if of.apart >= refusalsApart {
		of.more++
		count = 0
		if age := at.Sub(of.told); age < 0 || age >= time.Minute {
			k.rot, k.detail = "", "one thing and another, again and again"
			count, of.more, of.told = of.more, 0, at
		}
	}
	b.shy[who] = of
	return k, count
}

// ripe takes what is to be written now, and leaves the reads of whoever has many
// entries until they have been gathered for long enough.
func (b *logbook) ripe(now time.Time) map[logKey]gathered {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.often == nil || len(b.often) > 1000 {
		b.often = make(map[caught]reads)
	}
	ripe := make(map[logKey]gathered, len(b.open))
	for k, g := range b.open {
		if k.kind == store.LogRead {
			who := caught{k.uid, k.known}
			of := b.often[who]
			if age := now.Sub(of.since); age < 0 || age >= time.Hour {
				of = reads{since: now}
			}
			if age := now.Sub(g.first); of.apart >= readsApart && age >= 0 && age < readPause {
				continue
			}
			of.apart++
			b.often[who] = of
		}
		ripe[k] = g
		delete(b.open, k)
	}
	if len(b.open) > 0 {
		b.wake()
	}
	return ripe
}

// take empties the book.
func (b *logbook) take() map[logKey]gathered {
	b.mu.Lock()
	defer b.mu.Unlock()
	open := b.open
	b.open = nil
	return open
}
