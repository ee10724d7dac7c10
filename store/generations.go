package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rotd/ipc/secret"
)

// A generation moves along these steps and no others:
//
//	planned ─ Created → created → verified ─ MakeCurrent → current → retiring → revoked
//	   └──────────────────┴──────────┴─────→ discarding → abandoned or revoked
//
// and from planned, created or verified straight to abandoned, where npm is
// known to hold nothing. Advance makes the moves of this table.
var advances = map[Step][]Step{
	StepPlanned:    {StepDiscarding, StepAbandoned},
	StepCreated:    {StepVerified, StepDiscarding, StepAbandoned},
	StepVerified:   {StepDiscarding, StepAbandoned},
	StepRetiring:   {StepRevoked},
	StepDiscarding: {StepAbandoned, StepRevoked},
}

func generationPlace(rot string, n int) place {
	return place{"generations", rot + "/" + strconv.Itoa(n), "sealed"}
}

// Plan begins the next generation of the ROT, for a token that tokenName names
// by the generation's number. ErrNotFound (the ROT), ErrTaken (the token's name).
func (s *Store) Plan(ctx context.Context, rot string, tokenName func(n int) string) (Generation, error) {
	doing := "plan a generation of ROT " + rot
	now := s.stamp()
	g := Generation{ROT: rot, Step: StepPlanned, Planned: now, Changed: now}
	err := s.change(ctx, doing, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT coalesce(max(n), 0) + 1 FROM generations WHERE rot = ?`, rot).Scan(&g.N)
		if err != nil {
			return err
		}
		if g.TokenName = tokenName(g.N); g.TokenName == "" {
			return errors.New("the token needs a name")
		}
		_, err = tx.ExecContext(ctx,
			`INSERT INTO generations (rot, n, token_name, key, step, planned, changed) VALUES (?, ?, ?, '', ?, ?, ?)`,
			rot, g.N, g.TokenName, g.Step, micros(now), micros(now))
		switch {
		case isOrphan(err):
			return ErrNotFound
		case isDuplicate(err):
			return fmt.Errorf("token name %s: %w", g.TokenName, ErrTaken)
		}
		return err
	})
	if err != nil {
		return Generation{}, err
	}
	return g, nil
}

// Created keeps the token that npm made for the planned generation n: npm's id
// of it, its value, sealed, and npm's word on its times. From here on the value
// exists nowhere else, so that callers give a context that a caller of theirs
// cannot cancel. ErrNotFound, ErrStep.
func (s *Store) Created(ctx context.Context, rot string, n int, key string, value secret.Text, created, expires time.Time) error {
	doing := fmt.Sprintf("keep generation %d of ROT %s", n, rot)
	if value.IsZero() {
		return failed(doing, errors.New("the token has no value"))
	}
	return s.change(ctx, doing, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx,
			`UPDATE generations SET step = ?, key = ?, sealed = ?, created = ?, expires = ?, changed = ?
			 WHERE rot = ? AND n = ? AND step = ?`,
			StepCreated, key, s.seals.seal(generationPlace(rot, n), value), micros(created), micros(expires), micros(s.stamp()),
			rot, n, StepPlanned)
		return moved(ctx, tx, res, err, rot, n, StepPlanned)
	})
}

// Advance moves generation n from one step to another. At an end (revoked,
// abandoned) its value is forgotten. ErrNotFound; ErrStep: it is not at from,
// or the move is not one that Advance makes.
func (s *Store) Advance(ctx context.Context, rot string, n int, from, to Step) error {
	doing := fmt.Sprintf("move generation %d of ROT %s from %s to %s", n, rot, from, to)
	if !slices.Contains(advances[from], to) {
		return failed(doing, fmt.Errorf("no such move: %w", ErrStep))
	}
	write, sealed := s.change, "sealed"
	if to == StepRevoked || to == StepAbandoned {
		write, sealed = s.forget, "NULL"
	}
	return write(ctx, doing, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx,
			`UPDATE generations SET step = ?, sealed = `+sealed+`, changed = ? WHERE rot = ? AND n = ? AND step = ?`,
			to, micros(s.stamp()), rot, n, from)
		if err := moved(ctx, tx, res, err, rot, n, from); err != nil {
			return err
		}
		switch {
		case to == StepAbandoned:
			return s.addLog(ctx, tx, LogEntry{Kind: LogUndone, ROT: rot, Generation: n, Detail: "npm holds nothing of it"})
		case from == StepRetiring:
			return s.addLog(ctx, tx, LogEntry{Kind: LogRevoked, ROT: rot, Generation: n, Detail: "npm refuses it"})
		}
		return nil
	})
}

// MakeCurrent makes the verified generation n the one that is served, all in
// one transaction: what was current is retiring, the ROT's next rotation is
// set and its shape is the one that n has, its failures and its trouble are
// cleared. ErrNotFound, ErrStep.
func (s *Store) MakeCurrent(ctx context.Context, rot string, n int, next time.Time, shape Shape) error {
	doing := fmt.Sprintf("make generation %d of ROT %s current", n, rot)
	text, err := json.Marshal(shape)
	if err != nil {
		return failed(doing, err)
	}
	return s.change(ctx, doing, func(tx *sql.Tx) error {
		now := micros(s.stamp())
		_, err := tx.ExecContext(ctx,
			`UPDATE generations SET step = ?, changed = ? WHERE rot = ? AND step = ?`,
			StepRetiring, now, rot, StepCurrent)
		if err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx,
			`UPDATE generations SET step = ?, changed = ? WHERE rot = ? AND n = ? AND step = ?`,
			StepCurrent, now, rot, n, StepVerified)
		if err := moved(ctx, tx, res, err, rot, n, StepVerified); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx,
			`UPDATE rots SET current = ?, next = ?, shape = ?, failures = 0, trouble = NULL, last_attempt = ? WHERE id = ?`,
			n, micros(next), string(text), now, rot)
		if err != nil {
			return err
		}
		return s.logRotated(ctx, tx, rot, n)
	})
}

// moved checks that an update found generation n at the step it starts from,
// and says ErrNotFound or ErrStep where it did not.
func moved(ctx context.Context, tx *sql.Tx, res sql.Result, err error, rot string, n int, from Step) error {
	err = changeOne(res, err)
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	var at Step
	err = tx.QueryRowContext(ctx, `SELECT step FROM generations WHERE rot = ? AND n = ?`, rot, n).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("it is %s, not %s: %w", at, from, ErrStep)
}

const generationColumns = `rot, n, token_name, key, step, planned, created, expires, changed, delivered, hurry`

func scanGeneration(from row) (g Generation, err error) {
	var planned, created, expires, changed, delivered sql.NullInt64
	err = from.Scan(&g.ROT, &g.N, &g.TokenName, &g.Key, &g.Step, &planned, &created, &expires, &changed, &delivered, &g.Hurry)
	g.Planned, g.Created, g.Expires, g.Changed = fromMicros(planned), fromMicros(created), fromMicros(expires), fromMicros(changed)
	g.Delivered = fromMicros(delivered)
	return g, err
}

// Generations returns those of the ROT that are at one of steps, or all of
// them where no step is named, ordered by N.
func (s *Store) Generations(ctx context.Context, rot string, steps ...Step) ([]Generation, error) {
	query := `SELECT ` + generationColumns + ` FROM generations WHERE rot = ?`
	args := []any{rot}
	if len(steps) > 0 {
		query += ` AND step IN (?` + strings.Repeat(`, ?`, len(steps)-1) + `)`
		for _, step := range steps {
			args = append(args, step)
		}
	}
	return list(ctx, s.db, "list the generations of ROT "+rot, scanGeneration, query+` ORDER BY n`, args...)
}

// Unfinished returns the generations of all ROTs that wait for something:
// planned, created, verified, retiring, discarding. Ordered by ROT and N.
func (s *Store) Unfinished(ctx context.Context) ([]Generation, error) {
	return list(ctx, s.db, "list the unfinished generations", scanGeneration,
		`SELECT `+generationColumns+` FROM generations
		 WHERE step NOT IN ('current', 'revoked', 'abandoned') ORDER BY rot, n`) // as the index says it
}
