package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"rotd/ipc/secret"
)

// AddPasscard keeps p under a new id. It fills ID and Created, and clears
// Trouble: the account has just been signed in to. ErrTaken: the name is in
// use, or the account has a passcard already.
func (s *Store) AddPasscard(ctx context.Context, p Passcard) (Passcard, error) {
	if err := checkPasscard(p); err != nil {
		return Passcard{}, failed("add the passcard", err)
	}
	err := s.change(ctx, "add the passcard", func(tx *sql.Tx) error { return s.insertPasscard(ctx, tx, &p) })
	if err != nil {
		return Passcard{}, err
	}
	return p, nil
}

func checkPasscard(p Passcard) error {
	switch {
	case p.Username == "" || p.Registry == "":
		return errors.New("a passcard needs a registry and a user name")
	case strings.HasSuffix(p.Registry, "/"):
		return fmt.Errorf("the registry %q ends in a slash", p.Registry)
	case p.Via != "registry" && p.Via != "website":
		return fmt.Errorf("a passcard goes by registry or website, not by %q", p.Via)
	case p.Via == "website" && p.Terms.IsZero():
		return errors.New("a passcard goes by the website only where the user has agreed to it")
	case strings.HasSuffix(p.Site, "/"):
		return fmt.Errorf("the site %q ends in a slash", p.Site)
	}
	return nil
}

const passcardColumns = `id, name, registry, username, via, created, site, terms, checked, trouble, notified_at`

func scanPasscard(from row) (p Passcard, err error) {
	var created, terms, checked, notified sql.NullInt64
	var trouble sql.NullString
	err = from.Scan(&p.ID, &p.Name, &p.Registry, &p.Username, &p.Via, &created, &p.Site, &terms, &checked, &trouble, &notified)
	if err != nil {
		return p, err
	}
	p.Created, p.Terms, p.Checked, p.NotifiedAt = fromMicros(created), fromMicros(terms), fromMicros(checked), fromMicros(notified)
	if p.Trouble, err = readTrouble(trouble); err != nil {
		return p, fmt.Errorf("%s: %w", p.ID, err)
	}
	return p, nil
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

// NoteSession keeps when the account's session was looked at, and why a person
// has to sign in; the zero Trouble says that nobody has to. ErrNotFound.
func (s *Store) NoteSession(ctx context.Context, passcard string, checked time.Time, why Trouble) error {
	doing := "keep the state of passcard " + passcard
	trouble, err := writeTrouble(why)
	if err != nil {
		return failed(doing, err)
	}
	return s.change(ctx, doing, func(tx *sql.Tx) error {
		return changeOne(tx.ExecContext(ctx,
			`UPDATE passcards SET checked = ?, trouble = ?, notified_at = iif(? IS NULL, NULL, notified_at) WHERE id = ?`,
			micros(checked), trouble, trouble, passcard))
	})
}

// NotePasscardNotified keeps when the user was told of a passcard's trouble.
// ErrNotFound.
func (s *Store) NotePasscardNotified(ctx context.Context, passcard string, at time.Time) error {
	return s.change(ctx, "keep when the user was told of passcard "+passcard, func(tx *sql.Tx) error {
		return changeOne(tx.ExecContext(ctx, `UPDATE passcards SET notified_at = ? WHERE id = ?`, micros(at), passcard))
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
	return s.forget(ctx, doing, func(tx *sql.Tx) error { return s.putSecret(ctx, tx, passcard, k, v) })
}

// Kinds returns what the passcard keeps, sorted.
func (s *Store) Kinds(ctx context.Context, passcard string) ([]Kind, error) {
	scan := func(from row) (k Kind, err error) { return k, from.Scan(&k) }
	return list(ctx, s.db, "list the secrets of passcard "+passcard, scan,
		`SELECT kind FROM passcard_secrets WHERE passcard = ? ORDER BY kind`, passcard)
}
