package daemon

import (
	"context"
	"errors"
	"slices"
	"time"

	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/store"
)

// forPerson reports an error that comes again until a person has done
// something: given a code, connected the account anew. Nothing is tried again
// by itself after it; npm would see a machine guessing.
func forPerson(c ipc.Code) bool {
	return c.Exit() == ipc.ExitPerson || slices.Contains([]ipc.Code{
		ipc.CodeWrongPassword, ipc.CodeSessionExpired,
	}, c)
}

// ofPasscard reports an error that every ROT of the passcard would meet.
func ofPasscard(c ipc.Code) bool {
	return forPerson(c) || slices.Contains([]ipc.Code{
		ipc.CodeWrongCode, ipc.CodeRateLimited, ipc.CodeUnreachable, ipc.CodeRegistryError,
		ipc.CodeBrowserNotFound, ipc.CodeBrowserFailed, ipc.CodePageUnrecognised,
	}, c)
}

// isNo reports an answer that is not likely to be another one in a minute. A
// wrong code may be right when the clock is.
func isNo(c ipc.Code) bool {
	return slices.Contains([]ipc.Code{ipc.CodeWrongCode, ipc.CodeRefused, ipc.CodeTokenMismatch, ipc.CodePageUnrecognised}, c)
}

// noteFailure keeps why a rotation of rot failed and decides when to try again.
// One that was not due, but asked for, changes nothing about when it is. One
// that was due is tried again with growing pauses, sooner where the present
// token's end is near, and not at all where a person is needed. (SetTrouble sees
// to ROTs without a value.)
func (d *Daemon) noteFailure(ctx context.Context, st *store.Store, rot store.ROT, err error, why *ipc.Error) {
	now := d.cfg.Now()
	ctx = context.WithoutCancel(ctx)
	if errors.Is(err, errSignInTooSoon) { // nothing has failed
		if err := st.SetNext(ctx, rot.ID, now.Add(retryAfter(err))); err != nil {
			d.cfg.Log.Error("cannot postpone a rotation", "rot", rot.ID, "err", err)
			d.held.wait(rot.ID, now, now.Add(retryAfter(err)))
		}
		return
	}
	failures := rot.Failures + 1
	next := rot.Next
	if !next.After(now) && !next.IsZero() {
		tries := failures
		if isNo(why.Code) {
			tries += 6 // an hour, then two …
		}
		next = rotate.Retry(now, tries, retryAfter(err), d.endOf(ctx, st, rot), d.engine.Jitter())
		if forPerson(why.Code) {
			next = never
		}
	}
	if err := st.SetTrouble(ctx, rot.ID, trouble(why), failures, next); err != nil {
		d.cfg.Log.Error("cannot note a failed rotation", "rot", rot.ID, "err", err)
		// What cannot be written is remembered, or the timer would spin.
		d.held.wait(rot.ID, now, rotate.Retry(now, failures, retryAfter(err), time.Time{}, d.engine.Jitter()))
	}
}

// endOf is when the token that rot serves ends; the zero time where there is no
// end, or no telling.
func (d *Daemon) endOf(ctx context.Context, st *store.Store, rot store.ROT) time.Time {
	current, err := st.Generations(ctx, rot.ID, store.StepCurrent)
	if err != nil {
		d.cfg.Log.Error("cannot tell when a token ends", "rot", rot.ID, "err", err)
	}
	return rotate.Expiry(d.cfg.Now(), served(rot, current))
}

// revive makes go on what has waited for a person with the troubles that are
// mended: the passcard was connected anew.
func (d *Daemon) revive(ctx context.Context, st *store.Store, passcard string, mended func(ipc.Code) bool) error {
	rots, err := st.ROTsOf(ctx, passcard)
	if err != nil {
		return err
	}
	for _, r := range rots {
		d.settles.release(r.ID)
		d.held.release(r.ID)
		switch code := ipc.Code(r.Trouble.Code); {
		case !mended(code):
		case r.Current > 0 && r.Next.IsZero() && !r.Schedule.Paused:
			err = st.SetNext(ctx, r.ID, d.cfg.Now())
		case code == ipc.CodeNeedsSignIn: // nobody waits for it, and it is not so any more
			err = st.ClearTrouble(ctx, r.ID)
		}
		if err != nil {
			return err
		}
	}
	d.kick()
	return nil
}
