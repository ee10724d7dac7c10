package daemon

import (
	"context"
	"net/http"

	"rotd/daemon/npm"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// postPasskey has a person add a software security key to an account, in a
// window on his display. From then on rotations pass npm's check by themselves.
func (d *Daemon) postPasskey(r *http.Request, st *store.Store, out *reply) error {
	var req ipc.AddPasskey
	if err := readBody(r, &req); err != nil {
		return err
	}
	if req.Display == nil {
		return &ipc.Error{Code: ipc.CodeNeedsApproval, Message: "a security key is added in a browser window, and there is no display",
			Hint: "run the command on your desktop; what it keeps goes to another machine by rot export"}
	}
	display, err := displayEnv(req.Display)
	if err != nil {
		return err
	}
	p, err := passcardOf(r.Context(), st, r.PathValue("ref"))
	if err != nil {
		return err
	}
	kept, err := st.Secret(r.Context(), p.ID, store.KindPasskey)
	if err != nil {
		return err
	}
	replace := !kept.IsZero()
	if replace && !req.Replace && !req.Interactive {
		return badRequest(passcardRef(p.ID)+" has a software security key already", "to have another one in its place: --replace")
	}
	if !d.inflight.begin() {
		return errStopping
	}
	defer d.inflight.end()
	s := out.begin(r, &d.questions)
	ctx, cancel := d.until(r.Context())
	defer cancel()
	if replace && !req.Replace {
		answer, err := s.ask(ctx, ipc.AskReplace, p.Username+" has a software security key already. Have another one in its place?")
		if err != nil {
			return err
		}
		if answer.Reveal() != "yes" {
			return &ipc.Error{Code: ipc.CodeCancelled, Message: "the security key that is kept stays"}
		}
	}
	if err := d.addPasskey(ctx, st, p, display, s); err != nil {
		return err
	}
	d.cfg.Log.Info("a software security key was added", "passcard", p.ID)
	d.note(context.WithoutCancel(ctx), store.LogEntry{Kind: store.LogPasskey, Passcard: p.ID, UID: uidOf(r), Detail: "added"})
	if err := d.revive(d.stop, st, p.ID, forPerson); err != nil {
		d.cfg.Log.Error("what waits for a person is not tried again", "passcard", p.ID, "err", err)
	}
	s.send(ipc.Event{Result: &ipc.Result{Passcard: passcardRef(p.ID), Username: p.Username}})
	return nil
}

// addPasskey opens the window, alone with the passcard.
func (d *Daemon) addPasskey(ctx context.Context, st *store.Store, p store.Passcard, display []string, s *stream) error {
	unlock, err := d.passcards.lock(ctx, p.ID, func() { s.step("", "waiting", "another run for this passcard goes first") })
	if err != nil {
		return err
	}
	defer d.kick()
	defer unlock()
	tell := func(name, text string) { s.step("", name, text) }
	return d.window(display, storeKeeper{st, p.ID}, s.gone, tell).AddKey(ctx, siteOf(p), p.Username)
}

// deletePasskey forgets the software security key of a passcard.
func (d *Daemon) deletePasskey(r *http.Request, st *store.Store, out *reply) error {
	p, err := passcardOf(r.Context(), st, r.PathValue("ref"))
	if err != nil {
		return err
	}
	kept, err := st.Secret(r.Context(), p.ID, store.KindPasskey)
	if err != nil {
		return err
	}
	gone := ipc.PasskeyGone{Name: npm.KeyName, At: npm.KeysPage(siteOf(p), p.Username)}
	if kept.IsZero() {
		return &ipc.Error{Code: ipc.CodeNotFound, Message: passcardRef(p.ID) + " keeps no software security key",
			Hint: "what npm has of an earlier one can be deleted at " + gone.At}
	}
	if err := st.PutSecret(r.Context(), p.ID, store.KindPasskey, secret.Text{}); err != nil {
		return err
	}
	d.note(r.Context(), store.LogEntry{Kind: store.LogPasskey, Passcard: p.ID, UID: uidOf(r), Detail: "forgotten"})
	return out.json(gone)
}

// passcardOf finds the passcard that a reference leads to.
func passcardOf(ctx context.Context, st *store.Store, ref string) (store.Passcard, error) {
	found, err := st.Resolve(ctx, ref)
	if err != nil {
		return store.Passcard{}, err
	}
	if found.Kind != store.RefPasscard {
		return store.Passcard{}, badRequest(rotRef(found.ID)+" is a ROT, and not a passcard", "rot ls shows whose it is")
	}
	return st.Passcard(ctx, found.ID)
}

// siteOf is where npm's pages are for a passcard.
func siteOf(p store.Passcard) string {
	if p.Site != "" {
		return p.Site
	}
	return npm.Site(p.Registry)
}
