package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
	"unique"

	"rotd/ipc/secret"
)

// Value returns the value of generation n. ErrNotFound; ErrNoValue: it has
// none yet, or it is forgotten; ErrSealed.
func (s *Store) Value(ctx context.Context, rot string, n int) (secret.Text, error) {
	doing := fmt.Sprintf("read generation %d of ROT %s", n, rot)
	scan := func(from row) (sealed []byte, err error) { return sealed, from.Scan(&sealed) }
	sealed, err := one(ctx, s.db, doing, scan, `SELECT sealed FROM generations WHERE rot = ? AND n = ?`, rot, n)
	if err == nil && sealed == nil {
		err = failed(doing, ErrNoValue)
	}
	if err != nil {
		return secret.Text{}, err
	}
	return s.openValue(rot, n, sealed)
}

// Served is the generation that a ROT serves.
type Served struct {
	N        int
	Expires  time.Time // by npm's word; zero where it named none
	Registry string    // the ROT's
}

// Current returns the generation that the ROT serves, with its value. It
// writes nothing. ErrNotFound; ErrNoValue: no rotation has succeeded yet;
// ErrSealed.
func (s *Store) Current(ctx context.Context, rot string) (Served, secret.Text, error) {
	v, err := remembered(&s.memory, askedValue, rot, func() (*sealedServed, error) {
		return one(ctx, s.db, "read the value of ROT "+rot, scanServed,
			`SELECT g.n, g.expires, p.registry, g.sealed FROM rots r
			 JOIN passcards p ON p.id = r.passcard JOIN generations g ON g.rot = r.id AND g.n = r.current
			 WHERE r.id = ? AND g.sealed IS NOT NULL`, rot)
	})
	if err == nil {
		value, err := s.openValue(rot, v.n, v.sealed)
		return Served{N: v.n, Expires: fromMicros(v.expires), Registry: v.registry}, value, err
	}
	if !errors.Is(err, ErrNotFound) {
		return Served{}, secret.Text{}, err
	}
	if _, err := s.ROT(ctx, rot); err != nil {
		return Served{}, secret.Text{}, err
	}
	return Served{}, secret.Text{}, withHint(failed("read the value of ROT "+rot, ErrNoValue), "make the first one: rot rotate rot://%s", rot)
}

// sealedServed is Served with its value, as the rows hold it: it is small, as there
// may be one of each ROT in memory.
type sealedServed struct {
	n        int
	expires  sql.NullInt64
	registry string
	sealed   []byte
}

func scanServed(from row) (*sealedServed, error) {
	v := new(sealedServed)
	err := from.Scan(&v.n, &v.expires, &v.registry, &v.sealed)
	v.registry = unique.Make(v.registry).Value() // few have many ROTs
	return v, err
}

func (s *Store) openValue(rot string, n int, sealed []byte) (secret.Text, error) {
	value, err := s.seals.open(generationPlace(rot, n), sealed)
	if err != nil {
		return secret.Text{}, failed(fmt.Sprintf("read generation %d of ROT %s", n, rot), err)
	}
	return value, nil
}
