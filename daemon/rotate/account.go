package rotate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"rotd/ipc/secret"
	"rotd/store"
)

// Account is what a rotation needs of an npm account. Package npm implements
// it; the tests have one of their own that fails where they want.
//
// A method that is not sure whether it has had an effect returns an error, and
// the engine finds out by List.
type Account interface {
	// Create makes a granular token of the given name. An error that wraps
	// ErrNotCreated says that npm refused, so that nothing can be left over.
	Create(ctx context.Context, name string, want store.Shape) (Token, error)
	// List returns every granular token of the account, without values.
	List(ctx context.Context) ([]Token, error)
	// Verify asks the registry whether it accepts the value of got, and
	// whether the token grants what was asked for. A token that grants
	// something else is a *MismatchError; an error that wraps ErrNotYet is worth
	// asking again.
	Verify(ctx context.Context, got Token, want store.Shape) error
	// Accepts asks the registry whether it takes value: true when it names the
	// value's user, false when it refuses the value in plain words (a 401), and
	// an error for anything else.
	Accepts(ctx context.Context, value secret.Text) (bool, error)
	// Revoke deletes the token with this key. A token that is not there any
	// more is no error.
	Revoke(ctx context.Context, key string) error
}

// Token is a granular token as npm tells it.
type Token struct {
	Key     string // npm's id
	Name    string
	Value   secret.Text // set by Create only
	Created time.Time
	Expires time.Time // zero: none
}

// ErrNotCreated is wrapped by Create's error when npm gave a refusal: no token
// can have come of the call.
var ErrNotCreated = errors.New("npm refused to create the token")

// ErrNotYet is wrapped by Verify's error when asking again in a moment may help:
// the registry has not heard of the token yet, or gave no answer.
var ErrNotYet = errors.New("the registry may know the token in a moment")

// MismatchError says in which fields a new token differs from what was asked.
type MismatchError struct {
	Differences []string // "permission: asked read-only, got read-write"
	Untold      bool     // one is a limit that the registry does not tell of
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("npm made a token that differs from what was asked: %s", strings.Join(e.Differences, "; "))
}
