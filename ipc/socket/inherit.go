package socket

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// IsAt reports whether f is a Unix socket at path.
func IsAt(f *os.File, path string) bool {
	addr, err := unix.Getsockname(int(f.Fd()))
	at, ok := addr.(*unix.SockaddrUnix)
	return err == nil && ok && at.Name == path
}

// Inherit listens on a socket that a service manager has made, and takes f over.
// It must be the stream socket that listens at path, and nothing else. Whoever
// made it looks after its directory and its removal, and keeps a second rotd from
// it: there is no lock file. Its mode is the maker's, too, unless gid is a group
// that may connect.
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
	if err := openTo(path, gid, 0o660); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := openTo(filepath.Dir(path), gid, 0o750); err != nil {
		return nil, fmt.Errorf("the socket's directory: %w", err)
	}
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return &Listener{sock: ln.(*net.UnixListener), peer: peerOf}, nil
}
