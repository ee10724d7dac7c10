package daemon

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"rotd/daemon/browser"
	"rotd/daemon/npm"
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
	passcard, rots, err := targets(r.Context(), st, r.PathValue("ref"), &req)
	if err != nil {
		return err
	}
	if err := prepare(r.Context(), st, rots, grace, req.RevokeNow); err != nil {
		return err
	}
	s := out.begin(r, &d.questions)
	d.work.Add(1)
	defer d.work.Done()
	var ask asker
	if req.Interactive {
		ask = s.ask
	}
	done, err := d.rotateAll(d.stop, st, passcard, rots, ask, s.step)
	if err != nil {
		return err
	}
	if len(done) == 1 && done[0].Error != nil {
		return done[0].Error
	}
	s.send(ipc.Event{Result: &ipc.Result{Rotations: done}})
	return nil
}

// targets finds the ROTs that a request means, making the first one or a named
// one where it has to, and gives them the shape that the request names.
func targets(ctx context.Context, st *store.Store, ref string, req *ipc.Rotate) (passcard string, ids []string, err error) {
	found, err := st.Resolve(ctx, ref)
	if err != nil {
		return "", nil, err
	}
	if found.Kind == store.RefROT {
		rot, err := st.ROT(ctx, found.ID)
		if err != nil {
			return "", nil, err
		}
		if req.Name != "" && req.Name != rot.Name {
			return "", nil, badRequest("--name is for a new ROT, and "+rotRef(rot.ID)+" is there already", "to make another ROT, rotate its passcard: rot rotate "+passcardRef(rot.Passcard)+" --name "+req.Name)
		}
		return rot.Passcard, []string{rot.ID}, reshape(ctx, st, rot.ID, req.Shape)
	}
	rots, err := st.ROTsOf(ctx, found.ID)
	if err != nil {
		return "", nil, err
	}
	if req.Name != "" {
		named := slices.IndexFunc(rots, func(r store.ROT) bool { return r.Name == req.Name })
		if named >= 0 {
			id := rots[named].ID
			return found.ID, []string{id}, reshape(ctx, st, id, req.Shape)
		}
	}
	switch {
	case req.Name != "" || len(rots) == 0:
		id, err := newROT(ctx, st, found.ID, req)
		return found.ID, []string{id}, err
	case req.Shape != nil && len(rots) > 1:
		return "", nil, badRequest(fmt.Sprintf("%s has %d ROTs, and it is not clear which of them to give another shape", passcardRef(found.ID), len(rots)),
			"rotate that ROT itself, or make a new one with --name")
	case req.Shape != nil:
		return found.ID, []string{rots[0].ID}, reshape(ctx, st, rots[0].ID, req.Shape)
	}
	for _, r := range rots {
		ids = append(ids, r.ID)
	}
	return found.ID, ids, nil
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
			return "", badRequest(err.Error(), "")
		}
	}
	rot, err := st.AddROT(ctx, store.ROT{Passcard: passcard, Name: req.Name, Shape: store.Shape(*req.Shape)})
	return rot.ID, err
}

func reshape(ctx context.Context, st *store.Store, rot string, shape *ipc.Shape) error {
	if shape == nil {
		return nil
	}
	return st.SetShape(ctx, rot, store.Shape(*shape))
}

// rotateAll rotates ROTs of one passcard, one after the other under one
// sign-in. The error is of what they have in common; that of a single ROT is
// in its Rotation.
func (d *Daemon) rotateAll(ctx context.Context, st *store.Store, passcard string, ids []string, ask asker, tell teller) ([]ipc.Rotation, error) {
	unlock, err := d.passcards.lock(ctx, passcard, func() { tell("", "waiting", "another run for this passcard goes first") })
	if err != nil {
		return nil, err
	}
	defer d.kick() // after the unlock: the timer left alone what was in use
	defer unlock()
	acct, err := d.passcardAccount(ctx, st, passcard, ask, func(name, text string) { tell("", name, text) })
	if err != nil {
		return nil, err
	}
	var done []ipc.Rotation
	for _, id := range ids {
		done = append(done, d.rotateOne(ctx, st, acct, id, tell))
	}
	if ask == nil || slices.ContainsFunc(done, func(r ipc.Rotation) bool { return r.Error != nil }) {
		return done, nil
	}
	// A person who is there serves what else has waited for one.
	others, err := waitingOf(ctx, st, passcard)
	if err != nil {
		d.cfg.Log.Error("cannot tell what else waits for a person", "passcard", passcard, "err", err)
	}
	for _, id := range others {
		one := d.rotateOne(ctx, st, acct, id, tell)
		if done = append(done, one); one.Error != nil {
			break
		}
	}
	return done, nil
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

// retryWaiting makes what has waited for a person due: what the passcard keeps
// may do without one now.
func (d *Daemon) retryWaiting(ctx context.Context, st *store.Store, passcard string) error {
	ids, err := waitingOf(ctx, st, passcard)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := st.SetNext(ctx, id, d.cfg.Now()); err != nil {
			return err
		}
	}
	d.kick()
	return nil
}

