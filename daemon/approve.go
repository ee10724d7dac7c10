package daemon

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"rotd/daemon/npm"
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
			result.Rotations = append(result.Rotations, ipc.Rotation{ROT: rotRef(w.any()), Error: toWire(err)})
		}
	}
	if len(result.Rotations) == 1 && len(result.Settled) == 0 && result.Rotations[0].Error != nil {
		return result.Rotations[0].Error
	}
	s.send(ipc.Event{Result: &result})
	return nil
}

// waits is what waits for a person at one passcard: ROTs to rotate, and ROTs
// whose old values are to be revoked.
type waits struct {
	passcard       string
	rotate, settle []string
}

func (w waits) any() string { return append(w.rotate, w.settle...)[0] }

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
	rots, err := st.ROTs(ctx)
	if err != nil {
		return nil, err
	}
	var all []waits
	for _, r := range rots {
		person, old := waitsForPerson(r), d.settles.wantsPerson(r.ID)
		if only.ID != "" && only.ID != r.ID && only.ID != r.Passcard || !person && !old {
			continue
		}
		i := slices.IndexFunc(all, func(w waits) bool { return w.passcard == r.Passcard })
		if i < 0 {
			i, all = len(all), append(all, waits{passcard: r.Passcard})
		}
		if person { // a rotation settles what is old, too
			all[i].rotate = append(all[i].rotate, r.ID)
		} else {
			all[i].settle = append(all[i].settle, r.ID)
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
	if len(w.rotate) > 0 {
		if word, err = a.password(ctx, p); err != nil {
			return err
		}
	}
	acct, err := a.account(p, word.value)
	if err != nil {
		return err
	}
	good := false
	for _, id := range w.rotate {
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
			w.settle = nil
			break
		}
	}
	for _, id := range w.settle {
		a.d.settle(ctx, a.st, acct, id)
		if a.d.settles.wantsPerson(id) {
			into.Rotations = append(into.Rotations, ipc.Rotation{ROT: rotRef(id), Error: errStillOld(id)})
			break
		}
		good = true
		into.Settled = append(into.Settled, rotRef(id))
	}
	if good {
		a.d.note(ctx, store.LogEntry{Kind: store.LogApproved, Passcard: p.ID, UID: a.uid, Detail: p.Username})
	}
	return nil
}

func errStillOld(id string) *ipc.Error {
	return &ipc.Error{Code: ipc.CodeNeedsApproval, Message: "npm's check was not passed: the old token is not revoked yet", Hint: approveHint(id)}
}

// approveHint says how a person gets a ROT going again.
func approveHint(id string) string {
	return "pass npm's check yourself: rot approve " + rotRef(id) + "; or let rotd keep what npm asks for: rot connect npm --help"
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

// account is the npm account of a person who is there.
func (a *approval) account(p store.Passcard, password secret.Text) (*npm.Account, error) {
	tell := func(name, text string) { a.s.step("", name, text) }
	keep := storeKeeper{a.st, p.ID}
	cfg := npm.Config{Registry: p.Registry, Username: p.Username, Password: password, Terminal: a.display == nil && a.ask != nil}
	if a.display != nil {
		cfg.Pages = a.d.window(a.display, keep, a.s.gone, tell)
	}
	return a.d.account(cfg, keep, a.ask, tell)
}
