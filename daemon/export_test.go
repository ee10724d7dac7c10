package daemon

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"rotd/daemon/parcel"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// keys are a key pair of age, as the API takes it.
func keys(t *testing.T) (recipient string, identity secret.Wire) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id.Recipient().String(), secret.NewWire(id.String())
}

func (r *rig) exports(ref string, req ipc.Export) *ipc.Exported {
	r.t.Helper()
	res, werr := r.stream(ipc.Path(ipc.PathExport, ref), req)
	if werr != nil {
		r.t.Fatal(werr)
	}
	return res.Export
}

// A passcard goes to another machine, which rotates with nobody there, while the
// first one goes on as before.
func TestExportAndImport(t *testing.T) {
	here, there := newRig(t), newRig(t)
	passcard, rot := here.first()
	recipient, identity := keys(t)
	out := here.exports(passcard, ipc.Export{Recipients: []string{recipient}})
	if !slices.Equal(out.Kept, []string{"password", "session", "totp"}) || out.PasskeyStays || strings.Contains(out.File, totpSeed) {
		t.Errorf("%+v", out)
	}
	res, werr := there.stream(ipc.PathImport, ipc.Import{File: out.File, Identity: identity, Name: "ada"})
	if werr != nil {
		t.Fatal(werr)
	}
	if res.Username != user || res.Import.Renewed || res.Import.Trouble != nil || !slices.Equal(res.Import.Kept, out.Kept) || bare(res.Passcard) == passcard {
		t.Errorf("%+v, %+v", res, res.Import)
	}
	made, werr := there.stream(ipc.Path(ipc.PathRotate, "ada"), ipc.Rotate{Shape: publish})
	if werr != nil {
		t.Fatal(werr)
	}
	if !here.accepts(there.token(bare(made.Rotations[0].ROT))) || !here.accepts(here.token(rot)) {
		t.Error("a token is not accepted")
	}
	if n := len(here.entries(passcard, store.LogExported)); n != 1 {
		t.Errorf("%d exports in the log", n)
	}
	if n := len(there.entries(bare(res.Passcard), store.LogImported)); n != 1 {
		t.Errorf("%d imports in the log", n)
	}

	// Once more: the passcard is renewed, and its session has ended meanwhile.
	here.advance(2 * day)
	again, werr := there.stream(ipc.PathImport, ipc.Import{File: out.File, Identity: identity})
	if werr != nil {
		t.Fatal(werr)
	}
	if again.Passcard != res.Passcard || !again.Import.Renewed || again.Import.Trouble == nil || again.Import.Trouble.Code != ipc.CodeSessionExpired {
		t.Errorf("%+v, %+v", again, again.Import)
	}
	if _, err := there.d.store.Load().Resolve(t.Context(), "ada"); err != nil {
		t.Errorf("the name is gone: %v", err)
	}
}

