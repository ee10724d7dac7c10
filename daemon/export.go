package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"filippo.io/age"

	"rotd/daemon/parcel"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// countGap is how far ahead the count of a software security key is set that
// goes to another machine. A use here, after it was packed, then cannot make npm
// see it go back there.
const countGap = 1000

// postExport packs a passcard into a file for another machine. It is encrypted
// here: nothing else leaves the daemon.
func (d *Daemon) postExport(r *http.Request, st *store.Store, out *reply) error {
	var req ipc.Export
	if err := readBody(r, &req); err != nil {
		return err
	}
	p, err := passcardOf(r.Context(), st, r.PathValue("ref"))
	if err != nil {
		return err
	}
	switch {
	case !req.Passphrase.IsZero() && len(req.Recipients) > 0:
		return badRequest("the file is opened by a passphrase or by keys, not by both", "give --passphrase-file or --recipient")
	case req.Passphrase.IsZero() && len(req.Recipients) == 0 && !req.Interactive:
		return badRequest("it is not said who may open the file, and nobody is there to be asked for a passphrase", "say so: --recipient age1… or --passphrase-file F")
	}
	if !d.inflight.begin() {
		return errStopping
	}
	defer d.inflight.end()
	s := out.begin(r, &d.questions)
	ctx, cancel := d.until(r.Context())
	defer cancel()
	to, err := recipients(ctx, s, &req)
	if err != nil {
		return err
	}
	done, err := d.export(ctx, st, p, req.Passkey, to, s)
	if err != nil {
		return err
	}
	d.note(ctx, store.LogEntry{Kind: store.LogExported, Passcard: p.ID, UID: uidOf(r), Detail: strings.Join(done.Kept, ", ")})
	s.send(ipc.Event{Result: &ipc.Result{Passcard: passcardRef(p.ID), Username: p.Username, Export: done}})
	return nil
}

// recipients are who may open the file. A passphrase is asked for twice.
func recipients(ctx context.Context, s *stream, req *ipc.Export) ([]age.Recipient, error) {
	if len(req.Recipients) > 0 {
		return parcel.Recipients(req.Recipients)
	}
	if !req.Passphrase.IsZero() {
		return parcel.To(req.Passphrase.Text)
	}
	first, err := s.ask(ctx, ipc.AskFileKey, "a passphrase for the file")
	if err != nil {
		return nil, err
	}
	to, err := parcel.To(first)
	if err != nil {
		return nil, err
	}
	again, err := s.ask(ctx, ipc.AskFileKey, "the same once more")
	if err == nil && !again.Equal(first) {
		err = badRequest("the two passphrases are not the same", "run the command again")
	}
	return to, err
}

// export packs the passcard, alone with it, and seals it.
func (d *Daemon) export(ctx context.Context, st *store.Store, p store.Passcard, withPasskey bool, to []age.Recipient, s *stream) (*ipc.Exported, error) {
	unlock, err := d.passcards.lock(ctx, p.ID, func() { s.step("", "waiting", "another run for this passcard goes first") })
	if err != nil {
		return nil, err
	}
	defer d.kick()
	defer unlock()
	kinds, err := st.Kinds(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	done := &ipc.Exported{Kept: []string{}}
	secrets := make(map[string]secret.Wire)
	for _, k := range kinds {
		if k == store.KindPasskey && !withPasskey {
			done.PasskeyStays = true
			continue
		}
		v, err := st.Secret(ctx, p.ID, k)
		if err == nil && k == store.KindPasskey {
			v, err = ahead(v)
		}
		if err != nil {
			return nil, err
		}
		secrets[string(k)] = secret.Wire{Text: v}
		done.Kept = append(done.Kept, string(k))
	}
	slices.Sort(done.Kept)
	done.File, err = parcel.Seal(parcel.Parcel{
		Exported: d.cfg.Now().UTC(),
		Registry: p.Registry, Username: p.Username, Name: p.Name, Via: p.Via, Site: p.Site, Terms: p.Terms,
		Secrets: secrets,
	}, to...)
	return done, err
}

// ahead is a passkey whose count nobody else will reach.
func ahead(passkey secret.Text) (secret.Text, error) {
	var k ipc.Passkey
	if json.Unmarshal([]byte(passkey.Reveal()), &k) != nil { // whose text would quote it
		return passkey, errors.New("the software security key that is kept cannot be read")
	}
	k.SignCount += countGap
	raw, err := json.Marshal(k)
	return secret.New(string(raw)), err
}
