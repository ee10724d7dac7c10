package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"rotd/daemon/browser"
	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/store"
)

// teller is told the steps of a rotation: of which ROT, a word, a sentence.
type teller func(rot, name, text string)

// postRotation rotates a ROT, or all those of a passcard. It goes on when its
// caller goes away: only questions need him.
func (d *Daemon) postRotation(r *http.Request, st *store.Store, out *reply) error {
	var req ipc.Rotate
	if r.ContentLength != 0 {
		if err := readBody(r, &req); err != nil {
			return err
		}
	}
	if req.Shape != nil {
		if err := checkShape(req.Shape); err != nil {
			return err
		}
	}
	grace, err := parseGrace(req.Grace)
	if err != nil {
		return err
	}
	passcard, rots, err := d.targets(r.Context(), st, r.PathValue("ref"), &req)
	if err != nil {
		return err
	}
	if err := prepare(r.Context(), st, rots, grace, req.RevokeNow); err != nil {
		return err
	}
	if !d.inflight.begin() {
		return errStopping
	}
	defer d.inflight.end()
	s := out.begin(r, &d.questions)
	var ask asker
	if req.Interactive {
		ask = s.ask
	}
	done, err := d.rotateAll(d.stop, st, passcard, rots, req.Shape, ask, s.step)
	if err != nil {
		return err
	}
	if len(done) == 1 && done[0].Error != nil {
		return done[0].Error
	}
	s.send(ipc.Event{Result: &ipc.Result{Rotations: done}})
	return nil
}

// targets finds the ROTs that a request means, and makes the first one or a
// named one where it has to.
func (d *Daemon) targets(ctx context.Context, st *store.Store, ref string, req *ipc.Rotate) (passcard string, ids []string, err error) {
	d.choosing.Lock() // two first rotations at once are of one ROT
	defer d.choosing.Unlock()
	found, err := st.Resolve(ctx, ref)
	if err != nil {
		return "", nil, err
	}
	if found.Kind == store.RefPasscard {
		ids, err := rotsOf(ctx, st, found.ID, req)
		return found.ID, ids, err
	}
	rot, err := st.ROT(ctx, found.ID)
	if err != nil {
		return "", nil, err
	}
	if req.Name != "" && req.Name != rot.Name {
		return "", nil, badRequest("--name is for a new ROT, and "+rotRef(rot.ID)+" is there already", "to make another ROT, rotate its passcard: rot rotate "+passcardRef(rot.Passcard)+" --name "+req.Name)
	}
	return rot.Passcard, []string{rot.ID}, nil
}

// rotsOf is targets for a passcard's reference.
func rotsOf(ctx context.Context, st *store.Store, passcard string, req *ipc.Rotate) (ids []string, err error) {
	rots, err := st.ROTsOf(ctx, passcard)
	if err != nil {
		return nil, err
	}
	for _, r := range rots {
		if req.Name != "" && r.Name == req.Name {
			return []string{r.ID}, nil
		}
		ids = append(ids, r.ID)
	}
	switch {
	case req.Name != "" || len(rots) == 0:
		id, err := newROT(ctx, st, passcard, req)
		return []string{id}, err
	case req.Shape != nil && len(rots) > 1:
		return nil, badRequest(fmt.Sprintf("%s has %d ROTs, and it is not clear which of them to give another shape", passcardRef(passcard), len(rots)),
			"rotate that ROT itself, or make a new one with --name")
	}
	return ids, nil
}

func newROT(ctx context.Context, st *store.Store, passcard string, req *ipc.Rotate) (string, error) {
	if req.Shape == nil {
		return "", &ipc.Error{
			Code:    ipc.CodeShapeRequired,
			Message: "the first rotation must say what the token is for",
			Hint:    "add --for publish, --for stage or --for install; rot rotate --help explains them",
		}
	}
	if req.Name != "" {
		if err := store.ValidName(req.Name); err != nil {
			return "", badRequest(err.Error(), store.HintOf(err))
		}
	}
	rot, err := st.AddROT(ctx, store.ROT{Passcard: passcard, Name: req.Name, Shape: store.Shape(*req.Shape)})
	return rot.ID, err
}

