package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrStateInUse says that another rotd has the state directory.
var ErrStateInUse = errors.New("another rotd uses this state")

// lockState makes the state directory where it is absent and takes its lock,
// which lasts until the file is closed and names the holder's pid.
func lockState(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	path := filepath.Join(dir, "rotd.lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the state's lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		holder := ""
		if b, err := os.ReadFile(path); err == nil && len(b) > 0 {
			holder = " (pid " + strings.TrimSpace(string(b)) + ")"
		}
		return nil, fmt.Errorf("%w%s: %s", ErrStateInUse, holder, dir)
	}
	// The pid is a courtesy to whoever reads the error above.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}

// RuntimeDir is where short-lived private files go, in memory wherever the
// system has such a place: the user's runtime directory, /run for root, else a
// directory of ours in /dev/shm or the temporary directory.
func RuntimeDir(getenv func(string) string, uid int) string {
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "rotd")
	}
	if dir := fmt.Sprintf("/run/user/%d", uid); isDir(dir) {
		return filepath.Join(dir, "rotd")
	}
	if uid == 0 && isDir("/run") {
		return "/run/rotd"
	}
	base := os.TempDir()
	if isDir("/dev/shm") {
		base = "/dev/shm"
	}
	return filepath.Join(base, fmt.Sprintf("rotd-%d", uid))
}

// makePrivate makes dir, or checks that the one that is there is ours and that
// nobody else may write to it: what is put into it could be replaced otherwise.
func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the runtime directory: %w", err)
	}
	fi, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("check the runtime directory: %w", err)
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || !fi.IsDir() || int(st.Uid) != os.Geteuid() || fi.Mode().Perm()&0o022 != 0 {
		return &ownError{fmt.Sprintf("the runtime directory %s is not one of yours alone", dir),
			"remove it, or set XDG_RUNTIME_DIR to a directory of yours"}
	}
	return nil
}

// ownError is an error of this package with what to do about it.
type ownError struct{ message, hint string }

func (e *ownError) Error() string { return e.message }
func (e *ownError) Hint() string  { return e.hint }

func isDir(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}
