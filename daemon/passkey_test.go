package daemon

import (
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rotd/daemon/browser/xvfb"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// addsKey has a person add a security key at a display: he signs in, enters a
// code, goes to the list of keys, and names his new one when rotd is ready. When
// he has had enough he closes the window; nil: never.
func (r *rig) addsKey(d *xvfb.Display, passcard string, req ipc.AddPasskey, enough func() bool) (*ipc.Result, *ipc.Error) {
	r.t.Helper()
	ready := func() int { return strings.Count(r.log.String(), "attached to npm's settings") }
	before, had := ready(), len(r.npm.SecurityKeys())
	var typed time.Time
	var ended atomic.Bool
	var werr *ipc.Error
	var res *ipc.Result
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer ended.Store(true)
		res, werr = r.stream(ipc.Path(ipc.PathPasskey, passcard), req)
	}()
	d.Asked, d.Log = r.asked, r.log.String
	d.Enter(func() bool { return ended.Load() || enough != nil && enough() },
		xvfb.Page{Title: "Sign In", Text: func() string { return user + "\t" + password + "\n" }},
		xvfb.Page{Title: "Enter a One-time", Text: func() string { return r.code() + "\n" }},
		xvfb.Page{Title: "Two-Factor Auth", Text: func() string { d.Find("Manage Security Keys"); return "\n" }},
		xvfb.Page{Title: "Security Keys", Text: func() string {
			r.await("rotd at the settings", func() bool { return ready() > before || ended.Load() })
			if len(r.npm.SecurityKeys()) > had || time.Since(typed) < 10*time.Second { // he waits for what comes of it
				return ""
			}
			typed = time.Now()
			d.Find("Security key name")
			d.Key("Tab")
			d.Type("rotd")
			time.Sleep(600 * time.Millisecond) // few hands are faster
			return "\n"
		}})
	if enough != nil {
		d.Key("ctrl+w")
	}
	<-done
	return res, werr
}

func (r *rig) passkey(passcard string) (k ipc.Passkey) {
	r.t.Helper()
	text, err := r.d.store.Load().Secret(r.t.Context(), passcard, store.KindPasskey)
	if err != nil {
		r.t.Fatal(err)
	}
	if !text.IsZero() {
		if err := json.Unmarshal([]byte(text.Reveal()), &k); err != nil {
			r.t.Fatal(err)
		}
	}
	return k
}

// The whole of it: a person adds the key once; rotations pass npm's check by it
// with nobody there, each with a higher count; and then it is forgotten.
func TestSoftwarePasskey(t *testing.T) {
	r, passcard, rots := waitingRig(t)
	d := xvfb.Start(t)
	display := r.chromium(d)
	res, werr := r.addsKey(d, passcard, ipc.AddPasskey{Display: display}, nil)
	if werr != nil || res.Username != user {
		t.Fatalf("%+v, %v", res, werr)
	}
	d.Gone("npm")
	var all struct{ Passcards []ipc.Passcard }
	if werr := r.call("GET", ipc.PathPasscards, nil, &all); werr != nil || !slices.Contains(all.Passcards[0].Remembered, "passkey") {
		t.Errorf("%+v, %v", all, werr)
	}
	last := r.passkey(passcard).SignCount
	for range 2 {
		old := r.token(rots[0])
		if _, werr := r.stream(ipc.Path(ipc.PathRotate, rots[0]), ipc.Rotate{}); werr != nil {
			t.Fatal(werr)
		}
		if !r.accepts(r.token(rots[0])) || r.accepts(old) {
			t.Error("not rotated")
		}
		kept, npms := r.passkey(passcard).SignCount, r.npm.SecurityKeys()[0].SignCount
		if kept <= last || kept < int64(npms) || npms == 0 {
			t.Errorf("the count was %d, is %d, at npm %d", last, kept, npms)
		}
		last = kept
	}
	if n := len(r.entries(passcard, store.LogPasskey)); n != 1 {
		t.Errorf("%d entries in the log", n)
	}

	// Another one of that name npm does not take, though it answers with 200: the
	// first one stays, and is good.
	first := r.passkey(passcard)
	_, werr = r.addsKey(d, passcard, ipc.AddPasskey{Display: display, Replace: true}, func() bool {
		return strings.Contains(r.log.String(), "npm did not take the key")
	})
	if werr == nil || werr.Code != ipc.CodeRefused || !strings.Contains(werr.Message, "npm did not take it: A security key with this name exists already") {
		t.Errorf("a name that is taken: %+v", werr)
	}
	if k := r.passkey(passcard); k.CredentialID != first.CredentialID || k.SignCount < first.SignCount {
		t.Errorf("the first key is gone: %+v", k)
	}
	if _, werr := r.stream(ipc.Path(ipc.PathRotate, rots[0]), ipc.Rotate{}); werr != nil {
		t.Error(werr)
	}

	var gone ipc.PasskeyGone
	if werr := r.call("DELETE", ipc.Path(ipc.PathPasskey, passcard), nil, &gone); werr != nil {
		t.Fatal(werr)
	}
	if want := (ipc.PasskeyGone{Name: "rotd", At: r.url + "/settings/ada/tfa"}); gone != want {
		t.Errorf("%+v", gone)
	}
	if werr := r.call("DELETE", ipc.Path(ipc.PathPasskey, passcard), nil, nil); werr == nil || werr.Code != ipc.CodeNotFound {
		t.Errorf("a second time: %v", werr)
	}
	if res, _ := r.stream(ipc.Path(ipc.PathRotate, rots[0]), ipc.Rotate{}); res != nil && res.Rotations[0].Error == nil {
		t.Error("rotated without the key")
	}
}

