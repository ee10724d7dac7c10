package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"syscall"
)

// prepareDir makes dir for us alone, or checks what is there: nobody else may
// own it or write to it. One that others may look into is closed to them where
// it holds nothing yet; one that already serves something else keeps its mode,
// as every file of ours in it is closed by itself.
func prepareDir(dir string, log *slog.Logger) error {
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
	switch mode := info.Mode().Perm(); {
	case mode&0o022 != 0:
		return withHint(fmt.Errorf("the state directory %s has mode %04o: others may write to it", dir, mode),
			"chmod 700 %s", dir)
	case mode&0o077 == 0:
	case holdsNothing(dir):
		if err := os.Chmod(dir, 0o700); err != nil {
			return withHint(fmt.Errorf("close the state directory to others: %w", err), "chmod 700 %s", dir)
		}
	default:
		log.Warn("others may look into the state directory", "dir", dir, "mode", fmt.Sprintf("%04o", mode), "hint", "chmod 700 "+dir)
	}
	return nil
}

// holdsNothing reports whether dir is empty but for the daemon's lock.
func holdsNothing(dir string) bool {
	names, err := os.ReadDir(dir)
	return err == nil && (len(names) == 0 || len(names) == 1 && names[0].Name() == "rotd.lock")
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
