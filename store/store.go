package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rotd/ipc/secret"
)

// Options are what a test replaces. The zero value is right for use.
type Options struct {
	Now  func() time.Time // nil: time.Now
	Rand io.Reader        // of ids, read by one goroutine at a time; nil: crypto/rand
	Log  *slog.Logger     // nil: nothing is logged
}

// databaseName is the database's name in the state directory.
const databaseName = "rotd.db"

// Store is an open state. Close it.
type Store struct {
	db    *sql.DB
	seals sealer
	now   func() time.Time
	rand  io.Reader
	log   *slog.Logger

	// writing holds one token: writers wait here, with their context, and not
	// inside SQLite, where they would poll and take the readers' connections.
	writing chan struct{}
	memory  memory
	limits  atomic.Pointer[LogLimits] // nil: DefaultLogLimits
	pruned  int64                     // pruning the log by age has come to this id; begins anew at each start
	close   func() error
}

// Open opens the state in dir, which it makes where it is absent, with the
// master key from keys. The first start of a state makes the key where there
// is none; later ones only load it.
//
// Before anything in an existing state is touched, Open refuses a newer
// database (ErrNewerState), a missing key (ErrKeyMissing), a keyring that does
// not answer (ErrNoKeyring, ErrKeyLocked) and another key (ErrWrongKey).
// HintOf its error says what to do.
func Open(ctx context.Context, dir string, keys KeySource, opts Options) (*Store, error) {
	s := newStore(opts)
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open the state: %w", err)
	}
	if err := PrepareDir(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, databaseName)
	if err := checkFiles(path); err != nil {
		return nil, err
	}
	was, err := probe(ctx, path)
	if err != nil {
		return nil, failed("look into "+path, err)
	}
	if was.keyCheck != nil {
		err = s.unlock(ctx, keys, was)
	} else {
		err = s.firstStart(ctx, dir, path, keys, was)
	}
	if err != nil {
		return nil, err
	}
	s.db = openDatabase(path)
	if err := migrate(ctx, s.db); err != nil {
		return nil, errors.Join(failed("bring "+path+" to the newest version", err), s.db.Close())
	}
	if err := openAll(ctx, s.db); err != nil {
		return nil, errors.Join(failed("open "+path, err), s.db.Close())
	}
	return s, nil
}

