package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"rotd/ipc/private"
)

// Backup writes the state in dir, as it is at this instant, to a new database
// at file, of mode 0600: whole, on the disk when it returns, or not there. It
// may run while the state is open elsewhere. What is there already is replaced
// where replace says so, and is fs.ErrExist otherwise. It is written nowhere where
// somebody else could put something in its place.
//
// The master key is not in it.
func Backup(ctx context.Context, dir, file string, replace bool) error {
	dir, err := filepath.Abs(dir)
	if err == nil {
		file, err = filepath.Abs(file)
	}
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	path := filepath.Join(dir, databaseName)
	if err := stateIn(dir); err != nil {
		return err
	}
	if err := checkState(dir); err != nil {
		return err
	}
	if there, err := os.Lstat(file); err == nil {
		switch {
		case ofDatabase(path, there):
			return withHint(fmt.Errorf("%s is the state itself", file), "name another file")
		case !replace:
			return withHint(fmt.Errorf("%s: %w", file, fs.ErrExist), "name another file, or replace it: --force")
		}
	}
	// The copy is made where nobody sees it, in a directory of the same disk.
	scratch, err := os.MkdirTemp(filepath.Dir(file), ".rotd-backup-") // 0700
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	defer os.RemoveAll(scratch)
	if _, err := private.Way(scratch); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	made := filepath.Join(scratch, databaseName)
	db := openDatabase(path)
	defer db.Close()
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, made); err != nil {
		return failed("write the backup", err)
	}
	if err := settle(made); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	if replace {
		err = os.Rename(made, file)
	} else {
		err = os.Link(made, file) // fails where there is one by now
	}
	if err == nil {
		err = syncDir(filepath.Dir(file))
	}
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return nil
}

// ofDatabase tells whether a file is the database at path, or one beside it that
// SQLite has.
func ofDatabase(path string, file fs.FileInfo) bool {
	for _, suffix := range append([]string{"", "-shm"}, sidecars...) {
		if own, err := os.Lstat(path + suffix); err == nil && os.SameFile(own, file) {
			return true
		}
	}
	return false
}

// stateIn is an error where dir has no state.
func stateIn(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, databaseName)); err != nil {
		return withHint(fmt.Errorf("there is no state in %s", dir), "name it with --state-dir")
	}
	return nil
}

// settle closes a new file to others and waits until it is on the disk.
func settle(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Chmod(0o600); err != nil {
		return err
	}
	return f.Sync()
}

// Restore puts the backup at file in the place of the state in dir, which is
// nobody else's while it runs: that is the caller's to see to. Before anything
// is touched, it looks whether the backup is whole, whether this rotd knows its
// schema (ErrNewerState), and whether keys has the key that sealed it
// (ErrWrongKey, ErrKeyMissing).
//
// The state that was there is kept: Restore returns the directory with its
// files, or "" where there was none. A crash leaves the one state or the other.
func Restore(ctx context.Context, dir, file string, keys KeySource, opts Options) (kept string, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return "", fmt.Errorf("restore the state: %w", err)
	}
	path := filepath.Join(dir, databaseName)
	if err := checkState(dir); err != nil {
		return "", err
	}
	scratch := filepath.Join(dir, "restore") // one name: a crash leaves at most one
	defer os.RemoveAll(scratch)
	if err := takeBackup(scratch, file); err != nil {
		return "", err
	}
	made := filepath.Join(scratch, databaseName)
	if err := newStore(opts).tryBackup(ctx, made, file, keys); err != nil {
		return "", err
	}
	if err := settle(made); err != nil {
		return "", fmt.Errorf("restore the state: %w", err)
	}
	if kept, err = setAside(ctx, dir, newStore(opts).now().UTC().Format("20060102T150405Z")); err != nil {
		return "", fmt.Errorf("keep the present state: %w", err)
	}
	if err := os.Rename(made, path); err != nil {
		return kept, fmt.Errorf("restore the state: %w", err)
	}
	return kept, syncDir(dir)
}

// takeBackup copies the backup into scratch. What rotd runs at deliveries
// stands in it unsealed: so nobody else may have written it.
func takeBackup(scratch, file string) error {
	const what = "the backup"
	if _, err := private.Way(file); err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	if err := private.File(what, file, info); err != nil {
		return err
	}
	if err := os.RemoveAll(scratch); err != nil {
		return fmt.Errorf("copy %s: %w", what, err)
	}
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return fmt.Errorf("copy %s: %w", what, err)
	}
	if err := copyFile(filepath.Join(scratch, databaseName), file); err != nil {
		return fmt.Errorf("copy %s: %w", what, err)
	}
	return nil
}

// tryBackup looks into the copy at path of the backup called name.
func (s *Store) tryBackup(ctx context.Context, path, name string, keys KeySource) error {
	db := openImmutable(path)
	defer db.Close()
	was, err := readProbe(ctx, db)
	if err == nil && was.keyCheck == nil {
		err = withHint(errors.New("it is no backup of rotd's"), "rotd backup FILE makes one")
	}
	if err == nil {
		err = whole(ctx, db)
	}
	if err != nil {
		return failed("look into "+name, err)
	}
	return s.unlock(ctx, keys, was)
}

// whole checks every page and row of a database.
func whole(ctx context.Context, db *sql.DB) error {
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&verdict); err != nil {
		return err
	}
	var orphans int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM pragma_foreign_key_check`).Scan(&orphans); err != nil {
		return err
	}
	if verdict != "ok" || orphans > 0 {
		return withHint(fmt.Errorf("%w: it is damaged: %s, %d rows without their parents", ErrStorage, verdict, orphans), "take another backup")
	}
	return nil
}

// setAside copies the database of dir into a directory of its own, with what
// stands in its WAL, and leaves it where it is. One that SQLite cannot open any
// more is copied as it lies there, and loses its WAL, which would be taken for
// the next one's.
func setAside(ctx context.Context, dir, stamp string) (kept string, err error) {
	path := filepath.Join(dir, databaseName)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	emptied := fold(ctx, path)
	kept = filepath.Join(dir, "replaced-"+stamp)
	if err := copyDatabase(kept, path); err != nil {
		return "", err
	}
	if err := syncDir(kept); err != nil {
		return "", err
	}
	if emptied == nil {
		return kept, nil
	}
	for _, suffix := range append(sidecars, "-shm") {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return kept, syncDir(dir)
}

// fold moves the WAL of a database that nobody has open into it.
func fold(ctx context.Context, path string) error {
	db := openDatabase(path)
	defer db.Close() // the last one to close removes the WAL
	var busy, pages, moved int
	return db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved)
}
