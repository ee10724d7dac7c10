package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// More errors that callers decide by.
var (
	// ErrNoValue: the generation has no value, or the ROT serves none yet.
	ErrNoValue = errors.New("there is no value")
	// ErrStep: the generation is not at the step that the call starts from.
	ErrStep = errors.New("the generation is at another step")
	// ErrSealed: a sealed value does not open, though the master key is right.
	ErrSealed = errors.New("a sealed value does not open")
	// ErrStorage: the disk or the database failed: full, read-only, corrupt.
	ErrStorage = errors.New("the database cannot be read or written")
)

// hinted is an error that says what to do now.
type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }
func (e hinted) Hint() string  { return e.hint }

func withHint(err error, format string, args ...any) error {
	return hinted{err, fmt.Sprintf(format, args...)}
}

// HintOf returns what err advises to do now, or "". It finds the hint of any
// error in the chain that has a method Hint() string.
func HintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// failed wraps err with what was being done. A failure of SQLite or the disk
// becomes ErrStorage; what SQLite calls an interrupt is a cancelled context.
func failed(doing string, err error) error {
	f := faultOf(err)
	switch f {
	case faultNone:
		return fmt.Errorf("%s: %w", doing, err)
	case faultInterrupted:
		return fmt.Errorf("%s: %w", doing, context.Canceled)
	}
	return withHint(fmt.Errorf("%s: %w: %w", doing, ErrStorage, err), "%s", f.hint())
}

// fault is what kind of failure of SQLite or the disk an error is.
type fault int

const (
	faultNone        fault = iota // neither's
	faultInterrupted              // by the context
	faultFull
	faultReadOnly
	faultCorrupt
	faultOther
)

func (f fault) hint() string {
	switch f {
	case faultFull:
		return "the disk is full: free some space and try again"
	case faultReadOnly:
		return "rotd needs to write to its state directory: check its owner and whether the file system is mounted read-only"
	case faultCorrupt:
		return "the database is damaged: stop rotd and restore rotd.db from a backup"
	}
	return "check the disk that holds the state directory, and that no other program has rotd.db open"
}

// faultOf looks at the errors of files first and then at SQLite's.
func faultOf(err error) fault {
	var ofFile *fs.PathError
	if !errors.As(err, &ofFile) {
		return sqliteFault(err)
	}
	return systemFault(err)
}

// systemFault is for what the system says of a file.
func systemFault(err error) fault {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return faultFull
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return faultReadOnly
	}
	return faultOther
}
