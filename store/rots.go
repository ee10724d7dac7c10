package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// AddROT keeps a new ROT of r's Passcard with r's Name, Shape and Next. It
// fills ID and Created; the rest of r is not kept, as nothing has happened to
// the ROT yet. ErrTaken, ErrNotFound (the passcard).
func (s *Store) AddROT(ctx context.Context, r ROT) (ROT, error) {
	added := ROT{Passcard: r.Passcard, Name: r.Name, Shape: r.Shape, Next: fromMicros(micros(r.Next))}
	shape, err := json.Marshal(r.Shape)
	if err != nil {
		return ROT{}, failed("add the ROT", err)
	}
	err = s.change(ctx, "add the ROT", func(tx *sql.Tx) error {
		if err := nameIsFree(ctx, tx, r.Name, ""); err != nil {
			return err
		}
		var err error
		if added.ID, err = s.newID(prefixROT); err != nil {
			return err
		}
		added.Created = s.stamp()
		_, err = tx.ExecContext(ctx,
			`INSERT INTO rots (id, passcard, name, shape, current, created, next, failures) VALUES (?, ?, ?, ?, 0, ?, ?, 0)`,
			added.ID, added.Passcard, added.Name, string(shape), micros(added.Created), micros(added.Next))
		if isOrphan(err) {
			return fmt.Errorf("passcard %s: %w", r.Passcard, ErrNotFound)
		}
		return err
	})
	if err != nil {
		return ROT{}, err
	}
	return added, nil
}

const rotColumns = `id, passcard, name, shape, current, created, next, failures, trouble, last_attempt,
	every, before_expiry, paused, notified, notified_at, grace`

func scanROT(from row) (r ROT, err error) {
	var shape string
	var created, next, attempt, every, before, notified, grace sql.NullInt64
	var trouble sql.NullString
	err = from.Scan(&r.ID, &r.Passcard, &r.Name, &shape, &r.Current, &created, &next, &r.Failures, &trouble, &attempt,
		&every, &before, &r.Schedule.Paused, &r.Notified, &notified, &grace)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(shape), &r.Shape); err != nil {
		return r, fmt.Errorf("the shape of %s: %w", r.ID, err)
	}
	if r.Trouble, err = readTrouble(trouble); err != nil {
		return r, fmt.Errorf("%s: %w", r.ID, err)
	}
	r.Created, r.Next, r.LastAttempt = fromMicros(created), fromMicros(next), fromMicros(attempt)
	r.Grace = fromLength(grace)
	r.Schedule.Every, r.Schedule.BeforeExpiry, r.NotifiedAt = fromLength(every), fromLength(before), fromMicros(notified)
	return r, nil
}

// writeTrouble spells t for its column: NULL where there is none.
func writeTrouble(t Trouble) (sql.NullString, error) {
	if t == (Trouble{}) {
		return sql.NullString{}, nil
	}
	b, err := json.Marshal(t)
	return sql.NullString{String: string(b), Valid: true}, err
}

func readTrouble(s sql.NullString) (t Trouble, err error) {
	if !s.Valid {
		return t, nil
	}
	if err := json.Unmarshal([]byte(s.String), &t); err != nil {
		return t, fmt.Errorf("read a trouble: %w", err)
	}
	return t, nil
}

// ROTs returns all of them, the oldest first.
func (s *Store) ROTs(ctx context.Context) ([]ROT, error) {
	return list(ctx, s.db, "list the ROTs", scanROT,
		`SELECT `+rotColumns+` FROM rots ORDER BY created, id`)
}

// ROTsOf returns the ROTs of one passcard, the oldest first.
func (s *Store) ROTsOf(ctx context.Context, passcard string) ([]ROT, error) {
	return list(ctx, s.db, "list the ROTs of passcard "+passcard, scanROT,
		`SELECT `+rotColumns+` FROM rots WHERE passcard = ? ORDER BY created, id`, passcard)
}

// ROT returns the ROT with this id, or ErrNotFound.
func (s *Store) ROT(ctx context.Context, id string) (ROT, error) {
	return one(ctx, s.db, "find ROT "+id, scanROT,
		`SELECT `+rotColumns+` FROM rots WHERE id = ?`, id)
}

// SetTrouble keeps why the attempt that ends now did not succeed, how many
// failed in a row, and when to try again: never by itself where the ROT has no
// value, as a first rotation is made in front of a person, and what was
// withdrawn does not come back unasked. ErrNotFound.
func (s *Store) SetTrouble(ctx context.Context, rot string, t Trouble, failures int, next time.Time) error {
	doing := "keep the trouble of ROT " + rot
	trouble, err := writeTrouble(t)
	if err != nil {
		return failed(doing, err)
	}
	return s.change(ctx, doing, func(tx *sql.Tx) error {
		var before int
		err := tx.QueryRowContext(ctx, `SELECT failures FROM rots WHERE id = ?`, rot).Scan(&before)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx,
			`UPDATE rots SET trouble = ?, failures = ?, next = iif(current = 0, NULL, ?), last_attempt = ? WHERE id = ?`,
			trouble, failures, micros(next), micros(s.stamp()), rot)
		if err != nil || !trouble.Valid || failures <= before { // one that is only put off is in the log already
			return err
		}
		return s.addLog(ctx, tx, LogEntry{Kind: LogFailed, ROT: rot, Detail: t.Message})
	})
}

// ClearTrouble forgets why the last attempt did not succeed: what was in its way
// is not there any more. The ROT is then as its last success left it. ErrNotFound.
func (s *Store) ClearTrouble(ctx context.Context, rot string) error {
	return s.change(ctx, "clear the trouble of ROT "+rot, func(tx *sql.Tx) error {
		return changeOne(tx.ExecContext(ctx,
			`UPDATE rots SET trouble = NULL, failures = 0, last_attempt =
			 (SELECT created FROM generations g WHERE g.rot = rots.id AND g.n = rots.current) WHERE id = ?`, rot))
	})
}
