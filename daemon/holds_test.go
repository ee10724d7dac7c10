package daemon

import (
	"testing"
	"time"
)

// TestAHoldThatIsOutOfDate: what the timer found out before somebody took a
// delivery away, or the last reader left, holds nothing up.
func TestAHoldThatIsOutOfDate(t *testing.T) {
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	later := now.Add(time.Minute)
	for name, end := range map[string]func(*holds){
		"nothing":            func(*holds) {},
		"somebody's change":  func(h *holds) { h.wait("a", now, never) },
		"the last reader":    func(h *holds) { h.endWait("a") },
		"what was mended":    func(h *holds) { h.release("a") },
		"a hold of its own":  func(h *holds) { h.wait("b", now, later) },
		"a failure of b's":   func(h *holds) { h.put("b", held{since: now, until: later}) },
		"another ROT's hold": func(h *holds) { h.waitSince(h.mark(), "b", now, later) },
	} {
		var h holds
		mark := h.mark()
		end(&h)
		h.waitSince(mark, "a", now, later)
		outdated := name == "somebody's change" || name == "the last reader" || name == "what was mended"
		if got := h.at("a", now).IsZero(); got != outdated {
			t.Errorf("after %s: no hold: %v, want %v", name, got, outdated)
		}
	}
}
