package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"rotd/ipc"
	"rotd/ipc/private"
)

// ErrInUse says that another rotd serves the socket.
var ErrInUse = errors.New("another rotd serves it")

// Listener listens on rotd's socket. Each connection it accepts has its peer,
// which PeerOf tells; a connection whose peer cannot be told is closed.
type Listener struct {
	// Refused, where set before the first Accept, is told of every connection
	// that was closed at once.
	Refused func(error)

	sock  *net.UnixListener
	file  *os.File        // a copy of sock: net has no way to its raw connections
	raw   syscall.RawConn // of file
	lock  *os.File        // nil for an inherited socket
	peer  func(fd int) (Peer, error)
	close sync.Once
	err   error // of Close
}

// Listen makes the socket, mode 0600 before anybody can connect, and the last
// element of its directory where that is absent. A lock file beside the socket
// (path + ".lock") is held as long as the Listener lives, so that a second rotd
// gets an error that wraps ErrInUse. A socket left by a rotd that died is
// replaced; anything else at the path is left alone and is an error.
//
// The caller closes the Listener, which removes the socket.
func Listen(ctx context.Context, path string) (*Listener, error) {
	return ListenFor(ctx, path, NoGroup)
}

// NoGroup is the group of a socket that is its user's alone.
const NoGroup = -1

// ListenFor is Listen with a socket that the members of a group may connect to
// too, once it is there and the group's: mode 0660 of group gid, in a directory
// of mode 0750 of that group where ListenFor makes it. A directory that is there
// stays as it is.
func ListenFor(ctx context.Context, path string, gid int) (*Listener, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if err := ipc.CheckSocketPath(path, runtime.GOOS); err != nil {
		return nil, err
	}
	if err := makeSocketDir(filepath.Dir(path), gid); err != nil {
		return nil, err
	}
	lock, err := takeLock(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	sock, err := bind(ctx, path)
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := openTo(path, gid, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", path, err), sock.Close(), lock.Close())
	}
	return newListener(sock, lock)
}

func newListener(sock *net.UnixListener, lock *os.File) (*Listener, error) {
	l := &Listener{sock: sock, lock: lock, peer: peerCred}
	var err error
	if l.file, err = sock.File(); err == nil {
		l.raw, err = l.file.SyscallConn()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", sock.Addr(), err), l.Close())
	}
	return l, nil
}

// openTo gives a file of ours to a group, and then opens it to that.
func openTo(path string, gid int, mode fs.FileMode) error {
	if gid == NoGroup {
		return nil
	}
	if err := os.Lchown(path, -1, gid); err != nil {
		return fmt.Errorf("give it to group %d, which the user who runs rotd has to be in: %w", gid, err)
	}
	return os.Chmod(path, mode)
}

// makeSocketDir makes dir, mode 0700 or the group's too, and refuses one in
// which somebody else could put a socket of his own in the place of ours.
func makeSocketDir(dir string, gid int) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		err = openTo(dir, gid, 0o750)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the socket's directory: %w", err)
	}
	return private.Dir("the socket's directory", dir, private.Listed)
}

// takeLock returns a file that is locked until it is closed. It is never
// removed: whoever opened it before a removal would lock a file without a name.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock file: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		err = private.File("the socket's lock", path, info)
	}
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, ErrInUse
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

func bind(ctx context.Context, path string) (*net.UnixListener, error) {
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	private := func(_, _ string, c syscall.RawConn) error {
		var chmod error
		if err := c.Control(func(fd uintptr) { chmod = unix.Fchmod(int(fd), 0o600) }); err != nil {
			return err
		}
		if runtime.GOOS != "linux" {
			// Elsewhere a socket that is not bound yet may refuse it. There the
			// directory and the peer's uid, asked at every request, stand guard
			// until the Chmod below.
			return nil
		}
		return chmod
	}
	ln, err := (&net.ListenConfig{Control: private}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = ln.Close()
		return nil, err
	}
	return ln.(*net.UnixListener), nil
}

// removeStale removes the socket of a rotd that died. Only a refused
// connection says so: a daemon that is slow or out of files is a live one.
func removeStale(ctx context.Context, path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.Mode().Type() != fs.ModeSocket {
		return errors.New("there is something that is not a socket: move it away, or choose another path with --socket")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return ErrInUse
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	default:
		return fmt.Errorf("see whether the socket that is there is in use: %w", err)
	}
}

// Close stops listening, removes the socket, unless it was inherited, and lets
// go of the lock. It can be called more than once.
func (l *Listener) Close() error {
	l.close.Do(func() {
		l.err = l.sock.Close()
		if l.file != nil {
			l.err = errors.Join(l.err, l.file.Close())
		}
		if l.lock != nil {
			l.err = errors.Join(l.err, l.lock.Close())
		}
	})
	return l.err
}

// Addr is the socket's address.
func (l *Listener) Addr() net.Addr { return l.sock.Addr() }
