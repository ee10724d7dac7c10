package store

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestNobodyReadsAnOlderValue: whoever begins to read after somebody was given a
// generation is given that one or a newer.
func TestNobodyReadsAnOlderValue(t *testing.T) {
	s := openNew(t)
	rot := addROT(t, s, addPasscard(t, s, "ada").ID, "ci").ID
	rotate(t, s, rot, "t1", "npm_EXAMPLE1")
	const last = 40
	var newest atomic.Int64
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for newest.Load() < last {
				seen := newest.Load()
				g, v, err := s.Current(t.Context(), rot)
				if err != nil || int64(g.N) < seen || v.Reveal() != fmt.Sprint("npm_EXAMPLE", g.N) {
					t.Errorf("after generation %d: %d, %v", seen, g.N, err)
					return
				}
				for at := newest.Load(); int64(g.N) > at && !newest.CompareAndSwap(at, int64(g.N)); at = newest.Load() {
				}
			}
		})
	}
	for n := 2; n <= last && !t.Failed(); n++ {
		rotate(t, s, rot, fmt.Sprint("t", n), fmt.Sprint("npm_EXAMPLE", n))
	}
	readers.Wait()
}

// TestMemoryEndsWithAChange: what is looked up is remembered, until the change
// that is made in the meantime.
func TestMemoryEndsWithAChange(t *testing.T) {
	var m memory
	asked := 0
	answer := func() (int, error) {
		asked++
		return asked, nil
	}
	read := func(want int) {
		t.Helper()
		if got := must[int](t)(remembered(&m, askedValue, "a", answer)); got != want {
			t.Errorf("got answer %d, want %d", got, want)
		}
	}
	read(1)
	read(1)
	if got := must[int](t)(remembered(&m, askedValue, "b", answer)); got != 2 {
		t.Errorf("another question has answer %d", got)
	}
	ok(t, m.change(func() error { read(3); read(4); return nil })) // not while it is made
	read(5)
	read(5)
	lost := errors.New("lost")
	if err := m.change(func() error { return lost }); !errors.Is(err, lost) {
		t.Errorf("a change that fails: %v", err)
	}
	read(6)

	// An answer that is on its way when a change is made is good for whoever
	// asked, and for nobody else.
	ok(t, m.change(func() error { return nil }))
	slow := func() (int, error) { return 7, m.change(func() error { return nil }) }
	if got := must[int](t)(remembered(&m, askedValue, "a", slow)); got != 7 {
		t.Errorf("got answer %d", got)
	}
	read(7)
	if _, err := remembered(&m, askedValue, "c", func() (int, error) { return 0, lost }); !errors.Is(err, lost) {
		t.Errorf("got %v", err)
	}
	if got := must[int](t)(remembered(&m, askedValue, "c", answer)); got != 8 {
		t.Errorf("an error was remembered: %d", got)
	}
	for i := range memoryMost + 1 {
		_ = must[int](t)(remembered(&m, askedReference, fmt.Sprint(i), answer))
	}
	if n := len(m.kept[askedReference]); n > memoryMost {
		t.Errorf("%d answers are kept", n)
	}
}

// TestReadsInTheLogLeaveMemory: what is written every second does not cost the
// readers.
func TestReadsInTheLogLeaveMemory(t *testing.T) {
	s := openNew(t)
	rot := addROT(t, s, addPasscard(t, s, "ada").ID, "ci").ID
	rotate(t, s, rot, "t1", "npm_EXAMPLE1")
	_, _, err := s.Current(t.Context(), rot)
	ok(t, err)
	ok(t, s.AddLog(t.Context(), LogEntry{Kind: LogRead, ROT: rot}))
	ok(t, s.TokensUsed(t.Context(), map[string]time.Time{"rat_none": s.stamp()}))
	if len(s.memory.kept[askedValue]) == 0 {
		t.Error("nothing is remembered any more")
	}
}

// TestNobodyIsTakenForTwo: what a name says is not what somebody is.
func TestNobodyIsTakenForTwo(t *testing.T) {
	s := openNew(t)
	rot := addROT(t, s, addPasscard(t, s, "ada").ID, "ci").ID
	_ = must[Grant](t)(s.AddGrant(t.Context(), Grant{ROT: rot, Kind: GrantUID, Subject: "7"}, nil))
	for _, c := range []struct {
		who  []Subject
		most int
	}{
		{[]Subject{{GrantUnit, "a"}, {GrantUID, "7"}}, 1},
		{[]Subject{{GrantUnit, "a} {uid 7"}}, 0},
	} {
		if got := must[[]Readable](t)(s.ReadableBy(t.Context(), c.who...)); len(got) != c.most {
			t.Errorf("%v may read %v", c.who, got)
		}
	}
}
