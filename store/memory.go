package store

import "sync"

// memory keeps what the readers of values have looked up, as its rows hold it:
// who may read what, and values, which stay sealed. It is empty from the moment
// before a change is committed to the one after it. So what is remembered is
// what the database would answer, and nobody is given an older value, or a right
// that was taken back, after somebody was given the newer one. The zero value
// is ready.
//
// That holds because no other process changes the database: see the package's
// comment.
type memory struct {
	mu       sync.RWMutex
	kept     [askedKinds]map[string]any // by what was asked about
	changes  uint64                     // so many have begun
	changing bool
}

// asked is a kind of question.
type asked int

const (
	askedReference    asked = iota // what a reference names
	askedValue                     // the value of a ROT
	askedReadableBy                // what somebody may read
	askedReadableWith              // what an access token opens
	askedKinds
)

// memoryMost bounds the answers of a kind that are kept, some 500 bytes each: enough for
// 10 000 ROTs that are read by name and by id. With one more all of it are forgotten.
const memoryMost = 1 << 15

// remembered answers from memory, or else by find, whose answer it keeps. An
// error is not kept.
func remembered[T any](m *memory, kind asked, about string, find func() (T, error)) (T, error) {
	m.mu.RLock()
	kept, ok := m.kept[kind][about]
	changes, changing := m.changes, m.changing
	m.mu.RUnlock()
	if ok {
		return kept.(T), nil
	}
	found, err := find()
	if err != nil || changing {
		return found, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changes == changes { // none has begun since
		if of := m.kept[kind]; of == nil || len(of) >= memoryMost {
			m.kept[kind] = make(map[string]any)
		}
		m.kept[kind][about] = found
	}
	return found, nil
}

// change forgets everything, and keeps nothing until commit has returned.
func (m *memory) change(commit func() error) error {
	m.mu.Lock()
	clear(m.kept[:])
	m.changing = true
	m.changes++
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.changing = false
		m.mu.Unlock()
	}()
	return commit()
}
