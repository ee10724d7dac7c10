package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"rotd/ipc/secret"
)

// The kinds of entry in the log. What becomes of a token is written in the one
// transaction that makes it so, so that a crash leaves no gap.
const (
	LogRotated     = "rotated"     // a generation is served
	LogFailed      = "failed"      // a rotation did not succeed; the detail says why
	LogUndone      = "undone"      // what was begun will not be served, and npm holds nothing of it
	LogRevoked     = "revoked"     // npm refuses an old generation
	LogWithdrawn   = "withdrawn"   // the user had the present generation revoked
	LogRemoved     = "removed"     // a ROT or a passcard is forgotten
	LogConnected   = "connected"   // a passcard is made or renewed
	LogApproved    = "approved"    // a person passed npm's second factor
	LogDelivered   = "delivered"   // a delivery has taken a generation
	LogUndelivered = "undelivered" // a delivery failed; the detail says why
	LogRead        = "read"        // a value was handed out
	LogGranted     = "granted"     // somebody may read a ROT from now on; the detail says who
	LogUngranted   = "ungranted"   // he may not any more
	LogPasskey     = "passkey"     // a software security key is kept from now on, or forgotten; the detail says which
	LogExported    = "exported"    // a passcard went into a file; the detail says what of it
	LogImported    = "imported"    // a passcard came out of a file; likewise
	LogRefused     = "refused"     // a caller was turned away at the door
)

// LogEntry is one thing that happened. It never holds a value.
type LogEntry struct {
	ID         int64 // grows; filled by the store
	At         time.Time
	Kind       string
	ROT        string // rot_…, also of one that is gone; may be empty
	Passcard   string // pas_…, likewise
	Generation int
	UID        *uint32 // who, where somebody asked for it
	Count      int     // how often, since the entry before; 0 counts as 1
	Detail     string
}

// LogQuery says which entries to return.
type LogQuery struct {
	ROT      string // only this one's, where not empty
	Passcard string // only this one's and its ROTs', where not empty
	After    int64  // the first Limit entries with a greater ID; negative: the last Limit of all
	Limit    int
}

// LogLimits are how much of the log is kept.
type LogLimits struct {
	Age  time.Duration // of reads and refusals
	Most int64         // entries of all kinds, the newest, 150 bytes each or so
}

// DefaultLogLimits hold where LimitLog was not called.
var DefaultLogLimits = LogLimits{Age: 90 * 24 * time.Hour, Most: 1_000_000}

// LimitLog sets how much of the log is kept. Each addition to the log from now on
// takes a small step of pruning, so that nobody waits for it.
func (s *Store) LimitLog(l LogLimits) { s.limits.Store(&l) }

// logStep is how many entries a step of pruning looks at, and twice what was
// added where that is more.
const logStep = 500

// AddLog appends entries, an At that is zero being now.
func (s *Store) AddLog(ctx context.Context, entries ...LogEntry) error {
	var pruned int64
	return s.write(ctx, "write the log", func(tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, insertLog)
		if err != nil {
			return err
		}
		defer insert.Close()
		for _, e := range entries {
			if _, err := insert.ExecContext(ctx, s.logRow(e)...); err != nil {
				return err
			}
		}
		pruned, err = s.pruneLog(ctx, tx, max(logStep, 2*len(entries)))
		return err
	}, func(commit func() error) error {
		err := commit()
		if err == nil {
			s.pruned = pruned
		}
		return err
	})
}

// addLog appends an entry as a part of a change.
func (s *Store) addLog(ctx context.Context, tx *sql.Tx, e LogEntry) error {
	_, err := tx.ExecContext(ctx, insertLog, s.logRow(e)...)
	return err
}

