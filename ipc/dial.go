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
	case errors.Is(e.Cause, os.ErrDeadlineExceeded):
		return fmt.Sprintf("rotd behind %s lets nobody in any more", e.Path), "see what it logs, and try again"
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

// connectPause is for how long connect waits in the kernel before it looks whether
// it still should.
const connectPause = 100 * time.Millisecond

// connect is net.Dial without package net, whose resolver of host names and
// connections would be an eighth of the helper. It waits at most answerTime, where
// more want to connect than rotd has let in.
func connect(ctx context.Context, path string) (*conn, error) {
	fd, err := newSocket()
	if err != nil {
		return nil, err
	}
	err = setTimeout(fd, unix.SO_SNDTIMEO, connectPause)
	for end := time.Now().Add(answerTime); err == nil; {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
		switch {
		case err == nil:
			return &conn{fd: fd}, nil
		case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR):
		case ctx.Err() != nil:
			err = context.Cause(ctx)
		case time.Now().Before(end):
			err = nil
		default:
			err = os.ErrDeadlineExceeded
		}
	}
	_ = unix.Close(fd)
	return nil, err
}

// setTimeout sets how long one of a socket's calls may take; 0: without an end.
func setTimeout(fd, option int, d time.Duration) error {
	tv := unix.NsecToTimeval(int64(d))
	return unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, option, &tv)
}
