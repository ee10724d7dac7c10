package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"rotd/ipc/secret"
)

// AddPasscard keeps p under a new id. It fills ID and Created. ErrTaken: the
// name is in use, or the account has a passcard already.
func (s *Store) AddPasscard(ctx context.Context, p Passcard) (Passcard, error) {
	if err := checkPasscard(p); err != nil {
		return Passcard{}, failed("add the passcard", err)
	}
	err := s.change(ctx, "add the passcard", func(tx *sql.Tx) error {
		if err := nameIsFree(ctx, tx, p.Name, ""); err != nil {
			return err
		}
		var err error
		if p.ID, err = s.newID(prefixPasscard); err != nil {
			return err
		}
		p.Created = s.stamp()
		_, err = tx.ExecContext(ctx,
			`INSERT INTO passcards (id, name, registry, username, via, created) VALUES (?, ?, ?, ?, ?, ?)`,
			p.ID, p.Name, p.Registry, p.Username, p.Via, micros(p.Created))
		if isDuplicate(err) {
			return fmt.Errorf("%s at %s has a passcard already: %w", p.Username, p.Registry, ErrTaken)
		}
		return err
	})
	if err != nil {
		return Passcard{}, err
	}
	return p, nil
}

func checkPasscard(p Passcard) error {
	if p.Username == "" || p.Registry == "" {
		return errors.New("a passcard needs a registry and a user name")
	}
	if strings.HasSuffix(p.Registry, "/") {
		return fmt.Errorf("the registry %q ends in a slash", p.Registry)
	}
	return checkVia(p.Via)
}

func checkVia(via string) error {
	if via != "registry" && via != "website" {
		return fmt.Errorf("a passcard goes by registry or website, not by %q", via)
	}
	return nil
}

const passcardColumns = `id, name, registry, username, via, created`

func scanPasscard(from row) (p Passcard, err error) {
	var created sql.NullInt64
	err = from.Scan(&p.ID, &p.Name, &p.Registry, &p.Username, &p.Via, &created)
	p.Created = fromMicros(created)
	return p, err
}

// Passcards returns all of them, the oldest first.
func (s *Store) Passcards(ctx context.Context) ([]Passcard, error) {
	return list(ctx, s.db, "list the passcards", scanPasscard,
		`SELECT `+passcardColumns+` FROM passcards ORDER BY created, id`)
}

// PasscardByAccount returns the passcard of an account, or ErrNotFound.
func (s *Store) PasscardByAccount(ctx context.Context, registry, username string) (Passcard, error) {
	doing := fmt.Sprintf("find the passcard of %s at %s", username, registry)
	return one(ctx, s.db, doing, scanPasscard,
		`SELECT `+passcardColumns+` FROM passcards WHERE registry = ? AND username = ?`, registry, username)
}

// Passcard returns the passcard with this id, or ErrNotFound.
func (s *Store) Passcard(ctx context.Context, id string) (Passcard, error) {
	return one(ctx, s.db, "find passcard "+id, scanPasscard,
		`SELECT `+passcardColumns+` FROM passcards WHERE id = ?`, id)
}

// UpdatePasscard changes the name and the way (Via) of the passcard with p's
// ID, and nothing else. ErrNotFound, ErrTaken.
func (s *Store) UpdatePasscard(ctx context.Context, p Passcard) error {
	doing := "change passcard " + p.ID
	if err := checkVia(p.Via); err != nil {
		return failed(doing, err)
	}
	return s.change(ctx, doing, func(tx *sql.Tx) error {
		if err := nameIsFree(ctx, tx, p.Name, p.ID); err != nil {
			return err
		}
		return changeOne(tx.ExecContext(ctx, `UPDATE passcards SET name = ?, via = ? WHERE id = ?`, p.Name, p.Via, p.ID))
	})
}

func secretPlace(passcard string, k Kind) place {
	return place{"passcard_secrets", passcard + "/" + string(k), "sealed"}
}

// Secret returns what the passcard keeps under k, the zero Text where it keeps
// nothing. ErrSealed.
func (s *Store) Secret(ctx context.Context, passcard string, k Kind) (secret.Text, error) {
	doing := fmt.Sprintf("read the %s of passcard %s", k, passcard)
	var sealed []byte
	err := s.db.QueryRowContext(ctx, `SELECT sealed FROM passcard_secrets WHERE passcard = ? AND kind = ?`, passcard, k).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return secret.Text{}, nil
	}
	if err != nil {
		return secret.Text{}, failed(doing, err)
	}
	v, err := s.seals.open(secretPlace(passcard, k), sealed)
	if err != nil {
		return secret.Text{}, failed(doing, err)
	}
	return v, nil
}

// PutSecret keeps v under k in place of what was there; the zero Text deletes.
// ErrNotFound: there is no such passcard.
func (s *Store) PutSecret(ctx context.Context, passcard string, k Kind, v secret.Text) error {
	doing := fmt.Sprintf("keep the %s of passcard %s", k, passcard)
	return s.forget(ctx, doing, func(tx *sql.Tx) error {
		if v.IsZero() {
			_, err := tx.ExecContext(ctx, `DELETE FROM passcard_secrets WHERE passcard = ? AND kind = ?`, passcard, k)
			return err
		}
		_, err := tx.ExecContext(ctx,
			`INSERT INTO passcard_secrets (passcard, kind, sealed) VALUES (?, ?, ?)
			 ON CONFLICT (passcard, kind) DO UPDATE SET sealed = excluded.sealed`,
			passcard, k, s.seals.seal(secretPlace(passcard, k), v))
		if isOrphan(err) {
			return ErrNotFound
		}
		return err
	})
}

// Kinds returns what the passcard keeps, sorted.
func (s *Store) Kinds(ctx context.Context, passcard string) ([]Kind, error) {
	scan := func(from row) (k Kind, err error) { return k, from.Scan(&k) }
	return list(ctx, s.db, "list the secrets of passcard "+passcard, scan,
		`SELECT kind FROM passcard_secrets WHERE passcard = ? ORDER BY kind`, passcard)
}
