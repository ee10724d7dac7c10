package daemon

import (
	"fmt"
	"sync"
	"time"

	"rotd/daemon/npm"
)

// signInPause is the least between two sign-ins of one account with nobody
// there: a loop of them is what locks accounts.
const signInPause = time.Minute

// errSignInTooSoon says that what needs a sign-in is to be done later.
var errSignInTooSoon = fmt.Errorf("%w: the last sign-in is less than a minute ago", npm.ErrRateLimited)

// signIns remember when each account was signed in last, whether that went well
// or not. They need not outlive the daemon: npm's session does, and so do the
// pauses after failures. The zero value is ready.
type signIns struct {
	mu   sync.Mutex
	last map[[2]string]time.Time
}

// begin notes a sign-in, or says that it comes too soon. A person is never put
// off.
func (s *signIns) begin(registry, username string, now time.Time, person bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	account := [2]string{registry, username}
	if since := now.Sub(s.last[account]); !person && 0 <= since && since < signInPause {
		return &npm.Error{
			Kind: errSignInTooSoon, RetryAfter: signInPause - since,
			Message: "sign in: the last sign-in of " + username + " is less than a minute ago",
			Hint:    "rotd goes on by itself",
		}
	}
	if s.last == nil {
		s.last = make(map[[2]string]time.Time)
	}
	s.last[account] = now
	return nil
}
