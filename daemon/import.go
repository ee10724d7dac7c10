package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"filippo.io/age"

	"rotd/daemon/npm"
	"rotd/daemon/parcel"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// maxImport is a file of the largest size as a string of JSON, whose line ends
// take two bytes, and what stands around it.
const maxImport = parcel.Max + parcel.Max/16 + maxBody

// postImport makes a passcard from a file of postExport, or renews the one that
// the account has, and looks whether npm takes its session. What npm says is
// told; the passcard is kept in any case.
func (d *Daemon) postImport(r *http.Request, st *store.Store, out *reply) error {
	var req ipc.Import
	if err := readBody(r, &req); err != nil {
		return err
	}
	if req.Name != "" {
		if err := store.ValidName(req.Name); err != nil {
			return badRequest(err.Error(), store.HintOf(err))
		}
	}
	if !d.inflight.begin() {
		return errStopping
	}
	defer d.inflight.end()
	s := out.begin(r, &d.questions)
	ctx, cancel := d.until(r.Context())
	defer cancel()
	by, err := identities(ctx, s, &req)
	if err != nil {
		return err
	}
	pc, err := parcel.Open(req.File, by...)
	if err != nil {
		return err
	}
	m := &importing{d: d, st: st, s: s, name: req.Name}
	p, err := m.run(ctx, pc)
	if err != nil {
		return err
	}
	d.note(context.WithoutCancel(ctx), store.LogEntry{Kind: store.LogImported, Passcard: p.ID, UID: uidOf(r), Detail: strings.Join(m.done.Kept, ", ")})
	if err := d.revive(d.stop, st, p.ID, forPerson); err != nil {
		d.cfg.Log.Error("what waits for a person is not tried again", "passcard", p.ID, "err", err)
	}
	s.send(ipc.Event{Result: &ipc.Result{Passcard: passcardRef(p.ID), Username: p.Username, Import: &m.done}})
	return nil
}

// identities are what the file may be opened by; a passphrase is asked for where
// it wants one.
func identities(ctx context.Context, s *stream, req *ipc.Import) ([]age.Identity, error) {
	switch {
	case !req.Identity.IsZero():
		return parcel.Identities(req.Identity.Text)
	case !req.Passphrase.IsZero():
		return parcel.By(req.Passphrase.Text)
	case !parcel.WantsPassphrase(req.File):
		return nil, nil // what is wrong, Open says
	case !req.Interactive:
		return nil, badRequest("the file opens by a passphrase, and nobody is there to type it", "name the file that it is in: --passphrase-file F")
	}
	v, err := s.ask(ctx, ipc.AskFileKey, "passphrase of the file")
	if err != nil {
		return nil, err
	}
	return parcel.By(v)
}

// importing is one run of postImport.
type importing struct {
	d    *Daemon
	st   *store.Store
	s    *stream
	name string // that the user wants
	done ipc.Imported
}