func newStore(opts Options) *Store {
	s := &Store{now: opts.Now, rand: opts.Rand, log: opts.Log, writing: make(chan struct{}, 1)}
	if s.now == nil {
		s.now = time.Now
	}
	if s.rand == nil {
		s.rand = rand.Reader
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.close = sync.OnceValue(s.closeOnce)
	return s
}

// The key check is this text, sealed. Only the right key opens it.
const keyCheckText = "the master key of this state"

var keyCheckPlace = place{"meta", "1", "key_check"}

// unlock loads the key of a state that has one and tries it. Where a change of
// the key was cut off after its commit, the new one waits in the second slot,
// and takes its place now.
func (s *Store) unlock(ctx context.Context, keys KeySource, was probed) error {
	key, err := keys.Load(ctx, was.stateID)
	if err != nil {
		return err
	}
	fits, err := s.try(key, was)
	if fits || err != nil {
		return err
	}
	if place, ok := keys.(slots); ok {
		if next, err := place.Staged(ctx, was.stateID); err == nil {
			if fits, err := s.try(next, was); fits || err != nil {
				s.log.InfoContext(ctx, "a change of the master key that was cut off comes to its end", "key", keys.String())
				return errors.Join(err, place.Promote(ctx, was.stateID))
			}
		}
	}
	return withHint(fmt.Errorf("%s: %w", keys, ErrWrongKey),
		"start rotd with the --key that it was started with before, or put that key back; nothing was changed")
}

// try uses key if it is the one that sealed the state.
func (s *Store) try(key Key, was probed) (fits bool, err error) {
	seals, err := newSealer(key)
	if err != nil {
		return false, err
	}
	if _, err := seals.open(keyCheckPlace, was.keyCheck); err != nil {
		return false, nil
	}
	s.seals = seals
	return true, nil
}

// firstStart makes the database and its key, or goes on where an earlier first
// start was cut off. The state's id is on the disk before a key is made under
// it, so that the next start finds that key; and a source that cannot be
// reached is noticed before anything is made.
func (s *Store) firstStart(ctx context.Context, dir, path string, keys KeySource, was probed) error {
	id := was.stateID
	if id == "" {
		id = strings.ToLower(rand.Text())
	}
	key, err := keys.Load(ctx, id)
	if err != nil && !errors.Is(err, ErrKeyMissing) {
		return err
	}
	if err := createDatabase(dir, path); err != nil {
		return failed("make "+path, err)
	}
	db := openDatabase(path)
	defer db.Close()
	if err := migrate(ctx, db); err != nil {
		return failed("make "+path, err)
	}
	if _, err := db.ExecContext(ctx, `INSERT INTO meta (one, state_id) VALUES (1, ?) ON CONFLICT DO NOTHING`, id); err != nil {
		return failed("make "+path, err)
	}
	if key.IsZero() {
		if key, err = keys.Create(ctx, id); err != nil {
			return err
		}
		s.log.InfoContext(ctx, "made a master key", "key", keys.String())
	}
	if s.seals, err = newSealer(key); err != nil {
		return err
	}
	check := s.seals.seal(keyCheckPlace, secret.New(keyCheckText))
	if _, err := db.ExecContext(ctx, `UPDATE meta SET key_check = ?`, check); err != nil {
		return failed("make "+path, err)
	}
	return nil
}

// Close waits for the change that is being made, empties the WAL into the
// database and closes it. Calls after it fail; a second Close does nothing.
func (s *Store) Close() error { return s.close() }

func (s *Store) closeOnce() error {
	s.writing <- struct{}{}
	defer func() { <-s.writing }()
	s.emptyWAL(context.Background())
	if err := s.db.Close(); err != nil {
		return failed("close the state", err)
	}
	return nil
}

// change runs f in one transaction that has the write lock from its start. The
// change is on the disk when it returns nil. doing begins the error's text.
func (s *Store) change(ctx context.Context, doing string, f func(*sql.Tx) error) error {
	return s.write(ctx, doing, f, s.memory.change)
}

// annotate is change for what no reader of a value is answered by: what he has
// read before stays in memory.
func (s *Store) annotate(ctx context.Context, doing string, f func(*sql.Tx) error) error {
	return s.write(ctx, doing, f, func(commit func() error) error { return commit() })
}

// forget is change for what takes a secret away: it also empties the WAL,
// where the sealed secret would stay for long.
func (s *Store) forget(ctx context.Context, doing string, f func(*sql.Tx) error) error {
	return s.write(ctx, doing, f, func(commit func() error) error {
		err := s.memory.change(commit)
		if err == nil {
			s.emptyWAL(context.WithoutCancel(ctx))
		}
		return err
	})
}

func (s *Store) write(ctx context.Context, doing string, f func(*sql.Tx) error, by func(commit func() error) error) error {
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	case <-ctx.Done():
		return failed(doing, ctx.Err())
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return failed(doing, err)
	}
	defer tx.Rollback() // after a commit it does nothing
	if err := f(tx); err != nil {
		return failed(doing, err)
	}
	if err := by(tx.Commit); err != nil {
		return failed(doing, err)
	}
	return nil
}

// emptyWAL moves the WAL's pages into the database, where secure_delete has
// overwritten what is gone, and cuts the WAL to nothing. The change before it
// is committed already, so that a failure here is only logged: the next call,
// or Close, does it.
func (s *Store) emptyWAL(ctx context.Context) {
	var busy, pages, moved int
	err := s.db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved)
	if err != nil || busy != 0 {
		s.log.WarnContext(ctx, "the WAL could not be emptied yet", "busy", busy != 0, "err", err)
	}
}

// newID returns prefix and 16 characters of [a-z2-7]: 80 random bits.
func (s *Store) newID(prefix string) (string, error) {
	var b [10]byte
	if _, err := io.ReadFull(s.rand, b[:]); err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return prefix + strings.ToLower(base32.StdEncoding.EncodeToString(b[:])), nil
}
