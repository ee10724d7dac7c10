package daemon

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"rotd/ipc/socket"
)

// Hint says what to do about an error that Run returned; empty where nothing
// helps.
func Hint(err error) string {
	switch {
	case errors.Is(err, ErrStateInUse):
		return "stop that one, or give this one a state of its own: --state-dir D --socket S"
	case errors.Is(err, socket.ErrInUse):
		return "stop that one, or give this one a socket of its own: --socket S"
	}
	var h hinted
	if errors.As(err, &h) {
		return h.Hint()
	}
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return "the disk is full: free some space and start rotd again"
	case errors.Is(err, unix.EROFS), errors.Is(err, fs.ErrPermission):
		return "rotd has to write there: check the owner, the mode, and whether the file system is mounted read-only"
	}
	return ""
}