// rotateAll rotates ROTs of one passcard under one sign-in, giving them another
// shape where there is one. The error is of what they have in common; that of a
// single ROT is in its Rotation.
func (d *Daemon) rotateAll(ctx context.Context, st *store.Store, passcard string, ids []string, shape *ipc.Shape, ask asker, tell teller) ([]ipc.Rotation, error) {
	unlock, err := d.passcards.lock(ctx, passcard, func() { tell("", "waiting", "another run for this passcard goes first") })
	if err != nil {
		return nil, err
	}
	defer d.kick() // after the unlock: the timer left alone what was in use
	defer unlock()
	// Whoever runs rot rotate sits at a terminal: codes are asked for there.
	acct, err := d.open(ctx, st, passcard, presence{ask: ask, tell: func(name, text string) { tell("", name, text) }})
	if err != nil {
		return nil, err
	}
	defer d.closeAccount(ctx, acct)
	done := d.rotateEach(ctx, st, acct, ids, shape, tell)
	if ask == nil || slices.ContainsFunc(done, func(r ipc.Rotation) bool { return r.Error != nil }) {
		return done, nil
	}
	// A person who is there serves what else has waited for one.
	others, err := waitingOf(ctx, st, passcard)
	if err != nil {
		d.cfg.Log.Error("cannot tell what else waits for a person", "passcard", passcard, "err", err)
	}
	return append(done, d.rotateEach(ctx, st, acct, others, nil, tell)...), nil
}

// rotateEach rotates ROTs one after the other. An error that the others would
// meet too ends the run, and is theirs as well: npm is not asked again for each.
// The caller holds the passcard's lock.
func (d *Daemon) rotateEach(ctx context.Context, st *store.Store, acct rotate.Account, ids []string, shape *ipc.Shape, tell teller) []ipc.Rotation {
	var done []ipc.Rotation
	var common error
	for _, id := range ids {
		rot, err := st.ROT(ctx, id) // under the lock: what another run left
		if err == nil {
			err = common
		}
		var r ipc.Rotation
		if err == nil {
			if shape != nil {
				rot.Shape = store.Shape(*shape)
			}
			r, err = d.rotateOne(ctx, acct, rot, tell)
		}
		if err != nil {
			wire := *toWire(err)
			if wire.Code.Exit() == ipc.ExitPerson && !errors.Is(err, browser.ErrFailed) { // which has its own
				wire.Hint = personHint(wire.Code, rotRef(id))
			}
			d.cfg.Log.Warn("rotation failed", "rot", id, "code", wire.Code, "err", err)
			if ofPasscard(wire.Code) || ctx.Err() != nil {
				common = err
			}
			if rot.ID != "" && ctx.Err() == nil { // read at all, and not stopping
				d.noteFailure(ctx, st, rot, err, &wire)
			}
			r = ipc.Rotation{ROT: rotRef(id), Error: &wire}
		}
		done = append(done, r)
	}
	return done
}

// waitingOf are the ROTs of a passcard that wait for a person.
func waitingOf(ctx context.Context, st *store.Store, passcard string) (ids []string, err error) {
	rots, err := st.ROTsOf(ctx, passcard)
	for _, r := range rots {
		if r.Current > 0 && waitsForPerson(r) {
			ids = append(ids, r.ID)
		}
	}
	return ids, err
}

// rotateOne rotates one ROT. The caller holds the passcard's lock.
func (d *Daemon) rotateOne(ctx context.Context, acct rotate.Account, rot store.ROT, tell teller) (ipc.Rotation, error) {
	defer d.running.add(rot.ID)()
	log := d.cfg.Log.With("rot", rot.ID)
	out, err := d.engine.Rotate(ctx, acct, rot, func(name, text string) {
		log.Debug("rotation", "step", name)
		tell(rotRef(rot.ID), name, text)
	})
	if err != nil {
		return ipc.Rotation{}, err
	}
	d.held.release(rot.ID)
	d.settles.release(rot.ID) // what was waited for may be past
	log.Info("rotated", "generation", out.Generation, "expires", out.Expires, "next", out.Next)
	done := ipc.Rotation{ROT: rotRef(rot.ID), Generation: out.Generation, Expires: timeOrNil(out.Expires), RevokedOld: out.Lingering == nil && out.Waiting.Old == 0}
	tellWaiting(&done, out.Waiting)
	if out.Lingering != nil {
		log.Info("the old token is not known to be dead yet", "err", out.Lingering)
		done.Warning = "the old token is not known to be dead yet, rotd keeps at it: " + toWire(out.Lingering).Message
	}
	return done, nil
}
