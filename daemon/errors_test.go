package daemon

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"rotd/daemon/npm"
	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/store"
)

func TestToWire(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want ipc.Error
	}{
		{"npm's own words, hint and time", fmt.Errorf("rotate: %w", &npm.Error{Kind: npm.ErrRateLimited, Message: "npm asks to wait", Hint: "wait", RetryAfter: 1500 * time.Millisecond}),
			ipc.Error{Code: ipc.CodeRateLimited, Message: "rotate: npm asks to wait", Hint: "wait", RetryAfter: 2}},
		{"an error that was made for the wire", fmt.Errorf("x: %w", errLocked), *errLocked},
		{"a token that differs", &rotate.MismatchError{Differences: []string{"expiry"}},
			ipc.Error{Code: ipc.CodeTokenMismatch}},
		{"no hint of its own", fmt.Errorf("resolve: %w", store.ErrNotFound), ipc.Error{Code: ipc.CodeNotFound, Hint: defaultHints[ipc.CodeNotFound]}},
		{"unknown", errors.New("boom"), ipc.Error{Code: ipc.CodeInternal, Message: "boom", Hint: defaultHints[ipc.CodeInternal]}},
	} {
		got := toWire(c.err)
		if got.Code != c.want.Code || got.RetryAfter != c.want.RetryAfter ||
			c.want.Message != "" && got.Message != c.want.Message || c.want.Hint != "" && got.Hint != c.want.Hint {
			t.Errorf("%s: %+v, want %+v", c.name, *got, c.want)
		}
		if got.Hint == "" {
			t.Errorf("%s: no hint", c.name)
		}
	}
}

// TestEveryKindOfFailureHasACode keeps an error that nobody thought of from
// being called a fault of rotd's.
func TestEveryKindOfFailureHasACode(t *testing.T) {
	for _, kind := range []error{
		npm.ErrWrongPassword, npm.ErrWrongCode, npm.ErrSessionExpired, npm.ErrUnreachable, npm.ErrRateLimited,
		npm.ErrServer, npm.ErrRefused, npm.ErrGarbled, npm.ErrNeedsPerson, npm.ErrNeedsSignIn, npm.ErrBotCheck, npm.ErrPage,
	} {
		if w := toWire(&npm.Error{Kind: kind, Message: "x"}); w.Code == ipc.CodeInternal {
			t.Errorf("%v has no code", kind)
		}
	}
}
