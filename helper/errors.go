package helper

import (
	"context"
	"errors"

	"rotd/ipc"
	"rotd/ipc/fmt"
)

// exitStatus ends rot with a status and without a word: the child of rot exec
// has said what there was to say.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// exitInterrupted is the shell's status for what Ctrl-C ended.
const exitInterrupted = 130

// usage is an error of the user's command line.
func usage(message, hint string) error {
	return &ipc.Error{Code: ipc.CodeBadRequest, Message: message, Hint: hint}
}

func (c *call) usage(message string) error {
	return usage(c.command.name+": "+message, "rot "+c.command.name+" --help")
}

// local is an error on rot's side of the socket.
func local(hint, format string, args ...any) error {
	return &ipc.Error{Code: ipc.CodeLocal, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// asError gives every error a code, and so an exit status. This is the only
// place that decides it.
func asError(err error) *ipc.Error {
	var (
		wire   *ipc.Error
		dial   *ipc.DialError
		hinted interface{ Hint() string }
	)
	switch {
	case errors.As(err, &wire):
		return wire
	case errors.As(err, &dial):
		return &ipc.Error{Code: ipc.CodeNoDaemon, Message: dial.Error(), Hint: dial.Hint()}
	case errors.Is(err, context.Canceled):
		return &ipc.Error{Code: ipc.CodeCancelled, Message: "interrupted"}
	}
	e := &ipc.Error{Code: ipc.CodeLocal, Message: err.Error()}
	if errors.As(err, &hinted) {
		e.Hint = hinted.Hint()
	}
	return e
}
