package npm

import (
	"errors"
	"time"
)

// The kinds of failure that a caller decides by. Every error of this package
// that is not the end of its context is, or wraps, an *Error of one of them.
var (
	ErrWrongPassword  = errors.New("wrong user name or password")
	ErrWrongCode      = errors.New("wrong one-time code or security key")
	ErrSessionExpired = errors.New("the session has expired")
	ErrUnreachable    = errors.New("no answer from the registry")
	ErrRateLimited    = errors.New("the registry asks to wait")
	ErrServer         = errors.New("the registry failed")
	ErrRefused        = errors.New("the registry refused")
	ErrGarbled        = errors.New("the registry's answer makes no sense")
	ErrNeedsPerson    = errors.New("a person is needed")
	ErrNeedsSignIn    = errors.New("a person has to sign in")
	ErrBotCheck       = errors.New("npm wants to see that a person is there")
	ErrPage           = errors.New("a page that rotd does not know")
)

// Error is what went wrong at npm, in words for a person. It never holds a
// secret, and of the registry's answer no more than npm's own short message.
type Error struct {
	Kind    error  // one of the kinds above
	Message string // what was being done and what went wrong
	Hint    string // what to do now; may be empty
	// RetryAfter is how long npm asked to wait; 0 where it named no time.
	RetryAfter time.Duration
}

func (e *Error) Error() string { return e.Message }

// Unwrap makes errors.Is find the kind.
func (e *Error) Unwrap() error { return e.Kind }
