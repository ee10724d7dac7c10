package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

const prefixDelivery = "dlv_"

// MaxOutput is how many bytes of what a delivery printed are kept, the last.
const MaxOutput = 4 << 10

// AddDelivery keeps a new delivery with d's ROT, Name and Command; it fills ID
// and Created. ErrTaken (the name), ErrNotFound (the ROT).
func (s *Store) AddDelivery(ctx context.Context, d Delivery) (Delivery, error) {
	doing := "add a delivery of ROT " + d.ROT
	added := Delivery{ROT: d.ROT, Name: d.Name, Command: d.Command}
	if err := ValidName(d.Name); err != nil {
		return Delivery{}, failed(doing, err)
	}
	if len(d.Command) == 0 || d.Command[0] == "" {
		return Delivery{}, failed(doing, errors.New("the delivery has no command"))
	}
	command, err := json.Marshal(d.Command)
	if err != nil {
		return Delivery{}, failed(doing, err)
	}
	err = s.change(ctx, doing, func(tx *sql.Tx) error {
		var err error
		if added.ID, err = s.newID(prefixDelivery); err != nil {
			return err
		}
		added.Created = s.stamp()
		_, err = tx.ExecContext(ctx, `INSERT INTO deliveries (id, rot, name, command, created) VALUES (?, ?, ?, ?, ?)`,
			added.ID, d.ROT, d.Name, string(command), micros(added.Created))
		switch {
		case isOrphan(err):
			return ErrNotFound
		case isDuplicate(err):
			return withHint(fmt.Errorf("%q: %w", d.Name, ErrTaken), "choose another name: --name N; or remove that one first: --remove %s", d.Name)
		}
		return err
	})
	if err != nil {
		return Delivery{}, err
	}
	return added, nil
}

const deliveryColumns = `id, rot, name, command, created, delivered, delivered_at, failures, next, last_attempt, last_result, last_output`

func scanDelivery(from row) (d Delivery, err error) {
	var command string
	var created, deliveredAt, next, attempt sql.NullInt64
	err = from.Scan(&d.ID, &d.ROT, &d.Name, &command, &created, &d.Delivered, &deliveredAt, &d.Failures, &next, &attempt, &d.LastResult, &d.LastOutput)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal([]byte(command), &d.Command); err != nil {
		return d, fmt.Errorf("the command of %s: %w", d.ID, err)
	}
	d.Created, d.DeliveredAt, d.Next, d.LastAttempt = fromMicros(created), fromMicros(deliveredAt), fromMicros(next), fromMicros(attempt)
	return d, nil
}

// Deliveries returns those of the ROT, the oldest first.
func (s *Store) Deliveries(ctx context.Context, rot string) ([]Delivery, error) {
	return list(ctx, s.db, "list the deliveries of ROT "+rot, scanDelivery,
		`SELECT `+deliveryColumns+` FROM deliveries WHERE rot = ? ORDER BY created, id`, rot)
}

// AllDeliveries returns those of every ROT, by ROT, the oldest first.
func (s *Store) AllDeliveries(ctx context.Context) (map[string][]Delivery, error) {
	all, err := list(ctx, s.db, "list the deliveries", scanDelivery,
		`SELECT `+deliveryColumns+` FROM deliveries ORDER BY created, id`)
	if err != nil {
		return nil, err
	}
	byROT := make(map[string][]Delivery)
	for _, d := range all {
		byROT[d.ROT] = append(byROT[d.ROT], d)
	}
	return byROT, nil
}

// Undelivered returns the ROTs of which a delivery has not taken the value that
// is served.
func (s *Store) Undelivered(ctx context.Context) ([]string, error) {
	scan := func(r row) (rot string, err error) { return rot, r.Scan(&rot) }
	return list(ctx, s.db, "list what is to be delivered", scan,
		`SELECT DISTINCT d.rot FROM deliveries d JOIN generations g ON g.rot = d.rot AND g.step = 'current' WHERE d.delivered < g.n`)
}

