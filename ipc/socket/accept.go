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
}

// Next returns the next connection whose peer can be told.
func (l *Listener) Next() (Caller, error) {
	for {
		fd, err := l.accept()
		if err != nil {
			return Caller{}, err
		}
		peer, err := l.peer(fd)
		if err == nil {
			return Caller{peer, fd}, nil
		}
		_ = unix.Close(fd)
		l.refuse(fmt.Errorf("cannot tell whose connection it is: %w", err))
	}
}

// accept waits for a connection. Its errors are those of a net.Listener, as
// net/http waits and goes on where one is temporary.
func (l *Listener) accept() (fd int, err error) {
	closed := l.raw.Read(func(sock uintptr) (done bool) {
		for {
			fd, err = accept(int(sock))
			if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ECONNABORTED) {
				return !errors.Is(err, unix.EAGAIN)
			}
		}
	})
	switch {
	case closed != nil:
		return -1, fmt.Errorf("accept: %w", net.ErrClosed)
	case err != nil:
		return -1, &net.OpError{Op: "accept", Net: "unix", Addr: l.Addr(), Err: os.NewSyscallError("accept", err)}
	}
	return fd, nil
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
	f := os.NewFile(uintptr(c.fd), "")
	defer f.Close() // what is made of it is a copy
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("take a connection: %w", err)
	}
	return &peerConn{UnixConn: conn.(*net.UnixConn), peer: c.Peer}, nil
}

// Gone reports whether the peer has closed the connection and hears no answer.
func (c Caller) Gone() bool {
	fds := []unix.PollFd{{Fd: int32(c.fd)}} // that it hung up is told unasked
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents&unix.POLLHUP != 0
}

// Close closes the connection.
func (c Caller) Close() { _ = unix.Close(c.fd) }
