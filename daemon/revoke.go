package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/store"
)

// postRevocation stops serving the value of a ROT, or of all those of a
// passcard, and has npm revoke it. The first happens at once, whatever else is
// going on; the second is pursued until npm confirms it.
func (d *Daemon) postRevocation(r *http.Request, st *store.Store, out *reply) error {
	var req ipc.Revoke
	if r.ContentLength != 0 {
		if err := readBody(r, &req); err != nil {
			return err
		}
	}
	passcard, ids, err := meant(r.Context(), st, r.PathValue("ref"))
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return &ipc.Error{Code: ipc.CodeNoValue, Message: passcardRef(passcard) + " has no ROT, and so nothing to revoke",
			Hint: "to forget the passcard itself: rot remove " + passcardRef(passcard)}
	}
	s := out.begin(r, &d.questions)
	if !d.inflight.begin() {
		return errStopping
	}
	defer d.inflight.end()
	defer d.kick() // what was withdrawn is to be revoked, whatever comes of the rest
	for _, id := range ids {
		if err := st.Withdraw(d.stop, id, uidOf(r)); err != nil {
			return err
		}
		s.step(rotRef(id), "withdrawn", "nothing is served any more")
	}
	var ask asker
	if req.Interactive {
		ask = s.ask
	}
	why := make(map[string]error)
	err = d.withPasscard(d.stop, st, passcard, ask, s.step, func(acct npmAccount) error {
		for _, id := range ids {
			why[id] = d.withdraw(d.stop, st, acct, id, s.step)
		}
		return nil
	})
	var done []ipc.Revocation
	for _, id := range ids {
		v := ipc.Revocation{ROT: rotRef(id)}
		if open := errors.Join(err, why[id]); open != nil {
			v.Error = stillOpen(id, open)
		}
		v.Confirmed = v.Error == nil
		done = append(done, v)
	}
	s.send(ipc.Event{Result: &ipc.Result{Revocations: done}})
	return nil
}

// stillOpen tells why npm has not confirmed the revocation of a ROT's value.
func stillOpen(id string, err error) *ipc.Error {
	wire := *toWire(err)
	if wire.Code.Exit() == ipc.ExitPerson {
		wire.Hint = personHint(wire.Code, rotRef(id))
	}
	return &wire
}

// meant finds the ROTs that a reference to one, or to a passcard, means.
func meant(ctx context.Context, st *store.Store, ref string) (passcard string, ids []string, err error) {
	found, err := st.Resolve(ctx, ref)
	if err != nil {
		return "", nil, err
	}
	if found.Kind == store.RefROT {
		rot, err := st.ROT(ctx, found.ID)
		return rot.Passcard, []string{found.ID}, err
	}
	rots, err := st.ROTsOf(ctx, found.ID)
	for _, r := range rots {
		ids = append(ids, r.ID)
	}
	return found.ID, ids, err
}

// withPasscard runs f with the passcard's npm account, and alone with it.
func (d *Daemon) withPasscard(ctx context.Context, st *store.Store, passcard string, ask asker, tell teller, f func(npmAccount) error) error {
	unlock, err := d.passcards.lock(ctx, passcard, func() { tell("", "waiting", "another run for this passcard goes first") })
	if err != nil {
		return err
	}
	defer d.kick() // after the unlock: the timer left alone what was in use
	defer unlock()
	acct, err := d.open(ctx, st, passcard, presence{ask: ask, tell: func(name, text string) { tell("", name, text) }})
	if err != nil {
		return err
	}
	defer d.closeAccount(ctx, acct)
	return f(acct)
}

// withdraw has npm revoke what a withdrawn ROT served. The caller is alone with
// the passcard. A rotation that had just begun when the ROT was withdrawn may
// have given it a new value since, which stays.
func (d *Daemon) withdraw(ctx context.Context, st *store.Store, acct rotate.Account, id string, tell teller) error {
	rot, err := st.ROT(ctx, id)
	if err != nil {
		return err
	}
	if rot.Current != 0 {
		tell(rotRef(id), "current", fmt.Sprintf("a rotation that had just begun made generation %d, which is served", rot.Current))
	}
	err = d.engine.Withdraw(ctx, acct, rot, func(name, text string) { tell(rotRef(id), name, text) })
	if err != nil && ctx.Err() == nil {
		d.cfg.Log.Warn("a revoked value is not known to be dead yet", "rot", id, "err", err)
	}
	if err == nil {
		d.settles.release(id)
	} else if ctx.Err() == nil {
		d.settles.note(id, d.cfg.Now(), toWire(err), retryAfter(err))
	}
	return err
}

