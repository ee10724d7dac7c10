package main

import (
	"runtime"
	"testing"
)

func TestUseThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, c := range []struct {
		chosen      string
		before, now int
	}{{"", 1, leastThreads}, {"", 2, leastThreads}, {"", 8, 8}, {"1", 1, 1}} {
		t.Setenv("GOMAXPROCS", c.chosen)
		runtime.GOMAXPROCS(c.before)
		useThreads()
		if got := runtime.GOMAXPROCS(0); got != c.now {
			t.Errorf("%d threads with GOMAXPROCS=%q are %d, want %d", c.before, c.chosen, got, c.now)
		}
	}
}
