package rotate

import (
	"sync"
	"time"

	"rotd/store"
)

// memory is what an Engine has seen of generations on their way out. It need
// not outlive the process. The zero value is ready.
type memory struct {
	mu     sync.Mutex
	gone   map[generation]bool      // npm has deleted the token, by its listing
	misses map[generation]time.Time // the first look that did not find the token
}

type generation struct {
	rot string
	n   int
}

func (m *memory) isDeleted(g store.Generation) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gone[generation{g.ROT, g.N}]
}

func (m *memory) deleted(g store.Generation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone == nil {
		m.gone = make(map[generation]bool)
	}
	m.gone[generation{g.ROT, g.N}] = true
}

// missedFor notes that the token was not found now, and tells since when it has
// not been. A clock that was set back begins anew.
func (m *memory) missedFor(g store.Generation, now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := generation{g.ROT, g.N}
	first, ok := m.misses[key]
	if !ok || now.Before(first) {
		if m.misses == nil {
			m.misses = make(map[generation]time.Time)
		}
		m.misses[key] = now
		return 0
	}
	return now.Sub(first)
}

func (m *memory) forget(g store.Generation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.gone, generation{g.ROT, g.N})
	delete(m.misses, generation{g.ROT, g.N})
}
