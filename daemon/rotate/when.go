package rotate

import (
	"time"

	"rotd/store"
)

// Next says when a generation that becomes current now is to be replaced: at
// two thirds of its life, up to a twentieth of it earlier by jitter in [0,1).
// It is drawn once and stored; drawn anew at every check it would squeeze to
// the early end. Without an expiry of npm's, the days that were asked for count,
// and without those the ROT is never rotated by itself (the zero time).
func Next(now time.Time, g store.Generation, shape store.Shape, jitter float64) time.Time {
	var life time.Duration
	switch {
	case !g.Expires.IsZero() && !g.Created.IsZero():
		life = g.Expires.Sub(g.Created) // both by npm's clock, whatever ours says
	case !g.Expires.IsZero():
		life = g.Expires.Sub(now)
	case shape.ExpiresDays > 0:
		life = now.AddDate(0, 0, shape.ExpiresDays).Sub(now)
	default:
		return time.Time{}
	}
	life = max(life, 0)
	return now.Add(life * 2 / 3).Add(-time.Duration(jitter * float64(life) / 20))
}

// The pauses after failures in a row double from the first to the last.
const (
	firstRetry, lastRetry       = time.Minute, 6 * time.Hour
	firstResettle, lastResettle = 15 * time.Second, 15 * time.Minute
)

// Retry says when to try a rotation again after the given number of failures in
// a row (1 or more), up to a fifth later by jitter in [0,1); never earlier than
// npm asked for.
func Retry(now time.Time, failures int, retryAfter time.Duration, jitter float64) time.Time {
	pause := backoff(failures, firstRetry, lastRetry)
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
