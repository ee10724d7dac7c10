package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rotd/ipc/secret"
	"rotd/store"
)

// doubt is how long a token that npm does not list may still turn up: the
// request that was to make it can be at work there after it was cut off. It is
// counted from the first look that found nothing.
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

// discard revokes what npm holds of a generation that is never to be served,
// and closes it.
func (e *Engine) discard(ctx context.Context, npm Account, g store.Generation) error {
	if g.Key != "" {
		if err := e.kill(ctx, npm, g); err != nil {
			return err
		}
		return e.Journal.Advance(ctx, g.ROT, g.N, g.Step, store.StepAbandoned)
	}
	found, err := e.revokeNamed(ctx, npm, g.TokenName)
	if err != nil {
		return err
	}
	// A name is used once, so one token found is all that can ever come of it.
	if !found && e.memory.missedFor(g, e.Now()) < doubt {
		return errDoubt
	}
	if err := e.Journal.Advance(ctx, g.ROT, g.N, g.Step, store.StepAbandoned); err != nil {
		return err
	}
	e.memory.forget(g)
	return nil
}

// revokeNamed revokes the token of this name, if npm lists one, and makes sure
// by a second listing. It reports whether there was one.
func (e *Engine) revokeNamed(ctx context.Context, npm Account, name string) (found bool, err error) {
	isOurs := func(t Token) bool { return t.Name == name }
	t, err := listed(ctx, npm, isOurs)
	if err != nil || t == nil {
		return false, err
	}
	if t.Key == "" {
		return true, fmt.Errorf("npm lists %s and names no key to delete it by", name)
	}
	if err := npm.Revoke(ctx, t.Key); err != nil {
		return true, err
	}
	if t, err = listed(ctx, npm, isOurs); err == nil && t != nil {
		err = unconfirmed("npm still lists " + name + " after deleting it")
	}
	return true, err
}

// listed returns the first token that npm lists and that fits; nil where none
// does.
func listed(ctx context.Context, npm Account, fits func(Token) bool) (*Token, error) {
	tokens, err := npm.List(ctx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(tokens, fits); i >= 0 {
		return &tokens[i], nil
	}
	return nil, nil
}

// retire revokes an old generation and says so.
func (e *Engine) retire(ctx context.Context, npm Account, g store.Generation, tell Progress) error {
	if err := e.revoke(ctx, npm, g); err != nil {
		return fmt.Errorf("generation %d: %w", g.N, err)
	}
	tell("revoked", fmt.Sprintf("npm refuses generation %d", g.N))
	return nil
}

func (e *Engine) revoke(ctx context.Context, npm Account, g store.Generation) error {
	if err := e.kill(ctx, npm, g); err != nil {
		return err
	}
	return e.Journal.Advance(ctx, g.ROT, g.N, store.StepRetiring, store.StepRevoked)
}

// kill revokes a token whose key and value are known, and believes it only when
// npm neither lists the token nor takes its value. A deletion that was seen
// once is not asked for again: what is left then is to wait until the value is
// refused, which takes no second factor.
func (e *Engine) kill(ctx context.Context, npm Account, g store.Generation) error {
	value, err := e.Journal.Value(ctx, g.ROT, g.N)
	if err != nil {
		return err
	}
	if !e.memory.isDeleted(g) && !e.isExpired(ctx, npm, g, value) {
		if err := npm.Revoke(ctx, g.Key); err != nil {
			return err
		}
		t, err := listed(ctx, npm, func(t Token) bool { return t.Key == g.Key || t.Name == g.TokenName })
		if err != nil {
			return err
		}
		if t != nil {
			return unconfirmed("npm still lists " + g.TokenName + " after deleting it")
		}
		e.memory.deleted(g)
	}
	accepted, err := npm.Accepts(ctx, value)
	if err != nil {
		return err
	}
	if accepted {
		return errAccepted
	}
	e.memory.forget(g)
	return nil
}

// isExpired reports whether a token is past its life, by this machine's clock
// and by npm's word: there is nothing to delete then, and no second factor to
// pass for it.
func (e *Engine) isExpired(ctx context.Context, npm Account, g store.Generation, value secret.Text) bool {
	if g.Expires.IsZero() || e.Now().Before(g.Expires) {
		return false
	}
	accepted, err := npm.Accepts(ctx, value)
	return err == nil && !accepted
}
