package rotate_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"rotd/daemon/rotate"
	"rotd/store"
)

const (
	hour = time.Hour
	day  = 24 * hour
)

func TestNext(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	ends := func(in time.Duration) store.Generation {
		return store.Generation{Planned: now, Created: now, Expires: now.Add(in)}
	}
	for _, c := range []struct {
		name     string
		g        store.Generation
		schedule store.Schedule
		asked    int // days
		jitter   float64
		want     time.Duration // -1: never
	}{
		{"two thirds", ends(90 * day), store.Schedule{}, 90, 0, 60 * day},
		{"earlier by jitter", ends(90 * day), store.Schedule{}, 90, 1, 57 * day},
		{"no expiry of npm's: what was asked", store.Generation{}, store.Schedule{}, 30, 0, 20 * day},
		{"none at all", store.Generation{}, store.Schedule{}, 0, 0, -1},
		{"a night is left", ends(day), store.Schedule{}, 1, 0, 14 * hour},
		{"but half of the life is used", ends(12 * hour), store.Schedule{}, 1, 0, 6 * hour},
		{"already expired", ends(-day), store.Schedule{}, 0, 0, hour},
		{"every", ends(90 * day), store.Schedule{Every: 7 * day}, 90, 0, 7 * day},
		{"every, by jitter", ends(90 * day), store.Schedule{Every: 20 * day}, 90, 1, 19 * day},
		{"every, of a token without end", store.Generation{}, store.Schedule{Every: 7 * day}, 0, 0, 7 * day},
		{"every, beyond the life", ends(10 * day), store.Schedule{Every: 30 * day}, 10, 0, 9 * day},
		{"before expiry", ends(90 * day), store.Schedule{BeforeExpiry: 14 * day}, 90, 0, 76 * day},
		{"before expiry, by jitter", ends(24 * day), store.Schedule{BeforeExpiry: 4 * day}, 24, 1, 19 * day},
		{"before expiry, of a short life", ends(9 * day), store.Schedule{BeforeExpiry: 14 * day}, 9, 0, 6 * day},
		{"off", ends(90 * day), store.Schedule{Paused: true}, 90, 0, -1},
		{"off keeps the rest", ends(90 * day), store.Schedule{Paused: true, Every: day}, 90, 0, -1},
	} {
		want := time.Time{}
		if c.want >= 0 {
			want = now.Add(c.want)
		}
		rot := store.ROT{Shape: store.Shape{ExpiresDays: c.asked}, Schedule: c.schedule}
		if got := rotate.Next(now, c.g, rot, c.jitter); !got.Equal(want) {
			t.Errorf("%s: %v, want %v", c.name, got, want)
		}
	}
}

// The timer relies on it: a next rotation is never later than one drawn now.
func TestNextNeverFalls(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		from := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
		g := store.Generation{Planned: from, Created: from, Expires: from.Add(time.Duration(rnd.Int64N(int64(365 * day))))}
		rot := store.ROT{}
		switch rnd.IntN(3) {
		case 0:
			rot.Schedule.Every = time.Duration(rnd.Int64N(int64(100 * day)))
		case 1:
			rot.Schedule.BeforeExpiry = time.Duration(rnd.Int64N(int64(100 * day)))
		}
		later := from.Add(time.Duration(rnd.Int64N(int64(g.Expires.Sub(from)))))
		if a, b := rotate.Next(from, g, rot, 0), rotate.Next(later, g, rot, 0); b.Before(a) && b.Before(g.Expires) {
			t.Fatalf("%+v of a life of %v: %v from the start, %v after %v", rot.Schedule, g.Expires.Sub(from), a, b, later.Sub(from))
		}
	}
}

func TestAClockThatIsFarAhead(t *testing.T) {
	npm := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	ours := npm.Add(40 * day)
	g := store.Generation{Planned: ours, Created: npm, Expires: npm.Add(30 * day)}
	if got := rotate.Expiry(ours.Add(day), g); !got.Equal(ours.Add(30 * day)) {
		t.Errorf("while it is ahead: %v", got)
	}
	if got := rotate.Next(ours, g, store.ROT{}, 0); !got.Equal(ours.Add(20 * day)) {
		t.Errorf("the next rotation: %v", got)
	}
	if got := rotate.Expiry(npm.Add(day), g); !got.Equal(g.Expires) {
		t.Errorf("when it is set right: %v", got)
	}
	g.Planned = npm.Add(-10 * time.Minute) // a person took a while
	if got := rotate.Expiry(npm.Add(day), g); !got.Equal(g.Expires) {
		t.Errorf("where it was right: %v", got)
	}
}

func TestRetry(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for failures, want := range map[int]time.Duration{1: time.Minute, 2: 2 * time.Minute, 5: 16 * time.Minute, 9: 256 * time.Minute, 10: 6 * hour, 1000: 6 * hour} {
		if got := rotate.Retry(now, failures, 0, time.Time{}, 0).Sub(now); got != want {
			t.Errorf("after %d failures: %v, want %v", failures, got, want)
		}
	}
	for left, want := range map[time.Duration]time.Duration{
		30 * day: 6 * hour, 8 * hour: 2 * hour, hour: 15 * time.Minute, time.Minute: time.Minute, -hour: 6 * hour,
	} {
		if got := rotate.Retry(now, 20, 0, now.Add(left), 0).Sub(now); got != want {
			t.Errorf("with %v left: %v, want %v", left, got, want)
		}
	}
	if got := rotate.Retry(now, 1, hour, time.Time{}, 0.5).Sub(now); got != hour {
		t.Errorf("npm asked for an hour, got %v", got)
	}
	if got := rotate.Retry(now, 20, hour, now.Add(2*time.Minute), 0).Sub(now); got != hour {
		t.Errorf("npm asked for an hour, and the end is near: %v", got)
	}
}
