package daemon

import (
	"context"
	"log/slog"
	"math"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

// collecting tells whether Go's collector runs by itself.
func collecting() bool { return metric("/gc/gogc:percent") != math.MaxUint64 }

// TestRest: the collector rests where nothing happens, and does so no more when
// something does, for as long as it does.
func TestRest(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	defer func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		d := &Daemon{cfg: Config{Alone: true, Log: slog.New(slog.DiscardHandler)}, stirred: make(chan struct{}, 1), stop: ctx}
		go d.rest()
		expect := func(when string, want bool) {
			t.Helper()
			synctest.Wait()
			if got := collecting(); got != want {
				t.Errorf("%s the collector runs: %t", when, got)
			}
		}
		expect("at the start", true)
		d.stir()
		time.Sleep(restAfter)
		expect("a moment after something happened", true)
		time.Sleep(restAfter)
		expect("when nothing has happened for a while", false)
		if now := debug.SetMemoryLimit(-1); now >= limit || now < restingRoom {
			t.Errorf("while it rests %d bytes may be taken", now)
		}
		time.Sleep(time.Hour)
		expect("an hour later", false)
		for range 10 {
			d.stir()
			time.Sleep(restAfter / 2)
			expect("while things happen", true)
		}
		if now := debug.SetMemoryLimit(-1); now != limit {
			t.Errorf("while things happen %d bytes may be taken, want %d", now, limit)
		}
		done := d.takesAWhile()
		time.Sleep(time.Minute)
		expect("in a rotation", true)
		done()
		time.Sleep(2 * restAfter)
		expect("after it", false)
	})
}

// One that is not alone in its process leaves the collector alone.
func TestRestOfOneAmongOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		d := &Daemon{cfg: Config{Log: slog.New(slog.DiscardHandler)}, stirred: make(chan struct{}, 1), stop: ctx}
		go d.rest()
		d.stir()
		time.Sleep(time.Minute)
		synctest.Wait()
		if !collecting() {
			t.Error("the collector does not run any more")
		}
	})
}
