package daemon

import (
	"slices"
	"sync"
	"time"
)

// So many wrong access tokens of one uid within strikeTime, wherever that begins,
// shut it out for shutOut.
const (
	maxStrikes = 10
	strikeTime = time.Minute
	shutOut    = time.Minute
)

// strikes counts wrong access tokens by uid. The zero value is ready.
type strikes struct {
	mu  sync.Mutex
	uid map[uint32]struck
}

type struck struct {
	at    []time.Time // of those within strikeTime, fewer than maxStrikes
	until time.Time   // shut out; zero: not
}

// add counts a wrong one.
func (s *strikes) add(uid uint32, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.uid[uid]
	k.at = slices.DeleteFunc(k.at, func(at time.Time) bool {
		age := now.Sub(at)
		return age < 0 || age >= strikeTime
	})
	if k.at = append(k.at, now); len(k.at) >= maxStrikes {
		k = struck{until: now.Add(shutOut)}
	}
	if s.uid == nil {
		s.uid = make(map[uint32]struck)
	}
	s.uid[uid] = k
}

// left is how long a uid is shut out yet; 0: it is not.
func (s *strikes) left(uid uint32, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.uid[uid].until.Sub(now)
	if left > shutOut { // the clock was set back
		left = 0
	}
	return max(left, 0)
}
