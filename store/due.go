package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// What the timer asks at every look costs as much as there is to do, and not as
// there are ROTs: each of these has an index.

// Due returns the ROTs whose next rotation is before a time, and those that were
// last tried after the present one, as they are where the clock was set back. The
// oldest come first.
func (s *Store) Due(ctx context.Context, before, now time.Time) ([]ROT, error) {
	return list(ctx, s.db, "list the ROTs that are due", scanROT,
		`SELECT `+rotColumns+` FROM rots WHERE id IN (SELECT id FROM rots WHERE next < ?
		 UNION ALL SELECT id FROM rots WHERE last_attempt > ?) ORDER BY created, id`, micros(before), micros(now))
}

// FirstDue returns the ROT whose next rotation is the first of those at a time or
// after it. ErrNotFound: there is none.
func (s *Store) FirstDue(ctx context.Context, from time.Time) (ROT, error) {
	return one(ctx, s.db, "find the ROT that is due next", scanROT,
		`SELECT `+rotColumns+` FROM rots WHERE next >= ? ORDER BY next LIMIT 1`, micros(from))
}

// AnyROT reports whether there is a ROT.
func (s *Store) AnyROT(ctx context.Context) (bool, error) {
	scan := func(from row) (id string, err error) { return id, from.Scan(&id) }
	_, err := one(ctx, s.db, "look for a ROT", scan, `SELECT id FROM rots LIMIT 1`)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// InUse returns the passcards of which a ROT is served and not paused.
func (s *Store) InUse(ctx context.Context) (map[string]bool, error) {
	scan := func(from row) (id string, err error) { return id, from.Scan(&id) }
	ids, err := list(ctx, s.db, "list the passcards in use", scan,
		`SELECT id FROM passcards WHERE EXISTS (SELECT 1 FROM rots WHERE passcard = passcards.id AND current > 0 AND NOT paused)`)
	found := make(map[string]bool, len(ids))
	for _, id := range ids {
		found[id] = true
	}
	return found, err
}

// Notable returns the ROTs that are in trouble, or whose passcard or delivery is,
// or whose token has expired by npm's word, and those of whose trouble the user
// was told.
func (s *Store) Notable(ctx context.Context, now time.Time) ([]string, error) {
	scan := func(from row) (id string, err error) { return id, from.Scan(&id) }
	return list(ctx, s.db, "list the ROTs that are in trouble", scan,
		`SELECT id FROM rots WHERE trouble IS NOT NULL OR notified <> ''
		 UNION SELECT rots.id FROM passcards CROSS JOIN rots ON rots.passcard = passcards.id WHERE passcards.trouble IS NOT NULL
		 UNION SELECT rot FROM deliveries WHERE failures > 0
		 UNION SELECT rot FROM generations WHERE step = 'current' AND expires <= ?`, micros(now)) // CROSS: few passcards first
}

// ROTIDs returns the ids of the ROTs of each passcard, the oldest first.
func (s *Store) ROTIDs(ctx context.Context) (map[string][]string, error) {
	type pair struct{ passcard, id string }
	scan := func(from row) (p pair, err error) { return p, from.Scan(&p.passcard, &p.id) }
	all, err := list(ctx, s.db, "list the ids of the ROTs", scan, `SELECT passcard, id FROM rots ORDER BY created, id`)
	of := make(map[string][]string)
	for _, p := range all {
		of[p.passcard] = append(of[p.passcard], p.id)
	}
	return of, err
}

// FirstExpiry returns when the first of the generations that are served ends, of
// those that end after a time; the zero time: none does.
func (s *Store) FirstExpiry(ctx context.Context, after time.Time) (time.Time, error) {
	scan := func(from row) (end sql.NullInt64, err error) { return end, from.Scan(&end) }
	end, err := one(ctx, s.db, "find the token that ends next", scan,
		`SELECT expires FROM generations WHERE step = 'current' AND expires > ? ORDER BY expires LIMIT 1`, micros(after))
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return fromMicros(end), err
}
