package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rotd/ipc/private"
	"rotd/store"
)

// ErrStateInUse says that another rotd has the state directory.
var ErrStateInUse = errors.New("another rotd uses this state")

// LockState prepares the state directory and takes its lock, which lasts until
// the file is closed and names the holder's pid.
func LockState(dir string) (*os.File, error) {
	if err := store.PrepareDir(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "rotd.lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the state's lock: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		err = private.File("the state's lock", path, info)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
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
// system has such a place: the one that a service manager has made for us, the
// user's runtime directory, /run for root, else a directory of ours in /dev/shm
// or the temporary directory.
func RuntimeDir(getenv func(string) string, uid int) string {
	if dir := getenv("RUNTIME_DIRECTORY"); filepath.IsAbs(dir) {
		return dir
	}
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

// makeRuntimeDir makes the runtime directory, which the socket may share with
// it, and the one for the browser's profiles in it, which is ours alone.
func makeRuntimeDir(dir, profiles string) error {
	err := private.Make("the runtime directory", dir, private.Listed)
	if err == nil {
		err = private.Make("the directory of browser profiles", profiles, private.Closed)
	}
	return err
}

func isDir(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}