const insertLog = `INSERT INTO log (at, kind, rot, passcard, generation, uid, count, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

// logRow is what an entry is kept as.
func (s *Store) logRow(e LogEntry) []any {
	if e.At.IsZero() {
		e.At = s.stamp()
	}
	var uid sql.NullInt64
	if e.UID != nil {
		uid = sql.NullInt64{Int64: int64(*e.UID), Valid: true}
	}
	return []any{micros(e.At), e.Kind, e.ROT, e.Passcard, e.Generation, uid, max(e.Count, 1), e.Detail}
}

// logRotated notes that generation n is served: npm's name of it, and its
// fingerprint, by which a token that turns up somewhere can be recognised.
func (s *Store) logRotated(ctx context.Context, tx *sql.Tx, rot string, n int) error {
	var name string
	var sealed []byte
	err := tx.QueryRowContext(ctx, `SELECT token_name, sealed FROM generations WHERE rot = ? AND n = ?`, rot, n).Scan(&name, &sealed)
	if err != nil {
		return err
	}
	value, err := s.seals.open(generationPlace(rot, n), sealed)
	if err != nil {
		return err
	}
	e := LogEntry{Kind: LogRotated, ROT: rot, Generation: n, Detail: name}
	if f := Fingerprint(value); f != "" {
		e.Detail = "fingerprint " + f + ", " + name
	}
	return s.addLog(ctx, tx, e)
}

// logDelivery notes how a delivery went, by its name.
func (s *Store) logDelivery(ctx context.Context, tx *sql.Tx, id string, e LogEntry) error {
	var name string
	if err := tx.QueryRowContext(ctx, `SELECT rot, name FROM deliveries WHERE id = ?`, id).Scan(&e.ROT, &name); err != nil {
		return err
	}
	if e.Detail != "" {
		name += ": "
	}
	e.Detail = name + e.Detail
	return s.addLog(ctx, tx, e)
}

// pruneLog looks at the next few entries that may be too old, and takes the
// oldest where there are too many. The ids have gaps, so that "too many" is
// counted by them, on the side of keeping less. pruned is how far it has come.
func (s *Store) pruneLog(ctx context.Context, tx *sql.Tx, step int) (pruned int64, err error) {
	limits := DefaultLogLimits
	if l := s.limits.Load(); l != nil {
		limits = *l
	}
	var newest int64
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM log`).Scan(&newest); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx,
		`DELETE FROM log WHERE id IN (SELECT id FROM log WHERE id <= ? ORDER BY id LIMIT ?)`, newest-limits.Most, step)
	if err != nil {
		return 0, err
	}
	var last sql.NullInt64
	horizon := micros(s.now().Add(-limits.Age))
	err = tx.QueryRowContext(ctx,
		`SELECT max(id) FILTER (WHERE at < ?) FROM (SELECT id, at FROM log WHERE id > ? ORDER BY id LIMIT ?)`,
		horizon, s.pruned, step).Scan(&last)
	if err != nil || !last.Valid {
		return s.pruned, err
	}
	_, err = tx.ExecContext(ctx,
		`DELETE FROM log WHERE id > ? AND id <= ? AND at < ? AND kind IN ('read', 'refused')`,
		s.pruned, last.Int64, horizon)
	return last.Int64, err
}

// Log returns entries, the newest last. Its cost is that of the entries it
// returns, however many there are.
func (s *Store) Log(ctx context.Context, q LogQuery) ([]LogEntry, error) {
	switch {
	case q.Passcard != "":
		return s.logOfPasscard(ctx, q)
	case q.ROT != "":
		return s.logWhere(ctx, q, `rot = ?`, q.ROT)
	}
	return s.logWhere(ctx, q, `TRUE`)
}

// logOfPasscard merges the entries of the passcard's ROTs, each found by its
// index, with those of the passcard alone, few among those of no ROT.
func (s *Store) logOfPasscard(ctx context.Context, q LogQuery) ([]LogEntry, error) {
	all, err := s.logWhere(ctx, q, `rot = '' AND passcard = ?`, q.Passcard)
	if err != nil {
		return nil, err
	}
	rots, err := s.ROTsOf(ctx, q.Passcard)
	if err != nil {
		return nil, err
	}
	for _, r := range rots {
		part, err := s.logWhere(ctx, q, `rot = ?`, r.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	slices.SortFunc(all, func(a, b LogEntry) int { return cmp.Compare(a.ID, b.ID) })
	if extra := len(all) - q.Limit; extra > 0 && q.After < 0 {
		return all[extra:], nil
	} else if extra > 0 {
		return all[:q.Limit], nil
	}
	return all, nil
}

func (s *Store) logWhere(ctx context.Context, q LogQuery, where string, args ...any) ([]LogEntry, error) {
	order := `id`
	if q.After < 0 {
		order = `id DESC`
	}
	args = append(append([]any{q.After}, args...), q.Limit)
	found, err := list(ctx, s.db, "read the log", scanLog,
		`SELECT id, at, kind, rot, passcard, generation, uid, count, detail FROM log
		 WHERE id > ? AND `+where+` ORDER BY `+order+` LIMIT ?`, args...)
	if q.After < 0 {
		slices.Reverse(found)
	}
	return found, err
}

func scanLog(from row) (e LogEntry, err error) {
	var at, uid sql.NullInt64
	err = from.Scan(&e.ID, &at, &e.Kind, &e.ROT, &e.Passcard, &e.Generation, &uid, &e.Count, &e.Detail)
	e.At = fromMicros(at)
	if uid.Valid {
		id := uint32(uid.Int64)
		e.UID = &id
	}
	return e, err
}

// Fingerprint tells a value from another without telling the value: the first
// 8 hex digits of its SHA-256. npm's tokens hold some 200 random bits; whoever
// knows 32 bits of their hash still has to guess the rest. A text short enough
// to be tried out has none, and is "".
func Fingerprint(v secret.Text) string {
	if len(v.Reveal()) < 32 {
		return ""
	}
	sum := sha256.Sum256([]byte(v.Reveal()))
	return fmt.Sprintf("%x", sum[:4])
}
