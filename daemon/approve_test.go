package daemon

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"rotd/daemon/browser/xvfb"
	"rotd/daemon/npm/sandbox"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/ipc/socket"
	"rotd/store"
)

// waitingRig is an account whose authenticator only the person has, with two
// ROTs that wait for him.
func waitingRig(t *testing.T) (r *rig, passcard string, rots []string) {
	t.Helper()
	r = newRig(t)
	res, werr := r.stream(ipc.PathPasscards, ipc.Connect{
		Registry: r.url, Username: user, Password: secret.NewWire(password), TOTPSecret: secret.NewWire(totpSeed),
		Remember: []string{"totp", "password"}, Terminal: true,
	})
	if werr != nil {
		t.Fatal(werr)
	}
	passcard = bare(res.Passcard)
	for _, name := range []string{"one", "two"} {
		res, werr := r.stream(ipc.Path(ipc.PathRotate, passcard), ipc.Rotate{Name: name, Shape: publish})
		if werr != nil {
			t.Fatal(werr)
		}
		rots = append(rots, bare(res.Rotations[0].ROT))
	}
	r.forget(passcard, store.KindTOTP)
	r.d.cfg.Browser = "/nowhere/chromium"
	if _, werr := r.stream(ipc.Path(ipc.PathRotate, passcard), ipc.Rotate{}); werr != nil {
		t.Fatal(werr)
	}
	for _, rot := range rots {
		if v := r.rot(rot); v.State != ipc.StateNeedsApproval || !strings.Contains(v.LastError.Hint, "rot approve rot://"+rot) {
			t.Fatalf("after a rotation without a person: %+v, %+v", v, v.LastError)
		}
	}
	return r, passcard, rots
}

// forget takes a secret out of a passcard.
func (r *rig) forget(passcard string, kind store.Kind) {
	r.t.Helper()
	if err := r.d.store.Load().PutSecret(context.Background(), passcard, kind, secret.Text{}); err != nil {
		r.t.Fatal(err)
	}
}