// postRemoval revokes and then forgets a ROT, or a passcard with its ROTs. It
// asks first, unless the request says yes.
func (d *Daemon) postRemoval(r *http.Request, st *store.Store, out *reply) error {
	var req ipc.Remove
	if err := readBody(r, &req); err != nil {
		return err
	}
	found, err := st.Resolve(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	if !req.Yes && !req.Interactive {
		return badRequest("what is removed cannot be brought back, and nobody is there to be asked", "say so beforehand: --yes")
	}
	s := out.begin(r, &d.questions)
	if !req.Yes {
		text, err := whatGoes(r.Context(), st, found)
		if err != nil {
			return err
		}
		answer, err := s.ask(d.stop, ipc.AskRemove, text)
		if err != nil {
			return err
		}
		if answer.Reveal() != "yes" {
			return &ipc.Error{Code: ipc.CodeCancelled, Message: "nothing was removed"}
		}
	}
	if !d.inflight.begin() {
		return errStopping
	}
	defer d.inflight.end()
	m := &removal{d: d, st: st, found: found, forget: req.Forget, by: uidOf(r), tell: s.step}
	if req.Interactive {
		m.ask = s.ask
	}
	if err := m.run(d.stop); err != nil {
		return err
	}
	s.send(ipc.Event{Result: &ipc.Result{Removal: &m.done}})
	return nil
}

// whatGoes asks whether what ref leads to is to be removed.
func whatGoes(ctx context.Context, st *store.Store, found store.Ref) (string, error) {
	called := func(ref, name string) string {
		if name == "" {
			return ref
		}
		return ref + " (" + name + ")"
	}
	if found.Kind == store.RefROT {
		rot, err := st.ROT(ctx, found.ID)
		return "revoke the token of " + called(rotRef(rot.ID), rot.Name) + " and remove it?", err
	}
	p, err := st.Passcard(ctx, found.ID)
	if err != nil {
		return "", err
	}
	rots, err := st.ROTsOf(ctx, found.ID)
	text := "remove " + called(passcardRef(p.ID), p.Name) + ", the account of " + p.Username
	switch len(rots) {
	case 0:
	case 1:
		text += ", and its ROT " + called(rotRef(rots[0].ID), rots[0].Name) + " with its token"
	default:
		text += fmt.Sprintf(", and its %d ROTs with their tokens", len(rots))
	}
	return text + "?", err
}

// removal is one run of postRemoval.
type removal struct {
	d      *Daemon
	st     *store.Store
	found  store.Ref
	forget bool
	by     *uint32
	ask    asker
	tell   teller
	done   ipc.Removal
}

func (m *removal) run(ctx context.Context) error {
	passcard, _, err := meant(ctx, m.st, m.found.ID)
	if err != nil {
		return err
	}
	err = m.d.withPasscard(ctx, m.st, passcard, m.ask, m.tell, func(acct npmAccount) error {
		_, ids, err := meant(ctx, m.st, m.found.ID) // now that nobody changes them
		if err != nil {
			return err
		}
		if err := m.revokeAll(ctx, acct, ids); err != nil {
			return err
		}
		if m.found.Kind == store.RefROT {
			return m.st.RemoveROT(ctx, m.found.ID, m.by)
		}
		if err := acct.SignOut(ctx); err != nil {
			m.d.cfg.Log.Warn("npm's session could not be ended", "passcard", passcard, "err", err)
		}
		m.done.Removed = append(m.done.Removed, passcardRef(passcard))
		return m.st.RemovePasscard(ctx, passcard, m.by)
	})
	if err == nil {
		m.d.cfg.Log.Info("removed", "ref", m.found.ID, "left", m.done.Left)
	}
	return err
}

// revokeAll stops serving the ROTs and has npm revoke what it can of them. The
// error is that of the first that is not to be forgotten.
func (m *removal) revokeAll(ctx context.Context, acct rotate.Account, ids []string) (first error) {
	for _, id := range ids {
		if err := m.st.Withdraw(ctx, id, m.by); err != nil {
			return err
		}
		m.tell(rotRef(id), "withdrawn", "nothing is served any more")
	}
	for _, id := range ids {
		if err := m.revoke(ctx, acct, id); err != nil && first == nil {
			first = err
		}
		m.done.Removed = append(m.done.Removed, rotRef(id))
	}
	return first
}

// revoke has npm revoke every value of a withdrawn ROT. Where npm does not confirm it, the
// ROT is not to be forgotten, as nothing else would know of the token; or it is,
// and the tokens that may live on are named.
func (m *removal) revoke(ctx context.Context, acct rotate.Account, id string) error {
	err := m.d.withdraw(ctx, m.st, acct, id, m.tell)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if !m.forget {
		wire := stillOpen(id, err)
		wire.Message = rotRef(id) + " is not removed, as npm has not confirmed that its token is revoked: " + wire.Message
		if wire.Code.Exit() != ipc.ExitPerson {
			wire.Hint = "it is not served any more, and rotd goes on revoking it"
		}
		wire.Hint += "; remove it then, or leave the token to you with --forget"
		return wire
	}
	left, lerr := m.st.Generations(ctx, id, store.StepPlanned, store.StepCreated, store.StepVerified, store.StepRetiring, store.StepDiscarding)
	for _, g := range left {
		m.done.Left = append(m.done.Left, g.TokenName)
	}
	return lerr
}
