package rotate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"rotd/ipc/secret"
	"rotd/store"
)

// Courier runs deliveries. Package daemon/deliver has one.
type Courier interface {
	// Deliver hands the value of g to the delivery's command, and takes it for
	// delivered when that ends well. What the command printed comes back without
	// secrets, in the error's text too.
	//
	// A delivery is made at least once: one that was cut off by a crash, or whose
	// success could not be written down, is made again.
	Deliver(ctx context.Context, d store.Delivery, g store.Generation, value secret.Text) (output string, err error)
}

// The pauses between the tries of a delivery double from the first to the last.
const firstRedeliver, lastRedeliver = 30 * time.Second, time.Hour

// Waiting is what is left to do that has not failed: it waits for its time.
type Waiting struct {
	Until       time.Time     // when to call Settle again; zero: nothing waits
	Undelivered []Undelivered // deliveries that have not taken the value that is served
	Old         int           // older values that are kept for those, or in their grace
	Grace       time.Time     // when the last grace period that runs now is over; zero: none runs
	Readers     int           // who has one of the older values that are kept for that
}

// Undelivered is a delivery that is behind, and why.
type Undelivered struct{ Name, Why string }

func (w *Waiting) until(t time.Time) {
	if w.Until.IsZero() || !t.IsZero() && t.Before(w.Until) {
		w.Until = t
	}
}

// handOver gives the value that is served to every delivery of rot, and retires
// each older one once all have taken a newer, its grace period is over and its
// readers are done. A leaked one it retires first, whatever these do. With again, a
// delivery that failed is tried though its time has not come.
func (e *Engine) handOver(ctx context.Context, npm Account, rot store.ROT, again bool, tell Progress) (Waiting, error) {
	old, err := e.Journal.Generations(ctx, rot.ID, store.StepRetiring)
	if err != nil {
		return Waiting{}, err
	}
	var errs []error
	var patient []store.Generation
	for _, g := range old {
		if g.Hurry {
			errs = append(errs, e.retire(ctx, npm, g, tell))
		} else {
			patient = append(patient, g)
		}
	}
	taken, wait, err := e.deliverAll(ctx, rot, again, tell)
	errs = append(errs, err)
	for _, g := range patient {
		kept, err := e.keep(ctx, rot, g, taken, &wait)
		if err == nil && !kept {
			err = e.retire(ctx, npm, g, tell)
		}
		errs = append(errs, err)
	}
	return wait, errors.Join(errs...)
}

// keep decides whether a retiring generation is to live on, and notes in wait
// what for. Every delivery has taken the generation called taken, or a newer.
func (e *Engine) keep(ctx context.Context, rot store.ROT, g store.Generation, taken int, wait *Waiting) (bool, error) {
	now := e.Now()
	switch {
	case !g.Expires.IsZero() && now.After(g.Expires):
		return false, nil // it is of no use to anybody
	case taken <= g.N:
		wait.Old++
		return true, nil
	}
	if kept, err := e.inGrace(ctx, rot, g, wait); kept || err != nil {
		return true, err
	}
	// A clock that was set back does not make it longer.
	limit := e.ReaderTime()
	if now.Sub(g.Changed).Abs() >= limit {
		return false, nil
	}
	n := e.Readers(rot.ID, g.N)
	if n > 0 {
		wait.Old++
		wait.Readers += n
		wait.until(g.Changed.Add(limit))
	}
	return n > 0, nil
}

// inGrace is keep for the grace period, which it begins.
func (e *Engine) inGrace(ctx context.Context, rot store.ROT, g store.Generation, wait *Waiting) (bool, error) {
	if rot.Grace == 0 {
		return false, nil
	}
	now := e.Now()
	if g.Delivered.IsZero() {
		if err := e.Journal.Replaced(ctx, rot.ID, g.N); err != nil {
			return true, err
		}
		g.Delivered = now
	}
	over := g.Delivered.Add(rot.Grace)
	if !now.Before(over) {
		return false, nil
	}
	wait.Old++
	wait.until(over)
	if over.After(wait.Grace) {
		wait.Grace = over
	}
	return true, nil
}

// deliverAll makes the deliveries that are behind. It returns the newest
// generation that all of them have taken.
func (e *Engine) deliverAll(ctx context.Context, rot store.ROT, again bool, tell Progress) (taken int, wait Waiting, err error) {
	all, err := e.Journal.Deliveries(ctx, rot.ID)
	if err != nil {
		return 0, wait, err
	}
	served, err := e.Journal.Generations(ctx, rot.ID, store.StepCurrent)
	if err != nil {
		return 0, wait, err
	}
	var errs []error
	taken = math.MaxInt
	for _, d := range all {
		if len(served) > 0 && d.Delivered < served[0].N {
			if again || e.isDue(d) {
				d, err = e.deliver(ctx, d, served[0], tell)
				errs = append(errs, err)
			}
			if d.Delivered < served[0].N {
				wait.Undelivered = append(wait.Undelivered, Undelivered{d.Name, d.LastResult})
				wait.until(d.Next)
			}
		}
		taken = min(taken, d.Delivered)
	}
	return taken, wait, errors.Join(errs...)
}

// isDue tells whether to try a delivery that is behind. A time too far away was
// set by a clock that has been set back since.
func (e *Engine) isDue(d store.Delivery) bool {
	pause := d.Next.Sub(e.Now())
	return pause <= 0 || pause > lastRedeliver
}

// Deliver hands the value that rot serves to one delivery, now, and returns the
// delivery as it is then. It does nothing where there is no value yet.
func (e *Engine) Deliver(ctx context.Context, d store.Delivery, tell Progress) (store.Delivery, error) {
	served, err := e.Journal.Generations(ctx, d.ROT, store.StepCurrent)
	if err != nil || len(served) == 0 {
		return d, err
	}
	return e.deliver(ctx, d, served[0], tell)
}

// deliver makes one delivery and returns it as it is then. A command that fails
// is no error: it is tried again.
func (e *Engine) deliver(ctx context.Context, d store.Delivery, g store.Generation, tell Progress) (store.Delivery, error) {
	value, err := e.Journal.Value(ctx, g.ROT, g.N)
	if err != nil {
		return d, err
	}
	tell("delivering", fmt.Sprintf("handing generation %d to %s", g.N, d.Name))
	output, why := e.Courier.Deliver(ctx, d, g, value)
	if ctx.Err() != nil && why != nil {
		return d, ctx.Err() // stopping, not failing
	}
	// What has happened is noted though the caller's own time may be over.
	ctx = context.WithoutCancel(ctx)
	if why == nil {
		err = e.Journal.Delivered(ctx, d.ID, g.N, output)
	} else {
		d.Next, d.LastResult = e.Now().Add(backoff(d.Failures+1, firstRedeliver, lastRedeliver)), why.Error()
		err = e.Journal.NotDelivered(ctx, d.ID, d.LastResult, output, d.Next)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		d.Delivered = g.N // removed meanwhile: nobody waits for it
		return d, nil
	case why != nil:
		e.Log.Warn("a delivery failed", "rot", g.ROT, "delivery", d.Name, "generation", g.N, "err", why)
		tell("undelivered", fmt.Sprintf("%s has not taken it: %v", d.Name, why))
	case err == nil:
		d.Delivered = g.N
		tell("delivered", fmt.Sprintf("%s has generation %d", d.Name, g.N))
	}
	return d, err
}
