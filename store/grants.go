package store

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

const prefixGrant = "grt_"

// The kinds of grant, by what says who asks.
const (
	GrantUID   = "uid"
	GrantGID   = "gid"
	GrantToken = "access-token"
	GrantUnit  = "unit" // a systemd unit, by its credential socket
)

// Grant is the right to read the value of one ROT.
type Grant struct {
	ROT     string
	Kind    string
	Subject string // the number, or the name of the access token or of the unit
	Created time.Time
	Token   AccessToken // where Kind is GrantToken
}

// AccessToken is a rat_… that can be granted ROTs. Its text is kept nowhere.
type AccessToken struct {
	ID      string
	Name    string
	Created time.Time
	Expires time.Time // zero: never
	Used    time.Time // last; zero: not yet
}

// AddGrant keeps that a uid, a gid or a unit may read the ROT, by g's ROT, Kind
// and Subject. One that is there already stays as it is. by is the uid that
// asked. ErrNotFound (the ROT).
func (s *Store) AddGrant(ctx context.Context, g Grant, by *uint32) (Grant, error) {
	if g.Kind == GrantToken || g.Subject == "" {
		return Grant{}, failed("grant ROT "+g.ROT, errors.New("it is not said to whom"))
	}
	err := s.change(ctx, "grant ROT "+g.ROT, func(tx *sql.Tx) error {
		_, err := s.addGrant(ctx, tx, &g, g.Subject, by)
		return err
	})
	return g, err
}

// AddTokenGrant keeps that the access token of this name may read the ROT. Where
// there is none of the name, one is made with this hash and expiry (zero: none):
// made says so. ErrTaken: it may read the ROT already, or is to get another
// expiry. ErrNotFound (the ROT).
func (s *Store) AddTokenGrant(ctx context.Context, rot, name string, hash [32]byte, expires time.Time, by *uint32) (g Grant, made bool, err error) {
	doing := "grant ROT " + rot
	if err := ValidName(name); err != nil {
		return Grant{}, false, failed(doing, err)
	}
	err = s.change(ctx, doing, func(tx *sql.Tx) error {
		t, err := one(ctx, tx, "find access token "+name, scanAccessToken,
			`SELECT `+tokenColumns+` FROM access_tokens t WHERE t.name = ?`, name)
		if errors.Is(err, ErrNotFound) {
			t, err = s.addAccessToken(ctx, tx, name, hash, expires)
			made = true
		}
		if err != nil {
			return err
		}
		if !made && (!expires.IsZero() || !t.Expires.IsZero() && s.now().After(t.Expires)) {
			return withHint(fmt.Errorf("access token %q has its expiry: %w", name, ErrTaken),
				"choose another name, or take from it all that it may read (rot ungrant): then it is forgotten")
		}
		g = Grant{ROT: rot, Kind: GrantToken, Subject: name, Token: t}
		isNew, err := s.addGrant(ctx, tx, &g, t.ID, by)
		if err == nil && !isNew {
			return withHint(fmt.Errorf("access token %q may read it: %w", name, ErrTaken),
				"its text was shown once; for another one choose another name, or take this one away first: rot ungrant rot://%s --access-token %s", rot, name)
		}
		return err
	})
	if err != nil {
		return Grant{}, false, err
	}
	return g, made, nil
}

