package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"rotd/ipc/secret"
)

// Connect keeps an account that has just been signed in to, all of it or
// nothing: a new passcard where p has no ID, else the name, the way and Checked
// of the one that it names, whose Trouble is over. secrets go with it: each kind
// in place of what was kept, the zero Text forgets, and a kind that is not named
// stays. It returns p as it is kept. ErrTaken, ErrNotFound.
func (s *Store) Connect(ctx context.Context, p Passcard, secrets map[Kind]secret.Text) (Passcard, error) {
	doing := "keep the account of " + p.Username
	if err := checkPasscard(p); err != nil {
		return Passcard{}, failed(doing, err)
	}
	err := s.forget(ctx, doing, func(tx *sql.Tx) error {
		var err error
		if p.ID == "" {
			err = s.insertPasscard(ctx, tx, &p)
		} else {
			err = renewPasscard(ctx, tx, &p)
		}
		for k, v := range secrets {
			if err == nil {
				err = s.putSecret(ctx, tx, p.ID, k, v)
			}
		}
		return err
	})
	if err != nil {
		return Passcard{}, err
	}
	return p, nil
}

// insertPasscard adds p under a new id, and fills in what it is kept as.
func (s *Store) insertPasscard(ctx context.Context, tx *sql.Tx, p *Passcard) error {
	if err := nameIsFree(ctx, tx, p.Name, ""); err != nil {
		return err
	}
	var err error
	if p.ID, err = s.newID(prefixPasscard); err != nil {
		return err
	}
	p.Created = s.stamp()
	p.asKept()
	_, err = tx.ExecContext(ctx,
		`INSERT INTO passcards (id, name, registry, username, via, created, site, terms, checked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.ID, p.Name, p.Registry, p.Username, p.Via, micros(p.Created), p.Site, micros(p.Terms), micros(p.Checked))
	if isDuplicate(err) {
		return fmt.Errorf("%s at %s has a passcard already: %w", p.Username, p.Registry, ErrTaken)
	}
	return err
}

// renewPasscard changes what signing in again may have changed.
func renewPasscard(ctx context.Context, tx *sql.Tx, p *Passcard) error {
	if err := nameIsFree(ctx, tx, p.Name, p.ID); err != nil {
		return err
	}
	p.asKept()
	return changeOne(tx.ExecContext(ctx,
		`UPDATE passcards SET name = ?, via = ?, site = ?, terms = ?, checked = ?, trouble = NULL, notified_at = NULL WHERE id = ?`,
		p.Name, p.Via, p.Site, micros(p.Terms), micros(p.Checked), p.ID))
}

// asKept gives p the times that its columns hold, and no trouble.
func (p *Passcard) asKept() {
	p.Terms, p.Checked = fromMicros(micros(p.Terms)), fromMicros(micros(p.Checked))
	p.Trouble, p.NotifiedAt = Trouble{}, time.Time{}
}

// putSecret seals v under k, or deletes what is there.
func (s *Store) putSecret(ctx context.Context, tx *sql.Tx, passcard string, k Kind, v secret.Text) error {
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
}
