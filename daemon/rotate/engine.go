package rotate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"rotd/ipc/secret"
	"rotd/store"
)

// Journal is what a rotation needs of the database; *store.Store is one. Every
// change is durable when the call returns.
type Journal interface {
	Generations(ctx context.Context, rot string, steps ...store.Step) ([]store.Generation, error)
	Plan(ctx context.Context, rot string, tokenName func(n int) string) (store.Generation, error)
	Created(ctx context.Context, rot string, n int, key string, value secret.Text, created, expires time.Time) error
	Advance(ctx context.Context, rot string, n int, from, to store.Step) error
	MakeCurrent(ctx context.Context, rot string, n int, next time.Time, shape store.Shape) error
	Value(ctx context.Context, rot string, n int) (secret.Text, error)
	Replaced(ctx context.Context, rot string, n int) error
	Deliveries(ctx context.Context, rot string) ([]store.Delivery, error)
	Delivered(ctx context.Context, id string, n int, output string) error
	NotDelivered(ctx context.Context, id, why, output string, next time.Time) error
}

// Engine runs rotations. All exported fields are required. One Engine serves
// every passcard; what it remembers between calls only spares npm questions, or
// makes it ask once more after a restart.
type Engine struct {
	Journal Journal
	Courier Courier
	Now     func() time.Time
	Sleep   func(ctx context.Context, d time.Duration) error
	// Jitter is a number in [0,1), drawn anew at each call.
	Jitter func() float64
	// Readers counts who was handed a value and is not done with it. An old value
	// is kept for them, for ReaderTime from when it was replaced at most.
	Readers    func(rot string, n int) int
	ReaderTime func() time.Duration
	Log        *slog.Logger

	memory memory
}

// Progress is told the steps of a rotation as they happen: a word for scripts
// and a sentence for a person. It must not block.
type Progress func(step, text string)

// Outcome is a rotation that went well.
type Outcome struct {
	Generation int
	Expires    time.Time // zero: npm named no expiry
	Next       time.Time // when to rotate next; zero: never by itself
	// Waiting is what deliveries and grace leave to do later.
	Waiting Waiting
	// Lingering says why an older value that was to be revoked is not yet known
	// to be refused; nil when all of them are.
	Lingering error
}

// verifyPauses are waited between the tries to verify a new token: npm's
// registry is a distributed one, and may need a moment to know it.
var verifyPauses = []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}

// cleanupTime bounds the calls that tidy up after a failure, which must run
// even when the caller's own time is over.
const cleanupTime = 30 * time.Second

// Rotate makes a new generation of rot current and retires the old one. The
// token gets rot.Shape, which becomes the ROT's when it is served. On an error
// the old generation is served as before. An Outcome with Lingering or Waiting
// set is a success: Settle goes on with what is left. So it does with a rotation
// whose ctx ended or whose journal could not be written.
func (e *Engine) Rotate(ctx context.Context, npm Account, rot store.ROT, tell Progress) (Outcome, error) {
	// What an earlier, broken rotation left is thrown away first; what cannot
	// be reached now stays in the journal and is no reason to keep the old
	// token, which may have leaked.
	if err := e.sweep(ctx, npm, rot); err != nil {
		e.Log.Info("leftovers of an earlier rotation remain for now", "rot", rot.ID, "err", err)
	}
	g, err := e.Journal.Plan(ctx, rot.ID, func(n int) string { return tokenName(rot.ID, n) })
	if err != nil {
		return Outcome{}, err
	}
	tell("planned", fmt.Sprintf("asking npm for %s", g.TokenName))
	return e.goOn(ctx, npm, rot, g, tell)
}

// goOn walks a planned, created or verified generation to current, and then
// retires the older ones.
func (e *Engine) goOn(ctx context.Context, npm Account, rot store.ROT, g store.Generation, tell Progress) (Outcome, error) {
	var err error
	if g.Step == store.StepPlanned {
		if g, err = e.create(ctx, npm, rot, g); err != nil {
			return Outcome{}, err
		}
		tell("created", "npm made the token")
	}
	if g.Step == store.StepCreated {
		if g, err = e.verify(ctx, npm, rot, g); err != nil {
			return Outcome{}, err
		}
		tell("verified", "it may do what was asked, and no more")
	}
	next := Next(e.Now(), g, rot, e.Jitter())
	if err := e.Journal.MakeCurrent(ctx, rot.ID, g.N, next, rot.Shape); err != nil {
		return Outcome{}, err
	}
	tell("current", fmt.Sprintf("generation %d is served", g.N))
	if next.IsZero() && !rot.Schedule.Paused {
		tell("noticed", "no end of it is known, so it is not replaced by itself: rot schedule --every changes that")
	}
	out := Outcome{Generation: g.N, Expires: g.Expires, Next: next}
	out.Waiting, out.Lingering = e.handOver(ctx, npm, rot, true, tell)
	return out, nil
}

