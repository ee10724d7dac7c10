package ipc

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"
)

// conn is a connection to rotd whose reads block the thread. With the runtime's
// poller, which serves many connections by few threads, the one of rot get takes
// a fifth more of the whole process's time. Close ends a read that waits.
type conn struct {
	fd       int
	answered bool // the first bytes are waited for no more, or not busily

	mu       sync.Mutex
	deadline time.Time // zero: there is none
	using    int       // reads and writes that go on: the descriptor is theirs
	closed   bool
}

// Asked is a connection, by its descriptor, on which request has been sent and read was
// all that came so far: to write the request does nothing, to write another one fails,
// and what was read comes first.
func Asked(fd int, request, read []byte) io.ReadWriteCloser {
	return &asked{conn: &conn{fd: fd, answered: true}, request: request, left: read}
}

type asked struct {
	*conn
	request, left []byte
}

var errAsked = errors.New("something else was asked")

func (a *asked) Write(b []byte) (int, error) {
	if !bytes.Equal(b, a.request) {
		_ = a.Close() // nobody may take what comes for the answer
		a.left = nil
		return 0, errAsked
	}
	return len(b), nil
}

func (a *asked) Read(b []byte) (int, error) {
	if len(a.left) == 0 {
		return a.conn.Read(b)
	}
	n := copy(b, a.left)
	a.left = a.left[n:]
	return n, nil
}

// soon is when most of rotd's answers have come: they are read from memory.
const soon = 5 * time.Millisecond

// Read waits for the first bytes busily, and soon as everybody does. It is for one
// goroutine at a time.
func (c *conn) Read(b []byte) (int, error) {
	read := syscall.Read
	first := !c.answered
	if first {
		read = readBusily
	}
	for {
		left, err := c.left()
		if err != nil {
			return 0, err
		}
		if first && (left == 0 || left > soon) {
			left = soon
		}
		n, err := c.use(func() (int, error) {
			if err := setTimeout(c.fd, syscall.SO_RCVTIMEO, left); err != nil {
				return 0, err
			}
			return read(c.fd, b)
		})
		if errors.Is(err, syscall.EAGAIN) {
			first, read = false, syscall.Read
			continue
		}
		c.answered = true
		if n == 0 && err == nil && len(b) > 0 {
			err = io.EOF
		}
		return n, err
	}
}

func (c *conn) Write(b []byte) (written int, err error) {
	for err == nil && written < len(b) {
		var n int
		n, err = c.use(func() (int, error) { return syscall.Write(c.fd, b[written:]) })
		written += n
		if errors.Is(err, syscall.EAGAIN) { // connectPause is over
			_, err = c.left()
		}
	}
	return written, err
}

// SetDeadline bounds the reads and writes that begin from now on.
func (c *conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return nil
}

// left is the time to the deadline, 0 where there is none, or the error that it is
// over.
func (c *conn) left() (time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.deadline.IsZero() {
		return 0, nil
	}
	if left := time.Until(c.deadline); left > time.Microsecond { // a timeval's grain
		return left, nil
	}
	return 0, os.ErrDeadlineExceeded
}

// use calls f until no signal interrupts it.
func (c *conn) use(f func() (int, error)) (n int, err error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return 0, fs.ErrClosed
	}
	c.using++
	c.mu.Unlock()
	for {
		if n, err = f(); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.using--
	if c.closed && c.using == 0 {
		_ = syscall.Close(c.fd)
	}
	return max(n, 0), err
}

// Fd is the descriptor; see Lease.
func (c *conn) Fd() uintptr { return uintptr(c.fd) }

// Close may be called twice, and from any goroutine.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return fs.ErrClosed
	}
	c.closed = true
	if c.using > 0 {
		return syscall.Shutdown(c.fd, syscall.SHUT_RDWR) // ends what waits, which closes it
	}
	return syscall.Close(c.fd)
}
