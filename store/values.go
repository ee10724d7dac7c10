package store

import (
	"context"
	"errors"
	"fmt"

	"rotd/ipc/secret"
)

// Value returns the value of generation n. ErrNotFound; ErrNoValue: it has
// none yet, or it is forgotten; ErrSealed.
func (s *Store) Value(ctx context.Context, rot string, n int) (secret.Text, error) {
	doing := fmt.Sprintf("read generation %d of ROT %s", n, rot)
	_, value, err := s.readValue(ctx, doing, `WHERE rot = ? AND n = ?`, rot, n)
	return value, err
}

// Current returns the generation that the ROT serves, with its value. It
// writes nothing. ErrNotFound; ErrNoValue: no rotation has succeeded yet;
// ErrSealed.
func (s *Store) Current(ctx context.Context, rot string) (Generation, secret.Text, error) {
	doing := "read the value of ROT " + rot
	g, value, err := s.readValue(ctx, doing, `WHERE rot = ?1 AND n = (SELECT current FROM rots WHERE id = ?1)`, rot)
	if !errors.Is(err, ErrNotFound) {
		return g, value, err
	}
	if _, err := s.ROT(ctx, rot); err != nil {
		return Generation{}, secret.Text{}, err
	}
	return Generation{}, secret.Text{}, withHint(failed(doing, ErrNoValue), "make the first one: rot rotate rot://%s", rot)
}

func (s *Store) readValue(ctx context.Context, doing, where string, args ...any) (Generation, secret.Text, error) {
	var sealed []byte
	scan := func(from row) (Generation, error) { return scanGenerationAnd(from, &sealed) }
	g, err := one(ctx, s.db, doing, scan, `SELECT `+generationColumns+`, sealed FROM generations `+where, args...)
	if err != nil {
		return Generation{}, secret.Text{}, err
	}
	if sealed == nil {
		return Generation{}, secret.Text{}, failed(doing, ErrNoValue)
	}
	value, err := s.seals.open(generationPlace(g.ROT, g.N), sealed)
	if err != nil {
		return Generation{}, secret.Text{}, failed(doing, err)
	}
	return g, value, nil
}