func (m *importing) run(ctx context.Context, pc parcel.Parcel) (p store.Passcard, err error) {
	if p, err = passcardIn(pc); err != nil {
		return p, err
	}
	secrets, err := secretsIn(pc)
	if err != nil {
		return p, err
	}
	busy := func() { m.s.step("", "waiting", "another run for this account goes first") }
	unlock, err := m.d.passcards.lock(ctx, p.Registry+" "+strings.ToLower(p.Username), busy)
	if err != nil {
		return p, err
	}
	defer unlock()
	was, err := m.st.PasscardByAccount(ctx, p.Registry, p.Username)
	if err == nil {
		if unlock, err = m.d.passcards.lock(ctx, was.ID, busy); err != nil {
			return p, err
		}
		defer m.d.kick()
		defer unlock()
		if err := m.renews(ctx, &p, was, secrets); err != nil {
			return p, err
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		return p, err
	}
	if p.Name, err = m.named(ctx, was, p.Name); err != nil {
		return p, err
	}
	if p, err = m.st.Connect(ctx, p, secrets); err != nil {
		return p, err
	}
	for k := range secrets {
		m.done.Kept = append(m.done.Kept, string(k))
	}
	slices.Sort(m.done.Kept)
	m.look(ctx, p)
	return p, nil
}

// renews puts p in the place of the passcard that the account has. What that
// one keeps beside stays, and a key's count does not go back.
func (m *importing) renews(ctx context.Context, p *store.Passcard, was store.Passcard, secrets map[store.Kind]secret.Text) error {
	m.done.Renewed = true
	p.ID, p.Username = was.ID, was.Username
	if p.Terms.IsZero() { // a word once given stays
		p.Terms = was.Terms
	}
	kept, err := m.st.Secret(ctx, was.ID, store.KindPasskey)
	if err != nil || kept.IsZero() || secrets[store.KindPasskey].IsZero() {
		return err
	}
	var here, there ipc.Passkey
	if json.Unmarshal([]byte(kept.Reveal()), &here) != nil || json.Unmarshal([]byte(secrets[store.KindPasskey].Reveal()), &there) != nil ||
		here.CredentialID != there.CredentialID || here.SignCount <= there.SignCount {
		return nil
	}
	secrets[store.KindPasskey] = kept
	return nil
}

// named is the name of the passcard: the one that the user wants, the one that
// it has, or the one in the file, if that is free.
func (m *importing) named(ctx context.Context, was store.Passcard, filed string) (string, error) {
	switch {
	case m.name != "":
		return m.name, nil
	case was.ID != "" || filed == "":
		return was.Name, nil
	}
	if _, err := m.st.Resolve(ctx, filed); errors.Is(err, store.ErrNotFound) {
		return filed, nil
	} else if err != nil && !errors.Is(err, store.ErrAmbiguous) {
		return "", err
	}
	m.s.step("", "name", "the name "+filed+" is taken here: the passcard has none")
	return "", nil
}

// look asks npm whether it takes the session, and renews nothing.
func (m *importing) look(ctx context.Context, p store.Passcard) {
	m.s.step("", "looking", "asking npm whether it takes the session of "+p.Username)
	tell := func(name, text string) { m.s.step("", name, text) }
	acct, err := m.d.open(ctx, m.st, p.ID, presence{tell: tell})
	if err == nil {
		if c, ok := acct.(interface{ Check(context.Context) error }); ok {
			err = c.Check(ctx)
		}
		m.d.closeAccount(ctx, acct)
	}
	if err != nil {
		why := *toWire(err)
		if why.Code == ipc.CodeSessionExpired {
			why.Hint = "the next rotation signs in anew, by what is kept; what is not kept it asks for: rot approve"
		}
		m.done.Trouble = &why
	}
}

// passcardIn checks the account in a file.
func passcardIn(pc parcel.Parcel) (p store.Passcard, err error) {
	p = store.Passcard{Username: pc.Username, Name: pc.Name, Via: pc.Via, Terms: pc.Terms}
	bad := func(what string) (store.Passcard, error) {
		return p, &ipc.Error{Code: ipc.CodeBadFile, Message: "the file opens, and " + what + " in it is none", Hint: "make it by rot export"}
	}
	if p.Registry, err = npm.ParseRegistry(pc.Registry); err != nil || pc.Registry == "" {
		return bad("the registry")
	}
	if pc.Site != "" {
		if p.Site, err = npm.ParseSite(pc.Site, p.Registry); err != nil {
			return bad("the website")
		}
	}
	if _, err := npm.NewAccount(npm.Config{Registry: p.Registry, Username: pc.Username}); err != nil || pc.Username == "" {
		return bad("the user name")
	}
	if pc.Via != ipc.ViaRegistry && (pc.Via != ipc.ViaWebsite || pc.Terms.IsZero()) {
		return bad("the way to npm")
	}
	if pc.Name != "" && store.ValidName(pc.Name) != nil {
		return bad("the name")
	}
	return p, nil
}

// kinds are the secrets that a file may hold.
var kinds = append([]store.Kind{store.KindSession, store.KindCookies}, rememberable...)

// secretsIn checks the secrets in a file.
func secretsIn(pc parcel.Parcel) (map[store.Kind]secret.Text, error) {
	all := make(map[store.Kind]secret.Text)
	for name, v := range pc.Secrets {
		k := store.Kind(name)
		var key ipc.Passkey
		known := slices.Contains(kinds, k) && !v.IsZero()
		if k == store.KindPasskey && (json.Unmarshal([]byte(v.Reveal()), &key) != nil || key.CredentialID == "" || key.PrivateKey.IsZero()) {
			known = false
		}
		if !known {
			return nil, &ipc.Error{Code: ipc.CodeBadFile, Message: fmt.Sprintf("the file opens, and the secret %.20q in it is none", name), Hint: "make it by rot export"}
		}
		all[k] = v.Text
	}
	return all, nil
}
