package ipc

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rotd/ipc/fmt"
)

// DialError says why there is no connection to rotd: one sentence for each
// cause, and what to do about that one.
type DialError struct {
	Path  string
	Cause error
}

func (e *DialError) Unwrap() error { return e.Cause }

func (e *DialError) Error() string { s, _ := e.text(); return s }

// Hint says what to do.
func (e *DialError) Hint() string { _, hint := e.text(); return hint }

func (e *DialError) text() (sentence, hint string) {
	var long *PathTooLongError
	switch {
	case errors.As(e.Cause, &long):
		return long.Error(), long.Hint()
	case errors.Is(e.Cause, fs.ErrNotExist):
		return fmt.Sprintf("rotd is not running (no socket at %s)", e.Path),
			"start it: rotd run (rotd start where it is installed as a service), or name its socket with --socket or ROTD_SOCKET"
	case errors.Is(e.Cause, errNotSocket):
		return e.Path + " is not a socket", "name rotd's socket with --socket or ROTD_SOCKET"
	case errors.Is(e.Cause, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing listens behind %s: the rotd that made it has ended", e.Path),
			"start it: rotd run (rotd start where it is installed as a service)"
	case errors.Is(e.Cause, fs.ErrPermission):
		return fmt.Sprintf("rotd may be running, but you may not use its socket %s", e.Path),
			"ask whoever runs it to open it to a group of yours (rotd run --socket-group), or start one of your own: rotd run"
	case errors.Is(e.Cause, syscall.EINVAL), errors.Is(e.Cause, syscall.ENAMETOOLONG):
		return "the socket's path is too long: " + e.Path, "choose a shorter one with --socket or ROTD_SOCKET"
	default:
		return fmt.Sprintf("cannot connect to %s: %v", e.Path, e.Cause), "see whether rotd runs, and what it logs"
	}
}

var errNotSocket = errors.New("not a socket")

// dial connects to the socket at path, or returns a *DialError.
func dial(ctx context.Context, path string) (io.ReadWriteCloser, error) {
	if err := CheckSocketPath(path, runtime.GOOS); err != nil {
		return nil, &DialError{Path: path, Cause: err}
	}
	c, err := connect(ctx, path)
	if err == nil {
		return c, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	// A regular file refuses a connection as a dead socket does.
	if fi, serr := os.Stat(path); serr == nil && fi.Mode().Type() != fs.ModeSocket {
		err = errNotSocket
	}
	return nil, &DialError{Path: path, Cause: err}
}

// connect is net.Dial without package net, whose resolver of host names and
// connections would be an eighth of the helper.
func connect(ctx context.Context, path string) (*conn, error) {
	syscall.ForkLock.RLock() // a process that is started meanwhile does not get it
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, err
	}
	err = unix.SetNonblock(fd, true) // a full queue of connections is waited for below
	for err == nil {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
		if err == nil {
			if err = unix.SetNonblock(fd, false); err == nil {
				return &conn{fd: fd}, nil
			}
			break
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			break
		}
		select {
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
			err = nil
		}
	}
	_ = unix.Close(fd)
	return nil, err
}
