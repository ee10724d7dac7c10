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
	open  map[logSort]map[logThing]tally
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

// A logKey is kept in two parts: one that few entries differ by, and a small one.
// Somebody may read thousands of values, and each is looked for here every time.
type (
	logSort struct {
		kind   string
		uid    uint32
		known  bool
		detail string
		token  string
	}
	logThing struct {
		rot        string
		generation int
	}
)

func (k logKey) parts() (logSort, logThing) {
	return logSort{k.kind, k.uid, k.known, k.detail, k.token}, logThing{k.rot, k.generation}
}

func joined(s logSort, t logThing) logKey {
	return logKey{s.kind, t.rot, t.generation, s.uid, s.known, s.detail, s.token}
}

// tally is gathered, with times in microseconds since 1970.
type tally struct {
	first, last int64
	count       int
}

type gathered struct {
	first, last time.Time
	count       int
}

func (t tally) gathered() gathered {
	return gathered{time.UnixMicro(t.first), time.UnixMicro(t.last), t.count}
}

func newLogbook() logbook { return logbook{fresh: make(chan struct{}, 1), pause: logPause} }

// add gathers; first says that there was none like it yet since the last writing.
func (b *logbook) add(k logKey, at time.Time, count int) (first bool) {
	sort, thing := k.parts()
	now := at.UnixMicro()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = make(map[logSort]map[logThing]tally)
	}
	of := b.open[sort]
	if of == nil {
		of = make(map[logThing]tally)
		b.open[sort] = of
	}
	t, more := of[thing]
	if !more {
		t.first, t.last = now, now
	}
	t.count += count
	t.last = max(t.last, now)
	of[thing] = t
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
	ripe := make(map[logKey]gathered)
	for sort, things := range b.open {
		who := caught{sort.uid, sort.known}
		of := b.often[who]
		if age := now.Sub(of.since); age < 0 || age >= time.Hour {
			of = reads{since: now}
		}
		for thing, t := range things {
			if sort.kind == store.LogRead {
				if age := now.Sub(time.UnixMicro(t.first)); of.apart >= readsApart && age >= 0 && age < readPause {
					continue
				}
				of.apart++
				b.often[who] = of
			}
			ripe[joined(sort, thing)] = t.gathered()
			delete(things, thing)
		}
		if len(things) == 0 {
			delete(b.open, sort)
		}
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
	taken := make(map[logKey]gathered)
	for sort, things := range b.open {
		for thing, t := range things {
			taken[joined(sort, thing)] = t.gathered()
		}
	}
	b.open = nil
	return taken
}