// addGrant adds the row where it is not there yet, and fills g's Created.
func (s *Store) addGrant(ctx context.Context, tx *sql.Tx, g *Grant, subject string, by *uint32) (isNew bool, err error) {
	var created sql.NullInt64
	err = tx.QueryRowContext(ctx, `SELECT created FROM grants WHERE rot = ? AND kind = ? AND subject = ?`, g.ROT, g.Kind, subject).Scan(&created)
	if err == nil {
		g.Created = fromMicros(created)
		return false, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	id, err := s.newID(prefixGrant)
	if err != nil {
		return false, err
	}
	g.Created = s.stamp()
	_, err = tx.ExecContext(ctx, `INSERT INTO grants (id, rot, kind, subject, created) VALUES (?, ?, ?, ?, ?)`,
		id, g.ROT, g.Kind, subject, micros(g.Created))
	if isOrphan(err) {
		err = ErrNotFound
	}
	if err != nil {
		return false, err
	}
	return true, s.addLog(ctx, tx, LogEntry{Kind: LogGranted, ROT: g.ROT, UID: by, Detail: "to " + g.Kind + " " + g.Subject})
}

func (s *Store) addAccessToken(ctx context.Context, tx *sql.Tx, name string, hash [32]byte, expires time.Time) (AccessToken, error) {
	id, err := s.newID(prefixAccess)
	if err != nil {
		return AccessToken{}, err
	}
	t := AccessToken{ID: id, Name: name, Created: s.stamp(), Expires: fromMicros(micros(expires))}
	_, err = tx.ExecContext(ctx, `INSERT INTO access_tokens (id, name, hash, created, expires) VALUES (?, ?, ?, ?, ?)`,
		t.ID, t.Name, hash[:], micros(t.Created), micros(t.Expires))
	return t, err
}

const tokenColumns = `t.id, t.name, t.created, t.expires, t.used`

func scanAccessToken(from row) (t AccessToken, err error) {
	var created, expires, used sql.NullInt64
	err = from.Scan(&t.ID, &t.Name, &created, &expires, &used)
	t.Created, t.Expires, t.Used = fromMicros(created), fromMicros(expires), fromMicros(used)
	return t, err
}

// Grants returns those of the ROT, the oldest first.
func (s *Store) Grants(ctx context.Context, rot string) ([]Grant, error) {
	scan := func(from row) (g Grant, err error) {
		var created, tcreated, expires, used sql.NullInt64
		err = from.Scan(&g.ROT, &g.Kind, &g.Subject, &created, &g.Token.ID, &g.Token.Name, &tcreated, &expires, &used)
		g.Created = fromMicros(created)
		g.Token.Created, g.Token.Expires, g.Token.Used = fromMicros(tcreated), fromMicros(expires), fromMicros(used)
		return g, err
	}
	return list(ctx, s.db, "list the grants of ROT "+rot, scan,
		`SELECT g.rot, g.kind, coalesce(t.name, g.subject), g.created, coalesce(t.id, ''), coalesce(t.name, ''), t.created, t.expires, t.used
		 FROM grants g LEFT JOIN access_tokens t ON g.kind = 'access-token' AND t.id = g.subject
		 WHERE g.rot = ? ORDER BY g.created, g.rowid`, rot)
}

// RemoveGrant takes a grant back, by its kind and subject. An access token that
// may read nothing then is forgotten. ErrNotFound.
func (s *Store) RemoveGrant(ctx context.Context, rot, kind, subject string, by *uint32) error {
	return s.change(ctx, fmt.Sprintf("take %s %s the grant of ROT %s", kind, subject, rot), func(tx *sql.Tx) error {
		err := changeOne(tx.ExecContext(ctx,
			`DELETE FROM grants WHERE rot = ?1 AND kind = ?2
			 AND subject = iif(?2 = 'access-token', (SELECT id FROM access_tokens WHERE name = ?3), ?3)`, rot, kind, subject))
		if err != nil {
			return err
		}
		if err := dropIdleTokens(ctx, tx); err != nil {
			return err
		}
		return s.addLog(ctx, tx, LogEntry{Kind: LogUngranted, ROT: rot, UID: by, Detail: "from " + kind + " " + subject})
	})
}

// dropIdleTokens forgets the access tokens that may read nothing.
func dropIdleTokens(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx,
		`DELETE FROM access_tokens WHERE id NOT IN (SELECT subject FROM grants WHERE kind = 'access-token')`)
	return err
}

// Readable is a ROT that somebody may read.
type Readable struct {
	ID   string
	Name string
}

