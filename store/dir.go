package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"rotd/ipc/private"
)

// PrepareDir makes the state directory for us alone, or checks the one that is
// there: nobody else may own it, write to it, look into it, or lead the way to
// it elsewhere. One that others may look into is closed to them where it is
// empty; where it is not, it serves something else, or has been looked into.
func PrepareDir(dir string) error {
	const what = "the state directory"
	err := private.Make(what, dir, private.Closed)
	if err != nil && isEmptyDir(dir) && private.Dir(what, dir, private.Listed) == nil && os.Chmod(dir, 0o700) == nil {
		err = private.Dir(what, dir, private.Closed)
	}
	if err != nil && HintOf(err) == "" {
		return withHint(err, "name another one with --state-dir")
	}
	return err
}

func isEmptyDir(dir string) bool {
	names, err := os.ReadDir(dir)
	return err == nil && len(names) == 0
}

// checkState is PrepareDir, and a look at what is there.
func checkState(dir string) error {
	if err := PrepareDir(dir); err != nil {
		return err
	}
	return checkFiles(filepath.Join(dir, databaseName))
}

// checkFiles checks the database and what SQLite keeps beside it.
func checkFiles(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		info, err := os.Lstat(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = private.File("the database", path+suffix, info)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// createDatabase makes an empty database file before SQLite sees it: SQLite
// would make it readable for everybody, and gives -wal and -shm the same mode.
func createDatabase(dir, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir waits until the names in dir are on the disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