// passcardAccount is the npm account behind a passcard.
func (d *Daemon) passcardAccount(ctx context.Context, st *store.Store, id string, ask asker, tell func(name, text string)) (*npm.Account, error) {
	p, err := st.Passcard(ctx, id)
	if err != nil {
		return nil, err
	}
	// Whoever runs rot rotate sits at a terminal: codes are asked for there.
	return d.account(npm.Config{Registry: p.Registry, Username: p.Username, Terminal: ask != nil}, storeKeeper{st, p.ID}, ask, tell)
}

// rotateOne rotates one ROT and notes in the store how it went. The caller
// holds the passcard's lock.
func (d *Daemon) rotateOne(ctx context.Context, st *store.Store, acct rotate.Account, id string, tell teller) ipc.Rotation {
	defer d.running.add(id)()
	log := d.cfg.Log.With("rot", id)
	rot, err := st.ROT(ctx, id) // under the lock: what another run left
	var out rotate.Outcome
	if err == nil {
		out, err = d.engine.Rotate(ctx, acct, rot, func(name, text string) {
			log.Debug("rotation", "step", name)
			tell(rotRef(id), name, text)
		})
	}
	if err != nil {
		return ipc.Rotation{ROT: rotRef(id), Error: d.noteFailure(ctx, st, rot, err)}
	}
	d.settles.wait(id, d.cfg.Now(), never) // what was waited for may be past
	log.Info("rotated", "generation", out.Generation, "expires", out.Expires, "next", out.Next)
	done := ipc.Rotation{ROT: rotRef(id), Generation: out.Generation, Expires: timeOrNil(out.Expires), RevokedOld: out.Lingering == nil && out.Waiting.Old == 0}
	tellWaiting(&done, out.Waiting)
	if out.Lingering != nil {
		log.Warn("the old token is not known to be dead yet", "err", out.Lingering)
		done.Warning = "the old token is not known to be dead yet, rotd keeps at it: " + toWire(out.Lingering).Message
	}
	return done
}

// noteFailure keeps a failed rotation's reason and decides when to try again:
// not at all where a person is needed, or where a first rotation failed in
// front of one.
func (d *Daemon) noteFailure(ctx context.Context, st *store.Store, rot store.ROT, err error) *ipc.Error {
	wire := toWire(err)
	d.cfg.Log.Warn("rotation failed", "rot", rot.ID, "code", wire.Code, "err", err)
	if rot.ID == "" || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return wire // not read at all, or stopping: no fault of the ROT's
	}
	if errors.Is(err, errSignInTooSoon) {
		if err := st.SetNext(ctx, rot.ID, d.cfg.Now().Add(retryAfter(err))); err != nil {
			d.cfg.Log.Error("cannot postpone a rotation", "rot", rot.ID, "err", err)
		}
		return wire // nothing has failed
	}
	if wire.Code.Exit() == ipc.ExitPerson && !errors.Is(err, browser.ErrFailed) { // which has its own
		wire.Hint = approveHint(rot.ID)
	}
	failures := rot.Failures + 1
	next := rotate.Retry(d.cfg.Now(), failures, retryAfter(err), d.endOf(ctx, st, rot), rand.Float64())
	if wire.Code.Exit() == ipc.ExitPerson || rot.Current == 0 || rot.Schedule.Paused {
		next = never
	}
	if err := st.SetTrouble(ctx, rot.ID, trouble(wire), failures, next); err != nil {
		d.cfg.Log.Error("cannot note a failed rotation", "rot", rot.ID, "err", err)
	}
	return wire
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
