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
	mu    sync.Mutex
	rot   map[string]held
	ended int // how many holds were ended before their time
}

type held struct {
	since    time.Time // when this was noted
	until    time.Time
	failures int
	why      *ipc.Error // nil where nothing has failed
}

// at is when the hold ends; the zero time where there is none, as when the clock
// has been set back since.
func (h *holds) at(rot string, now time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.rot[rot]
	if now.Before(v.since) {
		return time.Time{}
	}
	return v.until
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

// forPerson are the ROTs with which nothing goes on before a person has mended
// something.
func (h *holds) forPerson() (rots []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for rot, v := range h.rot {
		if v.why != nil && forPerson(v.why.Code) {
			rots = append(rots, rot)
		}
	}
	return rots
}

// wantsPerson reports whether something waits for a person to be there.
func (h *holds) wantsPerson(rot string) bool {
	why := h.waitsForPerson(rot)
	return why != nil && why.Code.Exit() == ipc.ExitPerson
}

// note counts a failure to settle and holds the ROT accordingly: longer with
// each in a row, and for a day where only a person can mend it.
func (h *holds) note(rot string, now time.Time, why *ipc.Error, retryAfter time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := held{since: now, failures: h.rot[rot].failures + 1, why: why}
	v.until = rotate.Resettle(now, v.failures, retryAfter)
	if forPerson(why.Code) {
		v.until = now.Add(24 * time.Hour)
	}
	h.put(rot, v)
}

// wait notes that nothing has failed, and that there is nothing to do before a
// time; the zero time: that may change at once.
func (h *holds) wait(rot string, now, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.rot, rot)
	if until.IsZero() {
		h.ended++
		return
	}
	h.put(rot, held{since: now, until: until})
}

// mark is for waitSince: taken before it is found out what to wait for.
func (h *holds) mark() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ended
}

// waitSince is wait with what was found out since mark was taken. Where a hold has
// been ended meanwhile, that may be out of date: there is no hold then.
func (h *holds) waitSince(mark int, rot string, now, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.rot, rot)
	if h.ended == mark && !until.IsZero() {
		h.put(rot, held{since: now, until: until})
	}
}

func (h *holds) put(rot string, v held) {
	if h.rot == nil {
		h.rot = make(map[string]held)
	}
	h.rot[rot] = v
}

// endWait ends a hold, but not one for a failure.
func (h *holds) endWait(rot string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended++
	if h.rot[rot].why == nil {
		delete(h.rot, rot)
	}
}

// release ends a hold.
func (h *holds) release(rot string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended++
	delete(h.rot, rot)
}
