package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"rotd/ipc/secret"
)

// slots is a KeySource that has room for a second key of a state: the one that
// is to take the place of the first. Sources that rotd cannot write to are none.
type slots interface {
	KeySource
	// Stage makes a new key in the second slot, in the place of one that is
	// left there.
	Stage(ctx context.Context, account string) (Key, error)
	// Staged is Load of the second slot.
	Staged(ctx context.Context, account string) (Key, error)
	// Promote makes the second slot's key the key. The earlier one is gone. At
	// no instant does Load find none.
	Promote(ctx context.Context, account string) error
	// Drop forgets the key.
	Drop(ctx context.Context, account string) error
}

// Rekey changes the master key of the state in dir, which nobody else has open:
// that is the caller's to see to. Everything is sealed anew under a new key at
// to, which may be where the old one is, and the old key is removed.
//
// A crash at any instant leaves a state that opens with one of the two sources,
// and a Rekey done again brings it to its end. removed is false where rotd
// cannot remove the old key.
func Rekey(ctx context.Context, dir string, from, to KeySource, opts Options) (removed bool, err error) {
	return rekey(ctx, dir, from, to, opts, func(string) {})
}

// rekey calls step after each of its steps.
func rekey(ctx context.Context, dir string, from, to KeySource, opts Options, step func(string)) (removed bool, err error) {
	if err := stateIn(dir); err != nil {
		return false, err
	}
	s, err := Open(ctx, dir, from, opts)
	moved := false
	if from.String() != to.String() && (errors.Is(err, ErrWrongKey) || errors.Is(err, ErrKeyMissing)) {
		// An earlier run may have come as far as its commit.
		if done, err2 := Open(ctx, dir, to, opts); err2 == nil {
			s, err, moved = done, nil, true
		}
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	id, err := s.stateID(ctx)
	if err != nil {
		return false, err
	}
	if from.String() == to.String() {
		return s.rekeyInPlace(ctx, id, from, step)
	}
	if !moved {
		key, err := newKeyAt(ctx, id, from, to)
		if err != nil {
			return false, err
		}
		step("made")
		if err := s.reseal(ctx, key); err != nil {
			return false, err
		}
		step("resealed")
	}
	old, ok := from.(slots)
	if !ok {
		return false, nil
	}
	if err := old.Drop(ctx, id); err != nil && !errors.Is(err, ErrKeyMissing) {
		return false, fmt.Errorf("everything is sealed under the key at %s now; remove the old one: %w", to, err)
	}
	step("dropped")
	return true, nil
}

func (s *Store) rekeyInPlace(ctx context.Context, id string, at KeySource, step func(string)) (removed bool, err error) {
	place, ok := at.(slots)
	if !ok {
		return false, withHint(fmt.Errorf("rotd cannot change what is at %s", at),
			"give the key another place: rotd rekey --key %s --to WHERE", at)
	}
	key, err := place.Stage(ctx, id)
	if err != nil {
		return false, err
	}
	step("made")
	if err := s.reseal(ctx, key); err != nil {
		return false, err
	}
	step("resealed")
	if err := place.Promote(ctx, id); err != nil {
		return false, fmt.Errorf("put the new key in the place of the old one: %w", err)
	}
	step("promoted")
	return true, nil
}

// newKeyAt is the key at another place: a new one, or the one that is there,
// which an earlier run may have left.
func newKeyAt(ctx context.Context, id string, from, to KeySource) (Key, error) {
	key, err := to.Load(ctx, id)
	if errors.Is(err, ErrKeyMissing) {
		return to.Create(ctx, id)
	}
	if err != nil {
		return Key{}, err
	}
	old, err := from.Load(ctx, id)
	if err != nil {
		return Key{}, err
	}
	if old.reveal() == key.reveal() {
		return Key{}, withHint(fmt.Errorf("%s has the very key that %s has", to, from),
			"rotd rekey --key %s changes it where it is; to use the copy, start rotd with --key %s", from, to)
	}
	return key, nil
}

func (s *Store) stateID(ctx context.Context) (id string, err error) {
	if err := s.db.QueryRowContext(ctx, `SELECT state_id FROM meta`).Scan(&id); err != nil {
		return "", failed("read the state's id", err)
	}
	return id, nil
}

// sealedValue is one that stands somewhere.
type sealedValue struct {
	place  place
	sealed []byte
	update string // the statement that replaces it, with the new value first
	args   []any
}

// reseal seals everything anew under key, in one transaction, and empties the
// WAL of what the old key opens.
func (s *Store) reseal(ctx context.Context, key Key) error {
	next, err := newSealer(key)
	if err != nil {
		return err
	}
	const doing = "seal everything anew"
	err = s.forget(ctx, doing, func(tx *sql.Tx) error {
		values, err := everySealed(ctx, tx, doing)
		if err != nil {
			return err
		}
		for _, v := range values {
			plain, err := s.seals.open(v.place, v.sealed)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, v.update, append([]any{next.seal(v.place, plain)}, v.args...)...); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE meta SET key_check = ?`, next.seal(keyCheckPlace, secret.New(keyCheckText)))
		return err
	})
	if err == nil {
		s.seals = next
	}
	return err
}

// everySealed lists all sealed values but the key check.
func everySealed(ctx context.Context, tx *sql.Tx, doing string) ([]sealedValue, error) {
	secrets, err := list(ctx, tx, doing, func(from row) (v sealedValue, err error) {
		var passcard string
		var kind Kind
		err = from.Scan(&passcard, &kind, &v.sealed)
		v.place, v.args = secretPlace(passcard, kind), []any{passcard, kind}
		v.update = `UPDATE passcard_secrets SET sealed = ? WHERE passcard = ? AND kind = ?`
		return v, err
	}, `SELECT passcard, kind, sealed FROM passcard_secrets`)
	if err != nil {
		return nil, err
	}
	values, err := list(ctx, tx, doing, func(from row) (v sealedValue, err error) {
		var rot string
		var n int
		err = from.Scan(&rot, &n, &v.sealed)
		v.place, v.args = generationPlace(rot, n), []any{rot, n}
		v.update = `UPDATE generations SET sealed = ? WHERE rot = ? AND n = ?`
		return v, err
	}, `SELECT rot, n, sealed FROM generations WHERE sealed IS NOT NULL`)
	return append(secrets, values...), err
}
