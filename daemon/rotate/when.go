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
	expires := g.Expires
	if expires.IsZero() && shape.ExpiresDays > 0 {
		expires = now.AddDate(0, 0, shape.ExpiresDays)
	}
	if expires.IsZero() {
		return time.Time{}
	}
	life := max(expires.Sub(now), 0)
	return now.Add(life * 2 / 3).Add(-time.Duration(jitter * float64(life) / 20))
}

// Retry backoff: the first pause, doubled with each failure up to the last.
const (
	firstRetry = time.Minute
	lastRetry  = 6 * time.Hour
)

// Retry says when to try again after the given number of failures in a row (1
// or more); never earlier than the time that npm asked to be left alone for.
func Retry(now time.Time, failures int, retryAfter time.Duration, jitter float64) time.Time {
	pause := lastRetry
	if shift := failures - 1; shift < 16 && firstRetry<<shift < lastRetry {
		pause = firstRetry << shift
	}
	pause += time.Duration(jitter * float64(pause) / 5)
	return now.Add(max(pause, retryAfter))
}