// create brings a planned generation to created.
func (e *Engine) create(ctx context.Context, npm Account, rot store.ROT, g store.Generation) (store.Generation, error) {
	t, err := npm.Create(ctx, g.TokenName, rot.Shape)
	if err != nil {
		return g, e.afterFailedCreate(ctx, npm, g, err)
	}
	// The value exists nowhere else: a stop must not come between.
	if err := e.Journal.Created(context.WithoutCancel(ctx), g.ROT, g.N, t.Key, t.Value, t.Created, t.Expires); err != nil {
		// The value could not be kept, so the token is of no use to anybody.
		cctx, cancel := cleanup(ctx)
		defer cancel()
		if rerr := npm.Revoke(cctx, t.Key); rerr != nil {
			e.Log.Warn("a token that could not be stored is not revoked yet", "token", g.TokenName, "err", rerr)
		}
		return g, fmt.Errorf("keep the new token: %w", err)
	}
	g.Step, g.Key, g.Created, g.Expires = store.StepCreated, t.Key, t.Created, t.Expires
	return g, nil
}

// afterFailedCreate closes the books on a creation that failed and returns why
// it did.
func (e *Engine) afterFailedCreate(ctx context.Context, npm Account, g store.Generation, why error) error {
	if errors.Is(why, ErrNotCreated) {
		if err := e.Journal.Advance(context.WithoutCancel(ctx), g.ROT, g.N, store.StepPlanned, store.StepAbandoned); err != nil {
			e.Log.Warn("cannot note a refused token", "token", g.TokenName, "err", err)
		}
		return why
	}
	if ctx.Err() == nil {
		// npm may have made it all the same: look.
		if err := e.discard(ctx, npm, g); err != nil {
			e.Log.Info("cannot tell yet whether npm made a token", "token", g.TokenName, "err", err)
		}
	}
	return why
}

// verify brings a created generation to verified, or throws it away.
func (e *Engine) verify(ctx context.Context, npm Account, rot store.ROT, g store.Generation) (store.Generation, error) {
	value, err := e.Journal.Value(ctx, g.ROT, g.N)
	if err != nil {
		return g, err
	}
	t := Token{Key: g.Key, Name: g.TokenName, Value: value, Created: g.Created, Expires: g.Expires}
	if err := e.verifyPatiently(ctx, npm, t, rot.Shape); err != nil {
		if ctx.Err() != nil {
			return g, err // stopping, not failing: Settle goes on from here
		}
		if derr := e.abandon(ctx, npm, g); derr != nil {
			e.Log.Warn("a token that failed its check is not revoked yet", "token", g.TokenName, "err", derr)
		}
		return g, err
	}
	if err := e.Journal.Advance(ctx, g.ROT, g.N, store.StepCreated, store.StepVerified); err != nil {
		return g, err
	}
	g.Step = store.StepVerified
	return g, nil
}

func (e *Engine) verifyPatiently(ctx context.Context, npm Account, t Token, want store.Shape) error {
	for try := 0; ; try++ {
		err := npm.Verify(ctx, t, want)
		if !errors.Is(err, ErrNotYet) || try == len(verifyPauses) {
			return err
		}
		if serr := e.Sleep(ctx, verifyPauses[try]); serr != nil {
			return err
		}
	}
}

// tokenName is what the token is called on npm: 40 characters at most, unique,
// and recognisable as ours (design: rotd-<8 of the ROT's id>-<n>-<random>).
func tokenName(rot string, n int) string {
	id := strings.TrimPrefix(rot, "rot_")
	return fmt.Sprintf("rotd-%.8s-%d-%s", id, n, strings.ToLower(rand.Text()[:8]))
}

// cleanup is a context for tidying up, alive even when ctx is not.
func cleanup(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
}
