package ipc

import (
	"errors"
	"io"
	"io/fs"
	"sync"
	"syscall"
)

// conn is a connection to rotd whose reads block the thread. With the runtime's
// poller, which serves many connections by few threads, the one of rot get takes
// a fifth more of the whole process's time. Close ends a read that waits.
type conn struct {
	fd int

	mu     sync.Mutex
	using  int // reads and writes that go on: the descriptor is theirs
	closed bool
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.use(func() (int, error) { return syscall.Read(c.fd, b) })
	if n == 0 && err == nil && len(b) > 0 {
		err = io.EOF
	}
	return n, err
}

func (c *conn) Write(b []byte) (written int, err error) {
	for err == nil && written < len(b) {
		var n int
		n, err = c.use(func() (int, error) { return syscall.Write(c.fd, b[written:]) })
		written += n
	}
	return written, err
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
