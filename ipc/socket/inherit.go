package socket

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Inherit listens on a socket that a service manager has made, and takes f over.
// It must be the stream socket that listens at path, and nothing else. Whoever
// made it looks after its mode, its directory and its removal, and keeps a second
// rotd from it: there is no lock file.
func Inherit(f *os.File, path string) (*Listener, error) {
	defer f.Close()
	if err := checkInherited(int(f.Fd()), path); err != nil {
		return nil, fmt.Errorf("listen on %s: the socket handed over %w", path, err)
	}
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return &Listener{sock: ln.(*net.UnixListener), peer: peerOf}, nil
}

func checkInherited(fd int, path string) error {
	addr, err := unix.Getsockname(fd)
	if err != nil {
		return fmt.Errorf("is none: %w", err)
	}
	at, ok := addr.(*unix.SockaddrUnix)
	if !ok || at.Name != path {
		return errors.New("is another one")
	}
	for option, want := range map[int]int{unix.SO_TYPE: unix.SOCK_STREAM, unix.SO_ACCEPTCONN: 1} {
		if got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option); err != nil || got != want {
			return errors.New("does not listen")
		}
	}
	return nil
}
