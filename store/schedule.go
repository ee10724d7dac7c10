package store

import (
	"context"
	"database/sql"
	"time"
)

// Schedule is when a ROT is rotated, as the user said it; the zero value: at
// two thirds of the token's life. At most one of Every and BeforeExpiry is set.
type Schedule struct {
	Every        time.Duration // after the last rotation
	BeforeExpiry time.Duration
	Paused       bool // never by itself
}

// SetSchedule keeps when the ROT is to be rotated from now on, and the next
// time of it; the zero time: never by itself. ErrNotFound.
func (s *Store) SetSchedule(ctx context.Context, rot string, to Schedule, next time.Time) error {
	return s.change(ctx, "schedule ROT "+rot, func(tx *sql.Tx) error {
		return changeOne(tx.ExecContext(ctx,
			`UPDATE rots SET every = ?, before_expiry = ?, paused = ?, next = ? WHERE id = ?`,
			length(to.Every), length(to.BeforeExpiry), to.Paused, micros(next), rot))
	})
}

// SetNext moves the ROT's next rotation and leaves its schedule. ErrNotFound.
func (s *Store) SetNext(ctx context.Context, rot string, next time.Time) error {
	return s.change(ctx, "move the next rotation of ROT "+rot, func(tx *sql.Tx) error {
		return changeOne(tx.ExecContext(ctx, `UPDATE rots SET next = ? WHERE id = ?`, micros(next), rot))
	})
}

// SetNotified keeps what the user has been told of the ROT, a state, or that
// there is nothing to tell of any more (""). ErrNotFound.
func (s *Store) SetNotified(ctx context.Context, rot, state string) error {
	return s.change(ctx, "note what was told of ROT "+rot, func(tx *sql.Tx) error {
		return changeOne(tx.ExecContext(ctx,
			`UPDATE rots SET notified = ?, notified_at = ? WHERE id = ?`, state, micros(s.stamp()), rot))
	})
}

// length is a length of time as it is kept: microseconds, none is NULL.
func length(d time.Duration) sql.NullInt64 {
	return sql.NullInt64{Int64: d.Microseconds(), Valid: d > 0}
}

func fromLength(us sql.NullInt64) time.Duration { return time.Duration(us.Int64) * time.Microsecond }
