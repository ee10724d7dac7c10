package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
)

// Withdraw stops serving a value of the ROT, all in one transaction: what was
// current is retiring, it and every older value are to be revoked in a hurry, a
// token that npm has made for a rotation under way is not to be served, and no
// rotation comes by itself any more. by is the uid that asked. Where nothing is
// served it does the rest all the same. ErrNotFound.
func (s *Store) Withdraw(ctx context.Context, rot string, by *uint32) error {
	return s.change(ctx, "withdraw ROT "+rot, func(tx *sql.Tx) error {
		var n int
		err := tx.QueryRowContext(ctx, `SELECT current FROM rots WHERE id = ?`, rot).Scan(&n)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx,
			`UPDATE generations SET hurry = 1, step = ?1, changed = iif(step = ?1, changed, ?2)
			 WHERE rot = ?3 AND step IN (?1, ?4)`,
			StepRetiring, micros(s.stamp()), rot, StepCurrent)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx,
			`UPDATE generations SET step = ?, changed = ? WHERE rot = ? AND step IN (?, ?)`,
			StepDiscarding, micros(s.stamp()), rot, StepCreated, StepVerified)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx,
			`UPDATE rots SET current = 0, next = NULL, failures = 0, trouble = NULL WHERE id = ?`, rot)
		if err != nil || n == 0 {
			return err
		}
		return s.addLog(ctx, tx, LogEntry{Kind: LogWithdrawn, ROT: rot, Generation: n, UID: by,
			Detail: "nothing is served until the next rotation"})
	})
}

// Withdrawn returns, by ROT, since when a ROT has no value because its last one
// was withdrawn: the time of that, or of npm's confirmation.
func (s *Store) Withdrawn(ctx context.Context) (map[string]time.Time, error) {
	type since struct {
		rot string
		at  time.Time
	}
	scan := func(from row) (v since, err error) {
		var at sql.NullInt64
		err = from.Scan(&v.rot, &at)
		v.at = fromMicros(at)
		return v, err
	}
	found, err := list(ctx, s.db, "list the withdrawn ROTs", scan,
		`SELECT rots.id, max(g.changed) FROM rots JOIN generations g ON g.rot = rots.id
		 WHERE rots.current = 0 AND g.hurry = 1 AND g.step IN ('retiring', 'revoked') GROUP BY rots.id`)
	byROT := make(map[string]time.Time, len(found))
	for _, v := range found {
		byROT[v.rot] = v.at
	}
	return byROT, err
}

// RemoveROT forgets the ROT and every value of it. What npm still holds of it
// is the caller's to see to. by is the uid that asked. ErrNotFound.
func (s *Store) RemoveROT(ctx context.Context, rot string, by *uint32) error {
	return s.forget(ctx, "remove ROT "+rot, func(tx *sql.Tx) error {
		var passcard string
		err := tx.QueryRowContext(ctx, `SELECT passcard FROM rots WHERE id = ?`, rot).Scan(&passcard)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		return s.removeROT(ctx, tx, LogEntry{Kind: LogRemoved, ROT: rot, Passcard: passcard, UID: by})
	})
}

// RemovePasscard forgets the passcard with its secrets and all of its ROTs, as
// RemoveROT does. ErrNotFound.
func (s *Store) RemovePasscard(ctx context.Context, passcard string, by *uint32) error {
	return s.forget(ctx, "remove passcard "+passcard, func(tx *sql.Tx) error {
		rots, err := list(ctx, tx, "list its ROTs", scanText, `SELECT id FROM rots WHERE passcard = ?`, passcard)
		if err != nil {
			return err
		}
		for _, rot := range rots {
			if err := s.removeROT(ctx, tx, LogEntry{Kind: LogRemoved, ROT: rot, Passcard: passcard, UID: by}); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM passcard_secrets WHERE passcard = ?`, passcard); err != nil {
			return err
		}
		if err := changeOne(tx.ExecContext(ctx, `DELETE FROM passcards WHERE id = ?`, passcard)); err != nil {
			return err
		}
		return s.addLog(ctx, tx, LogEntry{Kind: LogRemoved, Passcard: passcard, UID: by})
	})
}

// removeROT deletes what belongs to a ROT; its deliveries and grants go with its row. The
// entry that it adds to the log names the tokens that nobody saw revoked.
func (s *Store) removeROT(ctx context.Context, tx *sql.Tx, e LogEntry) error {
	left, err := list(ctx, tx, "list its tokens", scanText,
		`SELECT token_name FROM generations WHERE rot = ? AND step NOT IN ('revoked', 'abandoned') ORDER BY n`, e.ROT)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		e.Detail = "not known to be revoked: " + strings.Join(left, ", ")
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM generations WHERE rot = ?`, e.ROT); err != nil {
		return err
	}
	if err := changeOne(tx.ExecContext(ctx, `DELETE FROM rots WHERE id = ?`, e.ROT)); err != nil {
		return err
	}
	if err := dropIdleTokens(ctx, tx); err != nil {
		return err
	}
	return s.addLog(ctx, tx, e)
}

func scanText(from row) (text string, err error) { return text, from.Scan(&text) }
