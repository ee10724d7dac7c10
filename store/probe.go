package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// probed is what can be known of a state before anything is touched.
type probed struct {
	version  int64  // of the schema; 0 before the first start was done
	stateID  string // empty before the first start was done
	keyCheck []byte // nil while no master key has sealed anything
}

// sidecars are the files that SQLite keeps beside a database. They stay behind
// when a process dies, and hold a part of the database then.
var sidecars = []string{"-wal", "-journal"}

// probe reads the state at path without changing a byte of it or leaving a
// file. An absent or empty database is the zero probed.
//
// A database that was closed cleanly is read as it lies there. One that was
// not has to be recovered before it can be read, which writes: that is done to
// a copy.
func probe(ctx context.Context, path string) (probed, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return probed{}, nil
	}
	if err != nil {
		return probed{}, err
	}
	if info.Size() == 0 {
		return probed{}, nil
	}
	db := openImmutable(path)
	if leftovers(path) {
		scratch := filepath.Join(filepath.Dir(path), "probe") // one name: a crash leaves at most one
		defer os.RemoveAll(scratch)
		if err := copyDatabase(scratch, path); err != nil {
			return probed{}, fmt.Errorf("copy it: %w", err)
		}
		db = openDatabase(filepath.Join(scratch, filepath.Base(path)))
	}
	defer db.Close()
	return readProbe(ctx, db)
}

func leftovers(path string) bool {
	for _, suffix := range sidecars {
		if _, err := os.Lstat(path + suffix); err == nil {
			return true
		}
	}
	return false
}

func copyDatabase(scratch, path string) error {
	if err := os.RemoveAll(scratch); err != nil {
		return err
	}
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return err
	}
	for _, suffix := range append([]string{""}, sidecars...) {
		err := copyFile(filepath.Join(scratch, filepath.Base(path)+suffix), path+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func copyFile(to, from string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err == nil {
		err = dst.Sync()
	}
	return errors.Join(err, dst.Close())
}

func readProbe(ctx context.Context, db *sql.DB) (p probed, err error) {
	var tables, ours int
	err = db.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE name = 'goose_db_version') FROM sqlite_master`).Scan(&tables, &ours)
	if err != nil || tables == 0 {
		return p, err
	}
	if ours == 0 {
		return p, withHint(errors.New("it is a database of another program"), "use another --state-dir")
	}
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&p.version)
	if err != nil || p.version == 0 {
		return p, err
	}
	newest, err := newestVersion(db)
	if err != nil {
		return p, err
	}
	if p.version > newest {
		return p, withHint(fmt.Errorf("%w: its schema has version %d, this rotd knows %d", ErrNewerState, p.version, newest),
			"install the newer rotd again, or use another --state-dir")
	}
	err = db.QueryRowContext(ctx, `SELECT state_id, key_check FROM meta`).Scan(&p.stateID, &p.keyCheck)
	if errors.Is(err, sql.ErrNoRows) { // the first start ended after the migration
		return p, nil
	}
	return p, err
}
