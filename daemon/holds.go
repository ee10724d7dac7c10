package daemon

import (
	"sync"
	"time"

	"rotd/daemon/rotate"
	"rotd/ipc"
)

// holds remember until when to leave something of a ROT alone, and why. They
// need not outlive the daemon: a start is a good time to look. The zero value
// is ready.
type holds struct {
	mu  sync.Mutex
	rot map[string]held
}

type held struct {
	until    time.Time
	failures int
	why      *ipc.Error
}

// at is when the hold ends; the zero time where there is none.
func (h *holds) at(rot string) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rot[rot].until
}

// waitsForPerson is why nothing goes on before a person has mended something;
// nil where that is not so.
func (h *holds) waitsForPerson(rot string) *ipc.Error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if why := h.rot[rot].why; why != nil && forPerson(why.Code) {
		return why
	}
	return nil
}

// note counts a failure to settle and holds the ROT accordingly: longer with
// each in a row, and for a day where only a person can mend it.
func (h *holds) note(rot string, now time.Time, why *ipc.Error, retryAfter time.Duration) {
	h.mu.Lock()
	failures := h.rot[rot].failures + 1
	h.mu.Unlock()
	until := rotate.Resettle(now, failures, retryAfter)
	if forPerson(why.Code) {
		until = now.Add(24 * time.Hour)
	}
	h.set(rot, held{until, failures, why})
}

// hold holds a ROT until a time.
func (h *holds) hold(rot string, until time.Time, why *ipc.Error) {
	h.set(rot, held{until: until, why: why})
}

func (h *holds) set(rot string, v held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rot == nil {
		h.rot = make(map[string]held)
	}
	h.rot[rot] = v
}

// release ends a hold.
func (h *holds) release(rot string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.rot, rot)
}