func TestAddPasskeyIsRefused(t *testing.T) {
	r := newRig(t)
	passcard, rot := r.first()
	path := ipc.Path(ipc.PathPasskey, passcard)
	for name, tc := range map[string]struct {
		path string
		req  ipc.AddPasskey
		code ipc.Code
		says string
	}{
		"no display":      {path, ipc.AddPasskey{}, ipc.CodeNeedsApproval, "there is no display"},
		"a bad display":   {path, ipc.AddPasskey{Display: &ipc.Display{X11: "; rm"}}, ipc.CodeBadRequest, "names no display"},
		"a display's end": {path, ipc.AddPasskey{Display: &ipc.Display{X11: ":7654"}}, ipc.CodeNeedsApproval, "no window could be opened"},
		"a ROT":           {ipc.Path(ipc.PathPasskey, rot), ipc.AddPasskey{Display: &ipc.Display{X11: ":1"}}, ipc.CodeBadRequest, "is a ROT"},
		"nothing":         {ipc.Path(ipc.PathPasskey, "pas_aaaa"), ipc.AddPasskey{Display: &ipc.Display{X11: ":1"}}, ipc.CodeNotFound, ""},
	} {
		if _, werr := r.stream(tc.path, tc.req); werr == nil || werr.Code != tc.code || !strings.Contains(werr.Message, tc.says) {
			t.Errorf("%s: %+v", name, werr)
		}
	}
	kept := secret.New(`{"credentialId":"b2xkIEVYQU1QTEU="}`)
	if err := r.d.store.Load().PutSecret(t.Context(), passcard, store.KindPasskey, kept); err != nil {
		t.Fatal(err)
	}
	req := ipc.AddPasskey{Display: &ipc.Display{X11: ":7654"}}
	if _, werr := r.stream(path, req); werr == nil || !strings.Contains(werr.Hint, "--replace") {
		t.Errorf("with a key already: %+v", werr)
	}
	req.Interactive = true
	_, werr, asked := r.answers(path, req, map[string]func() string{ipc.AskReplace: func() string { return "no" }})
	if werr == nil || werr.Code != ipc.CodeCancelled || len(asked) != 1 {
		t.Errorf("not to be replaced: %+v, asked %q", werr, asked)
	}
	if now, err := r.d.store.Load().Secret(t.Context(), passcard, store.KindPasskey); err != nil || !now.Equal(kept) {
		t.Errorf("the key that was kept is gone: %v", err)
	}
}
