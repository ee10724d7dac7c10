package rotate

import (
	"time"

	"rotd/store"
)

// A day is 24 hours here, as it is in the life of npm's tokens: nothing depends
// on a calendar, and so on no time zone.
const day = 24 * time.Hour

// night is what a token of a short life leaves for a machine that sleeps, and
// for some tries after it.
const night = 10 * time.Hour

// Next says when generation g of rot, current since the given time, is to be
// replaced; the zero time: never by itself. Where the user has set no schedule
// it is at two thirds of the life, and earlier where that would leave less than
// a night, but not before half of it. By jitter in [0,1) it comes up to a
// twentieth of the wait earlier: drawn once and stored; drawn anew at every
// check it would squeeze to the early end. Without an expiry of npm's, the days
// that were asked for count.
//
// It never falls when since grows, and lies before the token's end. A schedule
// that does not fit the token's life, which a later shape can bring about, does
// not count, or is cut to nine tenths of it. A token that has next to no life is
// not replaced at once, or one would follow the other without end.
func Next(since time.Time, g store.Generation, rot store.ROT, jitter float64) time.Time {
	life, known := lifeFrom(since, g, rot.Shape)
	s := rot.Schedule
	var wait time.Duration
	switch {
	case s.Paused, !known && s.Every == 0:
		return time.Time{}
	case s.Every > 0 && !known:
		wait = s.Every
	case s.Every > 0:
		wait = min(s.Every, life*9/10)
	case s.BeforeExpiry > 0 && s.BeforeExpiry < life:
		wait = life - s.BeforeExpiry
	default:
		wait = max(life/2, min(life*2/3, life-night))
	}
	wait = max(wait, shortestWait)
	return since.Add(wait - time.Duration(jitter*float64(wait)/20))
}

// shortestWait is the least between two rotations of a ROT.
const shortestWait = time.Hour

// lifeFrom is what is left of g's life at a time.
func lifeFrom(t time.Time, g store.Generation, shape store.Shape) (life time.Duration, known bool) {
	switch end := Expiry(t, g); {
	case !end.IsZero():
		life = max(end.Sub(t), 0)
		if whole := g.Expires.Sub(g.Created); !g.Created.IsZero() {
			life = min(life, whole) // a clock that is behind npm's adds nothing
		}
		return life, true
	case shape.ExpiresDays > 0:
		return time.Duration(shape.ExpiresDays) * day, true
	}
	return 0, false
}

// farAhead is more than a clock and npm's differ by on a good day, a slow
// answer of npm's included.
const farAhead = time.Hour

// Expiry is when g ends by the clock that says now; the zero time: npm named no
// end. A clock that was far ahead of npm's when g was made, and still is, would
// take every new token for an old one: then g's life counts from its making.
func Expiry(now time.Time, g store.Generation) time.Time {
	ahead := g.Planned.Sub(g.Created)
	if g.Expires.IsZero() || g.Created.IsZero() || ahead < farAhead || now.Before(g.Planned) {
		return g.Expires
	}
	return g.Expires.Add(ahead)
}

// The pauses after failures in a row double from the first to the last.
const (
	firstRetry, lastRetry       = time.Minute, 6 * time.Hour
	firstResettle, lastResettle = 15 * time.Second, 15 * time.Minute
)

// lastTries is how many tries at least are to fit in what is left of a token's
// life.
const lastTries = 4

// Retry says when to try a rotation again after the given number of failures in
// a row (1 or more), up to a fifth later by jitter in [0,1). It is sooner where
// the present token's end (zero: none) is near, and never earlier than npm asked
// for.
func Retry(now time.Time, failures int, retryAfter time.Duration, end time.Time, jitter float64) time.Time {
	pause := backoff(failures, firstRetry, lastRetry)
	if now.Before(end) {
		pause = min(pause, max(end.Sub(now)/lastTries, firstRetry))
	}
	return now.Add(max(pause+time.Duration(jitter*float64(pause)/5), retryAfter))
}

// Resettle says when to try Settle again. It is sooner than Retry: a token that
// should be dead may be at stake.
func Resettle(now time.Time, failures int, retryAfter time.Duration) time.Time {
	return now.Add(max(backoff(failures, firstResettle, lastResettle), retryAfter))
}

func backoff(failures int, first, last time.Duration) time.Duration {
	pause := first
	for i := 1; i < failures && pause < last; i++ {
		pause *= 2
	}
	return min(pause, last)
}
