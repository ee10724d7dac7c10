package rotate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rotd/store"
)

// doubt is how long after its planning a token may still turn up on npm: a
// request that was cut off can be at work there. Within it, a name that npm
// does not list stays planned and is looked for again.
const doubt = 2 * time.Minute

// ErrUnconfirmed is what an error is about that will pass by itself: npm has
// said yes, and is not seen to have done it yet.
var ErrUnconfirmed = errors.New("npm has not confirmed it yet")

type unconfirmed string

func (e unconfirmed) Error() string      { return string(e) }
func (unconfirmed) Is(target error) bool { return target == ErrUnconfirmed }

const (
	// errDoubt says that a creation's fate is open.
	errDoubt = unconfirmed("npm may still be making the token")
	// errAccepted says that npm has deleted a token and takes its value still.
	errAccepted = unconfirmed("npm has deleted the old token and still accepts its value (this may last an hour)")
)

// Settle brings the unfinished generations of rot to their end: an interrupted
// rotation goes on where it stopped, what will never be served is revoked, and
// old values are asked for until npm refuses them. It is safe to call at any
// time and does nothing when all is settled. What waits for its time, a delivery
// to be tried again or the end of a grace period, is told apart from the error,
// which joins what failed; an interrupted rotation that had to be undone is none.
func (e *Engine) Settle(ctx context.Context, npm Account, rot store.ROT, tell Progress) (Waiting, error) {
	open, err := e.Journal.Generations(ctx, rot.ID, store.StepCreated, store.StepVerified)
	if err != nil {
		return Waiting{}, err
	}
	// Only the newest is worth serving; sweep takes the others.
	if n := len(open); n > 0 && open[n-1].N > rot.Current {
		newest := open[n-1]
		e.Log.Info("going on with an interrupted rotation", "rot", rot.ID, "generation", newest.N, "step", newest.Step)
		if _, err := e.goOn(ctx, npm, rot, newest, tell); err != nil {
			e.Log.Warn("an interrupted rotation is undone", "rot", rot.ID, "generation", newest.N, "err", err)
		}
	}
	serr := e.sweep(ctx, npm, rot)
	wait, err := e.handOver(ctx, npm, rot, false, tell)
	return wait, errors.Join(serr, err)
}

// sweep throws away every generation of rot that is not to be served.
func (e *Engine) sweep(ctx context.Context, npm Account, rot store.ROT) error {
	left, err := e.Journal.Generations(ctx, rot.ID, store.StepPlanned, store.StepCreated, store.StepVerified, store.StepDiscarding)
	if err != nil {
		return err
	}
	var errs []error
	for _, g := range left {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if g.Step == store.StepPlanned || g.Step == store.StepDiscarding {
			err = e.discard(ctx, npm, g)
		} else {
			err = e.abandon(ctx, npm, g)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", g.TokenName, err))
		}
	}
	return errors.Join(errs...)
}

// abandon gives up a generation whose value we hold.
func (e *Engine) abandon(ctx context.Context, npm Account, g store.Generation) error {
	if err := e.Journal.Advance(ctx, g.ROT, g.N, g.Step, store.StepDiscarding); err != nil {
		return err
	}
	g.Step = store.StepDiscarding
	return e.discard(ctx, npm, g)
}

// discard revokes whatever npm holds under the generation's name and closes it
// once npm lists nothing of that name any more.
func (e *Engine) discard(ctx context.Context, npm Account, g store.Generation) error {
	found, err := e.revokeNamed(ctx, npm, g)
	if err != nil {
		return err
	}
	// A name is used once, so one token found is all that can ever come of it.
	if g.Step == store.StepPlanned && !found && e.Now().Sub(g.Planned) < doubt {
		return errDoubt
	}
	return e.Journal.Advance(ctx, g.ROT, g.N, g.Step, store.StepAbandoned)
}

// revokeNamed revokes the tokens that bear the generation's name, and makes
// sure by a second listing. It reports whether there was one.
func (e *Engine) revokeNamed(ctx context.Context, npm Account, g store.Generation) (found bool, err error) {
	for pass := 0; pass < 2; pass++ {
		tokens, err := npm.List(ctx)
		if err != nil {
			return found, err
		}
		clean := true
		for _, t := range tokens {
			if t.Name != g.TokenName && (g.Key == "" || t.Key != g.Key) {
				continue
			}
			found, clean = true, false
			if pass > 0 {
				return found, unconfirmed("npm still lists " + g.TokenName + " after deleting it")
			}
			if err := npm.Revoke(ctx, t.Key); err != nil {
				return found, err
			}
		}
		if clean {
			break
		}
	}
	return found, nil
}

// retire revokes an old generation and believes it only when npm neither lists
// the token nor takes its value.
func (e *Engine) retire(ctx context.Context, npm Account, g store.Generation, tell Progress) error {
	if err := e.revoke(ctx, npm, g); err != nil {
		return fmt.Errorf("generation %d: %w", g.N, err)
	}
	tell("revoked", fmt.Sprintf("npm refuses generation %d", g.N))
	return nil
}

func (e *Engine) revoke(ctx context.Context, npm Account, g store.Generation) error {
	value, err := e.Journal.Value(ctx, g.ROT, g.N)
	if err != nil {
		return err
	}
	// A token past its expiry is dead by npm's own rule: no listing is needed,
	// and so no second factor.
	if expired := !g.Expires.IsZero() && e.Now().After(g.Expires); !expired {
		if _, err := e.revokeNamed(ctx, npm, g); err != nil {
			return err
		}
	}
	accepted, err := npm.Accepts(ctx, value)
	if err != nil {
		return err
	}
	if accepted {
		return errAccepted
	}
	return e.Journal.Advance(ctx, g.ROT, g.N, store.StepRetiring, store.StepRevoked)
}
