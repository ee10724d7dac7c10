package socket

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"rotd/ipc/private"
)

// IsAt reports whether f is a Unix socket at path.
func IsAt(f *os.File, path string) bool {
	addr, err := unix.Getsockname(int(f.Fd()))
	at, ok := addr.(*unix.SockaddrUnix)
	return err == nil && ok && at.Name == path
}

// Inherit listens on a socket that a service manager has made, and takes f over.
// It must be the stream socket that listens at path, and nothing else, in a
// directory that nobody else can change. Whoever made it looks after its removal,
// and keeps a second rotd from it: there is no lock file. Its mode is the maker's,
// too, unless gid is a group that may connect. Then its directory is that
// group's as well, where it holds nothing but sockets.
func Inherit(f *os.File, path string, gid int) (*Listener, error) {
	defer f.Close()
	if !IsAt(f, path) {
		return nil, fmt.Errorf("listen on %s: the socket handed over is another one", path)
	}
	for option, want := range map[int]int{unix.SO_TYPE: unix.SOCK_STREAM, unix.SO_ACCEPTCONN: 1} {
		if got, err := unix.GetsockoptInt(int(f.Fd()), unix.SOL_SOCKET, option); err != nil || got != want {
			return nil, fmt.Errorf("listen on %s: the socket handed over does not listen", path)
		}
	}
	dir := filepath.Dir(path)
	if err := private.Dir("the socket's directory", dir, private.Listed); err != nil {
		return nil, err
	}
	if err := openTo(path, gid, 0o660); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if onlySockets(dir) {
		if err := openTo(dir, gid, 0o750); err != nil {
			return nil, fmt.Errorf("the socket's directory: %w", err)
		}
	}
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return newListener(ln.(*net.UnixListener), nil)
}

func onlySockets(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Type() != fs.ModeSocket })
}