// Among is Resolve within the ROTs that somebody may read: what else there is
// makes no difference to its answer.
func Among(rots []Readable, ref string) (id string, ok bool) {
	ref = bareRef(ref)
	_, tail, isID := cutID(ref)
	for _, r := range rots {
		switch {
		case r.ID == ref, !isID && ref != "" && r.Name == ref:
			return r.ID, true
		case isID && len(tail) >= minPrefix && strings.HasPrefix(r.ID, ref):
			if id != "" {
				return "", false // it fits two
			}
			id = r.ID
		}
	}
	return id, id != ""
}

// Subject is one of the things that a caller is.
type Subject struct{ Kind, Name string }

// ReadableBy returns the ROTs that any of these may read: uids, gids, units.
func (s *Store) ReadableBy(ctx context.Context, who ...Subject) ([]Readable, error) {
	if len(who) == 0 {
		return nil, nil
	}
	args := make([]any, 0, 2*len(who))
	for _, w := range who {
		args = append(args, w.Kind, w.Name)
	}
	return remembered(&s.memory, askedReadableBy, fmt.Sprintf("%q", who), func() ([]Readable, error) {
		pairs := strings.TrimSuffix(strings.Repeat(`(?, ?), `, len(who)), `, `)
		return list(ctx, s.db, "list what may be read", scanReadable,
			`SELECT DISTINCT r.id, r.name FROM grants g JOIN rots r ON r.id = g.rot
			 WHERE g.kind <> 'access-token' AND (g.kind, g.subject) IN (VALUES `+pairs+`)`, args...)
	})
}

func scanReadable(from row) (r Readable, err error) { return r, from.Scan(&r.ID, &r.Name) }

// ReadableWith returns the access token whose text has this hash, and the ROTs
// that it may read. ErrNotFound. Whether it has expired is for the caller to see;
// when it was last used is in Grants, and here may be out of date.
func (s *Store) ReadableWith(ctx context.Context, hash [32]byte) (t AccessToken, rots []Readable, err error) {
	const doing = "look up an access token"
	found, err := remembered(&s.memory, askedReadableWith, string(hash[:]), func() (f readableWith, err error) {
		scan := func(from row) (r Readable, err error) {
			var created, expires, used sql.NullInt64
			err = from.Scan(&f.token.ID, &f.token.Name, &created, &expires, &used, &f.hash, &r.ID, &r.Name)
			f.token.Created, f.token.Expires, f.token.Used = fromMicros(created), fromMicros(expires), fromMicros(used)
			return r, err
		}
		f.rots, err = list(ctx, s.db, doing, scan,
			`SELECT `+tokenColumns+`, t.hash, r.id, r.name FROM access_tokens t
			 JOIN grants g ON g.kind = 'access-token' AND g.subject = t.id JOIN rots r ON r.id = g.rot WHERE t.hash = ?`, hash[:])
		if err == nil && len(f.rots) == 0 {
			err = failed(doing, ErrNotFound)
		}
		return f, err
	})
	if err == nil && subtle.ConstantTimeCompare(found.hash, hash[:]) != 1 {
		err = failed(doing, ErrNotFound)
	}
	if err != nil {
		return AccessToken{}, nil, err
	}
	return found.token, found.rots, nil
}

// readableWith is an access token, its hash, and what it may read.
type readableWith struct {
	token AccessToken
	hash  []byte
	rots  []Readable
}

// TokensUsed keeps when access tokens, by their ids, were last used. Those that
// are gone are passed over.
func (s *Store) TokensUsed(ctx context.Context, at map[string]time.Time) error {
	return s.annotate(ctx, "note the use of access tokens", func(tx *sql.Tx) error {
		for id, when := range at {
			_, err := tx.ExecContext(ctx, `UPDATE access_tokens SET used = max(coalesce(used, 0), ?) WHERE id = ?`, micros(when), id)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
