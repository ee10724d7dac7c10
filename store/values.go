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
	v, err := s.readValue(ctx, fmt.Sprintf("read generation %d of ROT %s", n, rot), `WHERE rot = ? AND n = ?`, rot, n)
	if err != nil {
		return secret.Text{}, err
	}
	return s.openValue(v)
}

// Current returns the generation that the ROT serves, with its value. It
// writes nothing. ErrNotFound; ErrNoValue: no rotation has succeeded yet;
// ErrSealed.
func (s *Store) Current(ctx context.Context, rot string) (Generation, secret.Text, error) {
	v, err := remembered(&s.memory, "value", rot, func() (sealedGeneration, error) {
		return s.readValue(ctx, "read the value of ROT "+rot, `WHERE rot = ?1 AND n = (SELECT current FROM rots WHERE id = ?1)`, rot)
	})
	if err == nil {
		value, err := s.openValue(v)
		return v.Generation, value, err
	}
	if !errors.Is(err, ErrNotFound) {
		return Generation{}, secret.Text{}, err
	}
	if _, err := s.ROT(ctx, rot); err != nil {
		return Generation{}, secret.Text{}, err
	}
	return Generation{}, secret.Text{}, withHint(failed("read the value of ROT "+rot, ErrNoValue), "make the first one: rot rotate rot://%s", rot)
}

// sealedGeneration is one with its value, as the row holds it.
type sealedGeneration struct {
	Generation
	sealed []byte
}

func (s *Store) readValue(ctx context.Context, doing, where string, args ...any) (sealedGeneration, error) {
	scan := func(from row) (v sealedGeneration, err error) {
		v.Generation, err = scanGenerationAnd(from, &v.sealed)
		return v, err
	}
	v, err := one(ctx, s.db, doing, scan, `SELECT `+generationColumns+`, sealed FROM generations `+where, args...)
	if err == nil && v.sealed == nil {
		err = failed(doing, ErrNoValue)
	}
	return v, err
}

func (s *Store) openValue(v sealedGeneration) (secret.Text, error) {
	value, err := s.seals.open(generationPlace(v.ROT, v.N), v.sealed)
	if err != nil {
		return secret.Text{}, failed(fmt.Sprintf("read generation %d of ROT %s", v.N, v.ROT), err)
	}
	return value, nil
}
