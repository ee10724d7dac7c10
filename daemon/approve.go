package daemon

import (
	"context"
	"errors"
	"net/http"

	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// postApproval finishes what waits for a person: in a window where the caller
// has a display, else by questions. The codes that npm gives for one check
// serve everything of its passcard.
func (d *Daemon) postApproval(r *http.Request, st *store.Store, out *reply) error {
	var req ipc.Approve
	if err := readBody(r, &req); err != nil {
		return err
	}
	display, err := displayEnv(req.Display)
	if err != nil {
		return err
	}
	waiting, err := d.waiting(r.Context(), st, req.Ref)
	if err != nil {
		return err
	}
	s := out.begin(r, &d.questions)
	d.work.Add(1)
	defer d.work.Done()
	a := &approval{d: d, st: st, s: s, display: display, uid: uidOf(r)}
	if req.Interactive {
		a.ask = s.ask
	}
	var result ipc.Result
	for _, w := range waiting {
		if err := a.run(d.stop, w, &result); err != nil {
			if len(waiting) == 1 {
				return err
			}
			result.Rotations = append(result.Rotations, ipc.Rotation{ROT: w.any(), Error: toWire(err)})
		}
	}
	if len(result.Rotations) == 1 && len(result.Settled)+len(result.SignedIn) == 0 && result.Rotations[0].Error != nil {
		return result.Rotations[0].Error
	}
	s.send(ipc.Event{Result: &result})
	return nil
}

// waits is what waits for a person at one passcard: npm's sign-in, ROTs to
// rotate, and ROTs whose old values are to be revoked.
type waits struct {
	passcard       string
	signIn         bool
	rotate, settle []string
}

// any is the reference of something that waits.
func (w waits) any() string {
	for _, id := range append(w.rotate, w.settle...) {
		return rotRef(id)
	}
	return passcardRef(w.passcard)
}

// waiting collects what waits behind a reference, by passcard; the empty one
// means all.
func (d *Daemon) waiting(ctx context.Context, st *store.Store, ref string) ([]waits, error) {
	var only store.Ref
	if ref != "" {
		var err error
		if only, err = st.Resolve(ctx, ref); err != nil {
			return nil, err
		}
	}
	passcards, err := st.Passcards(ctx)
	if err != nil {
		return nil, err
	}
	var all []waits
	for _, p := range passcards {
		rots, err := st.ROTsOf(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		w := waits{passcard: p.ID}
		meant := only.ID == "" || only.ID == p.ID
		for _, r := range rots {
			if !meant && only.ID != r.ID {
				continue
			}
			w.signIn = p.Trouble.Code != ""
			if waitsForPerson(r) { // a rotation settles what is old, too
				w.rotate = append(w.rotate, r.ID)
			} else if d.settles.wantsPerson(r.ID) {
				w.settle = append(w.settle, r.ID)
			}
		}
		w.signIn = w.signIn || meant && p.Trouble.Code != ""
		if w.signIn || len(w.rotate)+len(w.settle) > 0 {
			all = append(all, w)
		}
	}
	return all, nil
}

func waitsForPerson(r store.ROT) bool { return ipc.Code(r.Trouble.Code).Exit() == ipc.ExitPerson }

// approval is one run of postApproval.
type approval struct {
	d       *Daemon
	st      *store.Store
	s       *stream
	ask     asker
	display []string // nil: no window
	uid     *uint32
}

// run does what waits at one passcard, up to the first thing for which the
// person was not there after all. The error is of what all of it has in common.
func (a *approval) run(ctx context.Context, w waits, into *ipc.Result) error {
	unlock, err := a.d.passcards.lock(ctx, w.passcard, func() { a.s.step("", "waiting", "another run for this passcard goes first") })
	if err != nil {
		return err
	}
	defer a.d.kick()
	defer unlock()
	p, err := a.st.Passcard(ctx, w.passcard)
	if err != nil {
		return err
	}
	var word typed
	if len(w.rotate) > 0 && p.Via == ipc.ViaRegistry {
		if word, err = a.password(ctx, p); err != nil {
			return err
		}
	}
	acct, err := a.d.open(ctx, a.st, p.ID, presence{
		ask: a.ask, display: a.display, gone: a.s.gone, password: word.value,
		tell: func(name, text string) { a.s.step("", name, text) },
	})
	if err != nil {
		return err
	}
	defer a.d.closeAccount(ctx, acct)
	if w.signIn {
		if err := a.signIn(ctx, acct, p, into); err != nil {
			return err
		}
	}
	good, there := a.rotate(ctx, acct, p, w.rotate, word, into)
	if there {
		good = a.settle(ctx, acct, w.settle, into) || good
	}
	if good || w.signIn {
		a.d.note(ctx, store.LogEntry{Kind: store.LogApproved, Passcard: p.ID, UID: a.uid, Detail: p.Username})
	}
	if w.signIn { // what was not meant goes on by itself
		return a.d.revive(ctx, a.st, p.ID, func(c ipc.Code) bool { return c == ipc.CodeNeedsSignIn })
	}
	return nil
}

// signIn brings a session back that has ended.
func (a *approval) signIn(ctx context.Context, acct npmAccount, p store.Passcard, into *ipc.Result) error {
	if err := acct.SignIn(ctx); err != nil {
		wire := *toWire(err)
		if wire.Code == ipc.CodeNeedsSignIn {
			wire.Hint = personHint(wire.Code, passcardRef(p.ID)) + ", on a terminal or with a display"
		}
		return &wire
	}
	into.SignedIn = append(into.SignedIn, passcardRef(p.ID))
	return nil
}

// rotate rotates what waits. It is over when it has to wait still: then there
// is false.
func (a *approval) rotate(ctx context.Context, acct npmAccount, p store.Passcard, rots []string, word typed, into *ipc.Result) (good, there bool) {
	for _, id := range rots {
		rot, err := a.st.ROT(ctx, id)
		if err == nil && !waitsForPerson(rot) {
			continue // another run went first
		}
		done := a.d.rotateEach(ctx, a.st, acct, []string{id}, nil, a.s.step)[0]
		into.Rotations = append(into.Rotations, done)
		if done.Error == nil {
			good = true
			a.keep(ctx, p, &word)
		} else if done.Error.Code.Exit() == ipc.ExitPerson {
			return good, false
		}
	}
	return good, true
}

// settle has revoked what only a person can have revoked.
func (a *approval) settle(ctx context.Context, acct npmAccount, rots []string, into *ipc.Result) (good bool) {
	for _, id := range rots {
		a.d.settle(ctx, a.st, acct, id)
		if a.d.settles.wantsPerson(id) {
			into.Rotations = append(into.Rotations, ipc.Rotation{ROT: rotRef(id), Error: errStillOld(id)})
			return good
		}
		good = true
		into.Settled = append(into.Settled, rotRef(id))
	}
	return good
}

func errStillOld(id string) *ipc.Error {
	return &ipc.Error{Code: ipc.CodeNeedsApproval, Message: "npm's check was not passed: the old token is not revoked yet", Hint: personHint(ipc.CodeNeedsApproval, rotRef(id))}
}

// personHint says how a person gets going again what a reference leads to.
func personHint(c ipc.Code, ref string) string {
	switch c {
	case ipc.CodeNeedsSignIn:
		return "sign in to npm again: rot approve " + ref
	case ipc.CodeBotCheck: // nothing that could be kept passes it
		return "pass it yourself, in a while, as trying often makes it worse: rot approve " + ref
	}
	return "pass npm's check yourself: rot approve " + ref + "; or let rotd keep what npm asks for: rot connect npm --help"
}

// typed is the account's password, which npm's API wants with every new token.
type typed struct {
	value    secret.Text // zero: it is kept
	remember bool        // once npm has taken it
}

// password asks for what is not kept, before anything else is begun.
func (a *approval) password(ctx context.Context, p store.Passcard) (word typed, err error) {
	kept, err := a.st.Secret(ctx, p.ID, store.KindPassword)
	if err != nil && !errors.Is(err, store.ErrNotFound) || !kept.IsZero() {
		return word, err
	}
	if a.ask == nil {
		return word, &ipc.Error{Code: ipc.CodeNeedsApproval, Message: "npm's password of " + p.Username + " is needed, and nobody is there to type it",
			Hint: "run the command on a terminal, or let rotd keep the password: rot connect npm --remember password"}
	}
	if word.value, err = a.ask(ctx, ipc.AskPassword, "npm password of "+p.Username); err != nil {
		return word, err
	}
	answer, err := a.ask(ctx, ipc.AskRecall, mayKeepPassword)
	word.remember = answer.Reveal() == "yes"
	return word, err
}

// keep seals a password that npm has taken, if the person said so.
func (a *approval) keep(ctx context.Context, p store.Passcard, word *typed) {
	if !word.remember {
		return
	}
	word.remember = false
	if err := a.st.PutSecret(context.WithoutCancel(ctx), p.ID, store.KindPassword, word.value); err != nil {
		a.d.cfg.Log.Error("the password was not kept", "passcard", p.ID, "err", err)
	}
}
