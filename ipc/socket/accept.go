package socket

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Caller is a connection of which nothing is known yet but its peer. It costs a
// file and little more: a Conn is made of it, or it is closed.
type Caller struct {
	Peer Peer
	fd   int
	name string // of the address it called from, which few have
}

// Next waits for the next connection whose peer can be told.
func (l *Listener) Next() (Caller, error) {
	c, _, err := l.next(true)
	return c, err
}

// Ready is Next without the wait. Not ok: nobody has come.
func (l *Listener) Ready() (c Caller, ok bool, err error) { return l.next(false) }

func (l *Listener) next(wait bool) (c Caller, ok bool, err error) {
	for {
		fd, name, err := l.accept(wait)
		if !wait && errors.Is(err, unix.EAGAIN) {
			return Caller{}, false, nil
		}
		if err != nil {
			return Caller{}, false, err
		}
		peer, err := l.peer(fd)
		if err == nil {
			return Caller{peer, fd, name}, true, nil
		}
		_ = unix.Close(fd)
		l.refuse(fmt.Errorf("cannot tell whose connection it is: %w", err))
	}
}

// accept takes a connection. Its errors are those of a net.Listener, as net/http
// waits and goes on where one is temporary.
func (l *Listener) accept(wait bool) (fd int, name string, err error) {
	closed := l.raw.Read(func(sock uintptr) (done bool) {
		for {
			var from unix.Sockaddr
			if fd, from, err = accept(int(sock)); err == nil {
				if sa, ok := from.(*unix.SockaddrUnix); ok {
					name = sa.Name
				}
				return true
			}
			if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ECONNABORTED) {
				return !wait || !errors.Is(err, unix.EAGAIN)
			}
		}
	})
	switch {
	case closed != nil:
		return -1, "", fmt.Errorf("accept: %w", net.ErrClosed)
	case err != nil:
		return -1, "", &net.OpError{Op: "accept", Net: "unix", Addr: l.Addr(), Err: os.NewSyscallError("accept", err)}
	}
	return fd, name, nil
}

func (l *Listener) refuse(err error) {
	if l.Refused != nil {
		l.Refused(err)
	}
}

// Accept returns the next connection whose peer can be told.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Next()
		if err != nil {
			return nil, err
		}
		conn, err := c.Conn()
		if err == nil {
			return conn, nil
		}
		l.refuse(err)
	}
}

// Conn is the connection itself. The Caller is not to be used any more, also
// after an error.
func (c Caller) Conn() (net.Conn, error) {
	if err := unix.SetNonblock(c.fd, true); err != nil {
		c.Close()
		return nil, fmt.Errorf("take a connection: %w", err)
	}
	return &peerConn{
		file: os.NewFile(uintptr(c.fd), "connection"), peer: c.Peer, remote: &net.UnixAddr{Name: c.name, Net: "unix"},
	}, nil
}

// Gone reports whether the peer has closed the connection and hears no answer.
func (c Caller) Gone() bool {
	fds := []unix.PollFd{{Fd: int32(c.fd)}} // that it hung up is told unasked
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents&unix.POLLHUP != 0
}

// Close closes the connection.
func (c Caller) Close() { _ = unix.Close(c.fd) }
