package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// prepareDir makes dir for us alone, or checks that it is.
func prepareDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return withHint(fmt.Errorf("make the state directory: %w", err), "name another one with --state-dir")
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("check the state directory: %w", err)
	}
	if !ownedByUs(info) {
		return withHint(fmt.Errorf("the state directory %s belongs to another user", dir),
			"run rotd as its owner, or name another one with --state-dir")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return withHint(fmt.Errorf("the state directory %s has mode %04o: it is open to others", dir, info.Mode().Perm()),
			"chmod 700 %s", dir)
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

func ownedByUs(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
