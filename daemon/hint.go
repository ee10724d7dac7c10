package daemon

import (
	"errors"

	"rotd/ipc"
)

// Hint says what to do about an error that Run returned; empty where nothing
// helps.
func Hint(err error) string {
	switch {
	case errors.Is(err, ErrStateInUse):
		return "stop that one, or give this one a state of its own: --state-dir D --socket S"
	case errors.Is(err, ipc.ErrInUse):
		return "stop that one, or give this one a socket of its own: --socket S"
	}
	var h hinted
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
