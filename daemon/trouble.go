package daemon

import (
	"context"
	"math/rand/v2"
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
		ipc.CodeWrongPassword, ipc.CodeWrongCode, ipc.CodeSessionExpired,
	}, c)
}

// ofPasscard reports an error that every ROT of the passcard would meet.
func ofPasscard(c ipc.Code) bool {
	return forPerson(c) || slices.Contains([]ipc.Code{
		ipc.CodeRateLimited, ipc.CodeUnreachable, ipc.CodeRegistryError,
		ipc.CodeBrowserNotFound, ipc.CodeBrowserFailed, ipc.CodePageUnrecognised,
	}, c)
}

// isNo reports an answer that is not likely to be another one in a minute.
func isNo(c ipc.Code) bool {
	return slices.Contains([]ipc.Code{ipc.CodeRefused, ipc.CodeTokenMismatch, ipc.CodePageUnrecognised}, c)
}

// noteFailure keeps why a rotation of rot failed and decides when to try again.
// One that was not due, but asked for, changes nothing about when it is. One
// that was due is tried again with growing pauses, and not at all where a
// person is needed, or where there is no value yet to be lost.
func (d *Daemon) noteFailure(ctx context.Context, st *store.Store, rot store.ROT, why *ipc.Error, retryAfter time.Duration) {
	now := d.cfg.Now()
	failures := rot.Failures + 1
	next := rot.Next
	if !next.After(now) {
		tries := failures
		if isNo(why.Code) {
			tries += 6 // an hour, then two …
		}
		next = rotate.Retry(now, tries, retryAfter, rand.Float64())
		if forPerson(why.Code) || rot.Current == 0 {
			next = never
		}
	}
	if err := st.SetTrouble(context.WithoutCancel(ctx), rot.ID, trouble(why), failures, next); err != nil {
		d.cfg.Log.Error("cannot note a failed rotation", "rot", rot.ID, "err", err)
		// What cannot be written is remembered, or the timer would spin.
		d.held.hold(rot.ID, rotate.Retry(now, failures, retryAfter, rand.Float64()), why)
	}
}

// revive makes what waited for a person go on: the passcard was connected anew.
func (d *Daemon) revive(ctx context.Context, st *store.Store, passcard string) error {
	rots, err := st.ROTsOf(ctx, passcard)
	if err != nil {
		return err
	}
	for _, r := range rots {
		d.settles.release(r.ID)
		d.held.release(r.ID)
		if r.Current > 0 && r.Next.IsZero() && forPerson(ipc.Code(r.Trouble.Code)) {
			if err := st.SetSchedule(ctx, r.ID, d.cfg.Now()); err != nil {
				return err
			}
		}
	}
	d.kick()
	return nil
}