// answers runs a request to its end, with a person who answers by kind of
// question; it returns the kinds asked.
func (r *rig) answers(path string, in any, answers map[string]func() string) (res *ipc.Result, werr *ipc.Error, asked []string) {
	r.t.Helper()
	srv := r.listen()
	for ev, err := range srv.Stream(r.t.Context(), path, in) {
		switch {
		case err != nil:
			return nil, toWire(err), asked
		case ev.Result != nil:
			return ev.Result, nil, asked
		case ev.Question != nil:
			asked = append(asked, ev.Question.Kind)
			f, ok := answers[ev.Question.Kind]
			if !ok {
				r.t.Fatalf("asked for %s", ev.Question.Kind)
			}
			if err := srv.Post(r.t.Context(), ipc.Path(ipc.PathAnswer, ev.Question.ID), ipc.Answer{Value: secret.NewWire(f())}, nil); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	r.t.Fatal("the stream ended in nothing")
	return
}

// listen serves the rig on a socket.
func (r *rig) listen() *ipc.Client {
	r.t.Helper()
	ln, err := socket.Listen(r.t.Context(), newPlace(r.t).dir+"/s")
	if err != nil {
		r.t.Fatal(err)
	}
	srv := r.d.server()
	go func() { _ = srv.Serve(newFairListener(ln)) }()
	r.t.Cleanup(func() { _ = srv.Close() })
	return &ipc.Client{Socket: ln.Addr().String()}
}

func (r *rig) code() string {
	code, err := totp.GenerateCode(totpSeed, r.clock())
	if err != nil {
		r.t.Error(err)
	}
	return code
}

// Everything due for a passcard is one approval: one code for two ROTs.
func TestApproveAtATerminal(t *testing.T) {
	r, passcard, rots := waitingRig(t)
	old := []ipc.Token{r.token(rots[0]), r.token(rots[1])}
	res, werr, asked := r.answers(ipc.PathApprove, ipc.Approve{Interactive: true}, map[string]func() string{ipc.AskOTP: r.code})
	if werr != nil || len(res.Rotations) != 2 || !slices.Equal(asked, []string{ipc.AskOTP}) {
		t.Fatalf("%+v, %v; asked %q", res, werr, asked)
	}
	for i, rot := range rots {
		if v := r.rot(rot); v.State != ipc.StateOK || v.Generation == 1 || !r.accepts(r.token(rot)) || r.accepts(old[i]) {
			t.Errorf("afterwards: %+v", v)
		}
	}
	if n := len(r.entries(passcard, store.LogApproved)); n != 1 {
		t.Errorf("%d approvals in the log, want 1", n)
	}
	if res, werr := r.stream(ipc.PathApprove, ipc.Approve{}); werr != nil || len(res.Rotations) != 0 {
		t.Errorf("when nothing waits: %+v, %v", res, werr)
	}
}

func TestApproveOne(t *testing.T) {
	r, _, rots := waitingRig(t)
	_, werr, _ := r.answers(ipc.PathApprove, ipc.Approve{Ref: rots[1], Interactive: true}, map[string]func() string{ipc.AskOTP: r.code})
	if werr != nil || r.rot(rots[1]).State != ipc.StateOK || r.rot(rots[0]).State != ipc.StateNeedsApproval {
		t.Errorf("%v: %+v, %+v", werr, r.rot(rots[0]), r.rot(rots[1]))
	}
	if _, werr := r.stream(ipc.PathApprove, ipc.Approve{Ref: "nobody"}); werr == nil || werr.Code != ipc.CodeNotFound {
		t.Errorf("an unknown reference: %v", werr)
	}
}

// A password that is not kept is asked for once, and kept if the person says so.
func TestApproveAsksForThePassword(t *testing.T) {
	for _, keep := range []string{"no", "yes"} {
		r, passcard, _ := waitingRig(t)
		r.forget(passcard, store.KindPassword)
		if _, werr := r.stream(ipc.PathApprove, ipc.Approve{Ref: passcard}); werr == nil || werr.Code != ipc.CodeNeedsApproval {
			t.Errorf("with nobody there: %v", werr)
		}
		res, werr, asked := r.answers(ipc.PathApprove, ipc.Approve{Ref: passcard, Interactive: true}, map[string]func() string{
			ipc.AskPassword: func() string { return password }, ipc.AskRecall: func() string { return keep }, ipc.AskOTP: r.code})
		if werr != nil || len(res.Rotations) != 2 || !slices.Equal(asked, []string{ipc.AskPassword, ipc.AskRecall, ipc.AskOTP}) {
			t.Fatalf("%+v, %v; asked %q", res, werr, asked)
		}
		kept, err := r.d.store.Load().Secret(t.Context(), passcard, store.KindPassword)
		if err != nil || (kept.Reveal() == password) != (keep == "yes") {
			t.Errorf("asked to keep: %s; kept: %v, %v", keep, !kept.IsZero(), err)
		}
	}
}

// Without anybody there, and with a wrong code, the old tokens stay.
func TestApproveFails(t *testing.T) {
	r, passcard, rots := waitingRig(t)
	old := r.token(rots[0])
	stays := func(after string) {
		t.Helper()
		if r.token(rots[0]).Generation != 1 || !r.accepts(old) {
			t.Errorf("after %s the old token is gone", after)
		}
	}
	if _, werr := r.stream(ipc.PathApprove, ipc.Approve{Ref: rots[0]}); werr == nil || werr.Code != ipc.CodeNeedsApproval {
		t.Errorf("with nobody there: %v", werr)
	}
	stays("nobody was there")
	_, werr, _ := r.answers(ipc.PathApprove, ipc.Approve{Ref: rots[0], Interactive: true}, map[string]func() string{ipc.AskOTP: func() string { return "000000" }})
	if werr == nil || werr.Code != ipc.CodeWrongCode {
		t.Errorf("with a wrong code: %v", werr)
	}
	stays("a wrong code")
	if n := len(r.entries(passcard, store.LogApproved)); n != 0 {
		t.Errorf("%d approvals in the log, want none", n)
	}
}

// What only a person can revoke waits for him, too.
func TestApproveRevokes(t *testing.T) {
	r, _, rots := waitingRig(t)
	leaked := r.token(rots[0])
	if _, werr := r.stream(ipc.Path(ipc.PathRevoke, rots[0]), ipc.Revoke{}); werr != nil {
		t.Fatal(werr)
	}
	if !r.accepts(leaked) {
		t.Fatal("npm revoked it without its second factor")
	}
	res, werr, _ := r.answers(ipc.PathApprove, ipc.Approve{Ref: rots[0], Interactive: true}, map[string]func() string{ipc.AskOTP: r.code})
	if werr != nil || r.accepts(leaked) || !slices.Equal(res.Settled, []string{"rot://" + rots[0]}) {
		t.Errorf("%+v, %v; npm accepts it: %v", res, werr, r.accepts(leaked))
	}
}

func TestDisplays(t *testing.T) {
	for name, tc := range map[string]struct {
		d    *ipc.Display
		want []string // nil: refused
	}{
		"X":                     {&ipc.Display{X11: ":0", XAuthority: "/run/user/1000/xauth"}, []string{"DISPLAY=:0", "XAUTHORITY=/run/user/1000/xauth"}},
		"X by ssh":              {&ipc.Display{X11: "localhost:10.0"}, []string{"DISPLAY=localhost:10.0"}},
		"Wayland":               {&ipc.Display{Wayland: "wayland-0", RuntimeDir: "/run/user/1000"}, []string{"WAYLAND_DISPLAY=wayland-0", "XDG_RUNTIME_DIR=/run/user/1000"}},
		"Wayland by path":       {&ipc.Display{Wayland: "/run/w"}, []string{"WAYLAND_DISPLAY=/run/w"}},
		"an option":             {&ipc.Display{X11: ":0 --remote-debugging-port=1"}, nil},
		"a line end":            {&ipc.Display{X11: ":0\nLD_PRELOAD=/x"}, nil},
		"a relative path":       {&ipc.Display{X11: ":0", XAuthority: "x"}, nil},
		"a path that climbs":    {&ipc.Display{X11: ":0", XAuthority: "/run/../etc/x"}, nil},
		"a path of lines":       {&ipc.Display{Wayland: "w", RuntimeDir: "/run\nX=1"}, nil},
		"a Wayland that climbs": {&ipc.Display{Wayland: "../x"}, nil},
		"no name":               {&ipc.Display{XAuthority: "/x"}, nil},
	} {
		got, err := displayEnv(tc.d)
		if !slices.Equal(got, tc.want) || (err == nil) != (tc.want != nil) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if env, err := displayEnv(nil); env != nil || err != nil {
		t.Errorf("none: %q, %v", env, err)
	}
}

// atWindow has a person pass what opens on a display, while the daemon works on
// a request.
func atWindow(r *rig, d *xvfb.Display, path string, in any) (*ipc.Result, *ipc.Error) {
	var ended atomic.Bool
	type outcome struct {
		res  *ipc.Result
		werr *ipc.Error
	}
	done := make(chan outcome, 1)
	go func() {
		defer ended.Store(true)
		res, werr := r.stream(path, in)
		done <- outcome{res, werr}
	}()
	d.Asked, d.Log = r.asked, r.log.String
	d.Enter(ended.Load,
		xvfb.Page{Title: "Sign In", Text: func() string { return user + "\t" + password + "\n" }},
		xvfb.Page{Title: "Enter a One-time", Text: func() string { return r.code() + "\n" }})
	o := <-done
	if strings.Contains(r.log.String(), "something else was attached") {
		r.t.Error("the person was not alone with npm's page")
	}
	return o.res, o.werr
}

// windows counts those that were opened.
func (r *rig) windows() int { return strings.Count(r.log.String(), `msg="browser started"`) }

// asked is what npm knows of a person at its pages.
func (r *rig) asked() (sent int, asks bool) { return sandbox.Asked(r.npm.Requests()) }

func (r *rig) chromium(d *xvfb.Display) *ipc.Display {
	r.d.cfg.Browser, r.d.cfg.BrowserNoSandbox = "", os.Getuid() == 0
	return &ipc.Display{X11: d.Name}
}

// The whole of it: one window, in which the person signs in and passes the
// check, serves two ROTs.
func TestApproveInAWindow(t *testing.T) {
	r, passcard, rots := waitingRig(t)
	d := xvfb.Start(t)
	res, werr := atWindow(r, d, ipc.PathApprove, ipc.Approve{Ref: passcard, Display: r.chromium(d)})
	if werr != nil || len(res.Rotations) != 2 {
		t.Fatalf("%+v, %v", res, werr)
	}
	for _, rot := range rots {
		if v := r.rot(rot); v.State != ipc.StateOK || v.Generation == 1 || !r.accepts(r.token(rot)) {
			t.Errorf("afterwards: %+v", v)
		}
	}
	r.npmHolds(2)
	if n := r.windows(); n != 1 {
		t.Errorf("%d windows, want one", n)
	}
	d.Gone("npm")
	if left, _ := os.ReadDir(profileDir(r.d.cfg)); len(left) != 0 {
		t.Errorf("%d profiles are left", len(left))
	}
}

// A window closed early, one that nobody uses, and a display that is not there
// change nothing, and only one window opens.
func TestApproveInAWindowThatIsNotPassed(t *testing.T) {
	r, passcard, rots := waitingRig(t)
	d := xvfb.Start(t)
	display := r.chromium(d)
	old := r.token(rots[0])
	for _, tc := range []struct {
		name    string
		time    time.Duration
		display *ipc.Display
		hands   func()
		says    string
		hint    string
	}{
		{"closed early", 0, display, func() { d.Window("Sign In"); d.Key("ctrl+w") }, "the window was closed", "rot approve"},
		{"left alone", time.Second, display, func() {}, "nobody passed the check within 1s", "rot approve"},
		{"no display", 0, &ipc.Display{X11: ":7654"}, func() {}, "no window could be opened", "--terminal"},
	} {
		before := r.windows()
		r.d.cfg.WindowTime = tc.time
		done := make(chan *ipc.Error, 1)
		go func() {
			_, werr := r.stream(ipc.PathApprove, ipc.Approve{Ref: passcard, Display: tc.display})
			done <- werr
		}()
		tc.hands()
		werr := <-done
		if werr == nil || werr.Code != ipc.CodeNeedsApproval || !strings.Contains(werr.Message, tc.says) || !strings.Contains(werr.Hint, tc.hint) {
			t.Errorf("%s: %+v", tc.name, werr)
		}
		for _, rot := range rots {
			if v := r.rot(rot); v.State != ipc.StateNeedsApproval || v.Generation != 1 {
				t.Errorf("%s: %+v", tc.name, v)
			}
		}
		if n := r.windows() - before; n > 1 || !r.accepts(old) {
			t.Errorf("%s: %d windows, the old token is accepted: %v", tc.name, n, r.accepts(old))
		}
		d.Gone("npm")
	}
}

// When rot is ended the window goes.
func TestApproveIsEnded(t *testing.T) {
	r, passcard, rots := waitingRig(t)
	d := xvfb.Start(t)
	display := r.chromium(d)
	client := r.listen()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range client.Stream(ctx, ipc.PathApprove, ipc.Approve{Ref: passcard, Display: display}) {
		}
	}()
	d.Window("Sign In")
	cancel()
	<-done
	d.Gone("npm")
	r.await("the end of the rotation", func() bool { return r.rot(rots[0]).State == ipc.StateNeedsApproval })
}

// Signing in for the first time needs no questions where there is a display.
func TestConnectInAWindow(t *testing.T) {
	r := newRig(t)
	d := xvfb.Start(t)
	res, werr := atWindow(r, d, ipc.PathPasscards, ipc.Connect{Registry: r.url, Display: r.chromium(d)})
	if werr != nil || res.Username != user {
		t.Fatalf("%+v, %v", res, werr)
	}
	kinds, err := r.d.store.Load().Kinds(t.Context(), bare(res.Passcard))
	if err != nil || !slices.Contains(kinds, store.KindCookies) || !slices.Contains(kinds, store.KindSession) || slices.Contains(kinds, store.KindPassword) {
		t.Errorf("kept %v, %v", kinds, err)
	}
	d.Gone("npm")
}
