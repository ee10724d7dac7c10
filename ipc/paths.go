package ipc

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"rotd/ipc/fmt"
)

// SystemSocket is the socket of a system service, SystemCredentialSocket the one
// that systemd gets the credentials of units from, SystemStateDir its state.
const (
	SystemSocket           = "/run/rotd/rotd.sock"
	SystemCredentialSocket = "/run/rotd/credential.sock"
	SystemStateDir         = "/var/lib/rotd"
)

const (
	socketEnv  = "ROTD_SOCKET"
	socketName = "rotd.sock"
)

// ErrNoRuntimeDir says that there is no directory a user's socket could be in.
var ErrNoRuntimeDir = errors.New("XDG_RUNTIME_DIR is not set and /run/user has no directory of yours: " +
	"name the socket with --socket or ROTD_SOCKET")

// SocketPath is where rotd listens when it is told nothing else, for the
// program's own getenv, runtime.GOOS and os.Getuid: ROTD_SOCKET; the user's
// runtime directory; on macOS the user's Application Support. Root without a
// runtime directory is the system service.
func SocketPath(getenv func(string) string, goos string, uid int) (string, error) {
	if path := getenv(socketEnv); path != "" {
		return path, nil
	}
	if isSystem(getenv, uid) {
		return SystemSocket, nil
	}
	return userSocket(getenv, goos, uid)
}

// FindSocket is where rot looks for rotd: ROTD_SOCKET; the user's socket when
// it is there; else the system's when that is there. With neither it is the
// path that SocketPath would choose, so that an error can name it.
func FindSocket(getenv func(string) string, goos string, uid int) string {
	if path := getenv(socketEnv); path != "" {
		return path
	}
	user, err := userSocket(getenv, goos, uid)
	if err == nil && exists(user) {
		return user
	}
	if err != nil || mayExist(SystemSocket) || isSystem(getenv, uid) {
		return SystemSocket
	}
	return user
}

// StateDir is where rotd keeps its database when it is told nothing else.
func StateDir(getenv func(string) string, goos string, uid int) (string, error) {
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "rotd"), nil
	}
	if isSystem(getenv, uid) {
		return SystemStateDir, nil
	}
	home := getenv("HOME")
	if !filepath.IsAbs(home) {
		return "", errors.New("HOME is not set: name the state directory with --state-dir")
	}
	if goos == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "rotd"), nil
	}
	return filepath.Join(home, ".local", "state", "rotd"), nil
}

// isSystem tells root without a login session, which is how a system service
// runs and how sudo leaves its environment.
func isSystem(getenv func(string) string, uid int) bool {
	return uid == 0 && getenv("XDG_RUNTIME_DIR") == ""
}

func userSocket(getenv func(string) string, goos string, uid int) (string, error) {
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "rotd", socketName), nil
	}
	if goos == "darwin" {
		home := getenv("HOME")
		if !filepath.IsAbs(home) {
			return "", errors.New("HOME is not set: name the socket with --socket or ROTD_SOCKET")
		}
		return filepath.Join(home, "Library", "Application Support", "rotd", socketName), nil
	}
	// A cron job or a su session has the directory and not the variable.
	if dir := fmt.Sprintf("/run/user/%d", uid); exists(dir) {
		return filepath.Join(dir, "rotd", socketName), nil
	}
	return "", ErrNoRuntimeDir
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// mayExist is exists, where a path that may not be looked at counts too: what
// is wrong there is said when it is used.
func mayExist(path string) bool {
	_, err := os.Lstat(path)
	return err == nil || errors.Is(err, fs.ErrPermission)
}

// CheckSocketPath refuses a path that does not fit into a socket address: 104
// bytes on macOS, 108 elsewhere, the closing NUL included.
func CheckSocketPath(path, goos string) error {
	limit := 108
	if goos == "darwin" {
		limit = 104
	}
	if len(path) >= limit {
		return &PathTooLongError{Path: path, Limit: limit - 1}
	}
	return nil
}

// PathTooLongError says that a socket cannot have this path.
type PathTooLongError struct {
	Path  string
	Limit int // bytes
}

func (e *PathTooLongError) Error() string {
	return fmt.Sprintf("the socket's path is %d bytes long, and this system takes %d: %s", len(e.Path), e.Limit, e.Path)
}

// Hint says what to do.
func (e *PathTooLongError) Hint() string {
	return "choose a shorter one with --socket or ROTD_SOCKET"
}