// A software security key stays, unless it is to move; its count is then ahead
// of what is used here meanwhile, and never goes back.
func TestExportWithAPasskey(t *testing.T) {
	here, there := newRig(t), newRig(t)
	passcard := here.connect()
	kept := `{"rpId":"localhost","credentialId":"a2V5","privateKey":"RVhBTVBMRQ==","signCount":7,"isResidentCredential":true}`
	if err := here.d.store.Load().PutSecret(t.Context(), passcard, store.KindPasskey, secret.New(kept)); err != nil {
		t.Fatal(err)
	}
	recipient, identity := keys(t)
	if out := here.exports(passcard, ipc.Export{Recipients: []string{recipient}}); !out.PasskeyStays || slices.Contains(out.Kept, "passkey") {
		t.Errorf("it does not stay: %+v", out)
	}
	out := here.exports(passcard, ipc.Export{Recipients: []string{recipient}, Passkey: true})
	if out.PasskeyStays || !slices.Contains(out.Kept, "passkey") {
		t.Errorf("it does not move: %+v", out)
	}
	var moved string
	for _, ahead := range []int64{0, 5000} { // the second time it has been used there
		res, werr := there.stream(ipc.PathImport, ipc.Import{File: out.File, Identity: identity})
		if werr != nil {
			t.Fatal(werr)
		}
		moved = bare(res.Passcard)
		k := there.passkey(moved)
		if k.SignCount < max(7+countGap, ahead) || k.CredentialID != "a2V5" {
			t.Errorf("the count is %d", k.SignCount)
		}
		k.SignCount = 5000
		raw, err := json.Marshal(k)
		if err == nil {
			err = there.d.store.Load().PutSecret(t.Context(), moved, store.KindPasskey, secret.New(string(raw)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if k := here.passkey(passcard); k.SignCount != 7 {
		t.Errorf("the count here is %d", k.SignCount)
	}
}

// A passphrase is asked for twice, and once to open the file.
func TestExportAsksForAPassphrase(t *testing.T) {
	defer func(was int) { parcel.Work = was }(parcel.Work)
	parcel.Work = 10
	r := newRig(t)
	passcard := r.connect()
	path := ipc.Path(ipc.PathExport, passcard)
	said := func(words ...string) map[string]func() string {
		return map[string]func() string{ipc.AskFileKey: func() string { w := words[0]; words = words[1:]; return w }}
	}
	if _, werr, _ := r.answers(path, ipc.Export{Interactive: true}, said("short")); werr == nil || !strings.Contains(werr.Message, "too short") || werr.Code != ipc.CodeBadRequest {
		t.Errorf("a short one: %+v", werr)
	}
	if _, werr, _ := r.answers(path, ipc.Export{Interactive: true}, said("some words EXAMPLE", "other words EXAMPLE")); werr == nil || !strings.Contains(werr.Message, "not the same") {
		t.Errorf("two different ones: %+v", werr)
	}
	res, werr, asked := r.answers(path, ipc.Export{Interactive: true}, said("some words EXAMPLE", "some words EXAMPLE"))
	if werr != nil || len(asked) != 2 {
		t.Fatalf("%v, asked %q", werr, asked)
	}
	in := ipc.Import{File: res.Export.File, Interactive: true}
	if _, werr, _ := r.answers(ipc.PathImport, in, said("wrong words EXAMPLE")); werr == nil || werr.Code != ipc.CodeBadFile || !strings.Contains(werr.Message, "the passphrase is wrong") {
		t.Errorf("a wrong one: %+v", werr)
	}
	if _, werr, asked := r.answers(ipc.PathImport, in, said("some words EXAMPLE")); werr != nil || len(asked) != 1 {
		t.Errorf("%v, asked %q", werr, asked)
	}
	in.Interactive = false
	if _, werr := r.stream(ipc.PathImport, in); werr == nil || !strings.Contains(werr.Hint, "--passphrase-file") {
		t.Errorf("with nobody there: %+v", werr)
	}
}

func TestExportIsRefused(t *testing.T) {
	r := newRig(t)
	passcard, rot := r.first()
	for name, tc := range map[string]struct {
		ref  string
		req  ipc.Export
		code ipc.Code
	}{
		"to nobody":     {passcard, ipc.Export{}, ipc.CodeBadRequest},
		"to both":       {passcard, ipc.Export{Passphrase: secret.NewWire("some words EXAMPLE"), Recipients: []string{"age1"}}, ipc.CodeBadRequest},
		"no recipient":  {passcard, ipc.Export{Recipients: []string{"ada"}}, ipc.CodeBadRequest},
		"a short one":   {passcard, ipc.Export{Passphrase: secret.NewWire("EXAMPLE")}, ipc.CodeBadRequest},
		"a ROT":         {rot, ipc.Export{Recipients: []string{"age1"}}, ipc.CodeBadRequest},
		"nothing there": {"pas_aaaa", ipc.Export{}, ipc.CodeNotFound},
	} {
		if _, werr := r.stream(ipc.Path(ipc.PathExport, tc.ref), tc.req); werr == nil || werr.Code != tc.code || werr.Hint == "" {
			t.Errorf("%s: %+v", name, werr)
		}
	}
}

// What a file says of an account is checked before anything is kept: whoever
// knows a recipient can make one.
func TestImportIsRefused(t *testing.T) {
	r := newRig(t)
	recipient, identity := keys(t)
	to, err := parcel.Recipients([]string{recipient})
	if err != nil {
		t.Fatal(err)
	}
	good := parcel.Parcel{Registry: r.url, Username: user, Via: ipc.ViaRegistry, Secrets: map[string]secret.Wire{"password": secret.NewWire(password)}}
	for name, spoil := range map[string]func(p *parcel.Parcel){
		"a registry in the clear": func(p *parcel.Parcel) { p.Registry = "http://registry.example" },
		"no registry at all":      func(p *parcel.Parcel) { p.Registry = "nothing" },
		"a site in the clear":     func(p *parcel.Parcel) { p.Site = "http://site.example" },
		"no user":                 func(p *parcel.Parcel) { p.Username = "" },
		"a strange user":          func(p *parcel.Parcel) { p.Username = "../ada" },
		"no way":                  func(p *parcel.Parcel) { p.Via = "" },
		"a way not agreed to":     func(p *parcel.Parcel) { p.Via = ipc.ViaWebsite },
		"a strange name":          func(p *parcel.Parcel) { p.Name = "pas ada" },
		"a strange secret":        func(p *parcel.Parcel) { p.Secrets = map[string]secret.Wire{"recovery": secret.NewWire("x")} },
		"an empty secret":         func(p *parcel.Parcel) { p.Secrets = map[string]secret.Wire{"totp": {}} },
		"a passkey that is none":  func(p *parcel.Parcel) { p.Secrets = map[string]secret.Wire{"passkey": secret.NewWire("{}")} },
	} {
		p := good
		spoil(&p)
		text, err := parcel.Seal(p, to...)
		if err != nil {
			t.Fatal(err)
		}
		if _, werr := r.stream(ipc.PathImport, ipc.Import{File: text, Identity: identity}); werr == nil || werr.Code != ipc.CodeBadFile || werr.Hint == "" {
			t.Errorf("%s: %+v", name, werr)
		}
	}
	for name, req := range map[string]ipc.Import{
		"not a file": {File: "hello", Identity: identity}, "no file": {}, "no key": {File: "hello", Identity: secret.NewWire("EXAMPLE")},
	} {
		if _, werr := r.stream(ipc.PathImport, req); werr == nil || werr.Code != ipc.CodeBadFile {
			t.Errorf("%s: %+v", name, werr)
		}
	}
	if rec := r.do("POST", ipc.PathImport, ipc.Import{File: strings.Repeat("x", maxImport)}); rec.Code != 400 {
		t.Errorf("a huge one: %d", rec.Code)
	}
	if all, err := r.d.store.Load().Passcards(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%d passcards, %v", len(all), err)
	}
	good.Name = "rot"
	text, err := parcel.Seal(good, to...)
	if err != nil {
		t.Fatal(err)
	}
	if _, werr := r.stream(ipc.PathImport, ipc.Import{File: text, Identity: identity}); werr != nil {
		t.Errorf("a good one: %v", werr)
	}
}