// RemoveDelivery forgets the ROT's delivery of this name. ErrNotFound.
func (s *Store) RemoveDelivery(ctx context.Context, rot, name string) error {
	return s.change(ctx, fmt.Sprintf("remove delivery %q of ROT %s", name, rot), func(tx *sql.Tx) error {
		return changeOne(tx.ExecContext(ctx, `DELETE FROM deliveries WHERE rot = ? AND name = ?`, rot, name))
	})
}

// Delivered keeps that the delivery took generation n. ErrNotFound.
func (s *Store) Delivered(ctx context.Context, id string, n int, output string) error {
	return s.change(ctx, "note a success of delivery "+id, func(tx *sql.Tx) error {
		now := micros(s.stamp())
		err := changeOne(tx.ExecContext(ctx,
			`UPDATE deliveries SET delivered = max(delivered, ?), delivered_at = ?, failures = 0, next = NULL,
			 last_attempt = ?, last_result = '', last_output = ? WHERE id = ?`,
			n, now, now, endOf(output), id))
		if err != nil {
			return err
		}
		return s.logDelivery(ctx, tx, id, LogEntry{Kind: LogDelivered, Generation: n})
	})
}

// NotDelivered keeps why an attempt of the delivery failed and when to try
// again. ErrNotFound.
func (s *Store) NotDelivered(ctx context.Context, id, why, output string, next time.Time) error {
	return s.change(ctx, "note a failure of delivery "+id, func(tx *sql.Tx) error {
		err := changeOne(tx.ExecContext(ctx,
			`UPDATE deliveries SET failures = failures + 1, next = ?, last_attempt = ?, last_result = ?, last_output = ? WHERE id = ?`,
			micros(next), micros(s.stamp()), endOf(why), endOf(output), id))
		if err != nil {
			return err
		}
		return s.logDelivery(ctx, tx, id, LogEntry{Kind: LogUndelivered, Detail: why})
	})
}

// endOf is the end of s, MaxOutput bytes at most, in whole characters.
func endOf(s string) string {
	if len(s) > MaxOutput {
		s = s[len(s)-MaxOutput:]
		for len(s) > 0 && !utf8.RuneStart(s[0]) {
			s = s[1:]
		}
	}
	return s
}

// SetGrace sets how long an old token of the ROT lives on after the last
// delivery has taken the new one. ErrNotFound.
func (s *Store) SetGrace(ctx context.Context, rot string, grace time.Duration) error {
	return s.change(ctx, "set the grace period of ROT "+rot, func(tx *sql.Tx) error {
		return changeOne(tx.ExecContext(ctx, `UPDATE rots SET grace = ? WHERE id = ?`, grace.Microseconds(), rot))
	})
}

// Replaced keeps that every delivery of the ROT has taken a newer generation
// than the retiring one n: its grace period begins. Once said it stays.
// ErrNotFound, ErrStep.
func (s *Store) Replaced(ctx context.Context, rot string, n int) error {
	return s.change(ctx, fmt.Sprintf("begin the grace of generation %d of ROT %s", n, rot), func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx,
			`UPDATE generations SET delivered = coalesce(delivered, ?) WHERE rot = ? AND n = ? AND step = ?`,
			micros(s.stamp()), rot, n, StepRetiring)
		return moved(ctx, tx, res, err, rot, n, StepRetiring)
	})
}

// Hurry marks the value that the ROT serves, and every older one that still
// lives, as leaked: once replaced they are revoked without waiting for
// deliveries or grace.
func (s *Store) Hurry(ctx context.Context, rot string) error {
	return s.change(ctx, "mark the tokens of ROT "+rot+" as leaked", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx,
			`UPDATE generations SET hurry = 1 WHERE rot = ? AND step IN (?, ?)`, rot, StepCurrent, StepRetiring)
		return err
	})
}
