package daemon

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rotd/daemon/npm"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

func TestWhenASessionIsLookedAt(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	p := store.Passcard{ID: "pas_a", Via: ipc.ViaWebsite, Checked: now}
	times := map[time.Duration]bool{}
	for i := range 100 {
		p.ID, p.Checked = fmt.Sprint("pas_", i), now.Add(time.Duration(i)*time.Hour)
		in := checkAt(p, p.Checked).Sub(p.Checked)
		if in < day || in >= day+checkJitter || checkAt(p, p.Checked.Add(time.Hour)).Sub(p.Checked) != in {
			t.Errorf("after %v", in)
		}
		times[in] = true
	}
	if len(times) < 90 {
		t.Errorf("%d different times of 100", len(times))
	}
	for name, c := range map[string]struct {
		p    store.Passcard
		want time.Time
	}{
		"the registry way":         {store.Passcard{Via: ipc.ViaRegistry}, never},
		"a person is awaited":      {store.Passcard{Via: ipc.ViaWebsite, Trouble: store.Trouble{Code: "needs_sign_in"}}, never},
		"the clock was set back":   {store.Passcard{Via: ipc.ViaWebsite, Checked: now.Add(40 * day)}, now},
		"it has never been looked": {store.Passcard{Via: ipc.ViaWebsite}, time.Time{}.Add(day)},
	} {
		if got := checkAt(c.p, now); !got.Equal(c.want) && got.Sub(c.want) > checkJitter {
			t.Errorf("%s: at %v", name, got)
		}
	}
}

// looked waits for a look of the timer and for what it has begun.
func (r *rig) looked(passcard string) {
	r.t.Helper()
	r.look()
	unlock, err := r.d.passcards.lock(r.t.Context(), passcard, func() {})
	if err != nil {
		r.t.Fatal(err)
	}
	unlock()
}

// A session that nothing uses is looked at once a day, and one that a rotation
// has used that day is not.
func TestTheDailyLook(t *testing.T) {
	r, s, passcard, rots := firstAtSite(t, "one")
	for d := 1; d <= 10; d++ {
		for range 28 {
			r.advance(time.Hour)
			r.looked(passcard)
		}
		if got := s.count(&s.checks); got != d {
			t.Fatalf("%d looks in %d days", got, d)
		}
		if d == 5 {
			if _, werr := r.stream(ipc.Path(ipc.PathRotate, rots[0]), ipc.Rotate{}); werr != nil {
				t.Fatal(werr)
			}
		}
	}
	if _, werr := r.stream(ipc.Path(ipc.PathRotate, rots[0]), ipc.Rotate{}); werr != nil {
		t.Fatal(werr)
	}
	r.advance(23 * time.Hour)
	r.looked(passcard)
	if got := s.count(&s.checks); got != 10 || s.open != 0 || r.rot(rots[0]).State != ipc.StateOK {
		t.Errorf("%d looks; %d browsers; %s", got, s.open, r.rot(rots[0]).State)
	}
}

// Where nothing depends on a session it is left alone.
func TestNobodysSessionIsNotLookedAt(t *testing.T) {
	r, s, passcard, _ := firstAtSite(t)
	r.advance(3 * day)
	r.looked(passcard)
	if s.checks != 0 {
		t.Errorf("%d looks for a passcard without a ROT", s.checks)
	}
	res, werr := r.stream(ipc.Path(ipc.PathRotate, passcard), ipc.Rotate{Shape: publish})
	if werr != nil {
		t.Fatal(werr)
	}
	var v ipc.ROT
	if werr := r.call("PUT", ipc.Path(ipc.PathSchedule, bare(res.Rotations[0].ROT)), ipc.Schedule{Off: true}, &v); werr != nil {
		t.Fatal(werr)
	}
	r.advance(3 * day)
	r.looked(passcard)
	if s.checks != 0 {
		t.Errorf("%d looks for a ROT that is not rotated by itself", s.checks)
	}
}

// What goes wrong at a look that is not the session's end alarms nobody, and is
// not tried again that day.
func TestALookThatFails(t *testing.T) {
	r, s, passcard, rots := firstAtSite(t, "one")
	for i, kind := range []error{npm.ErrUnreachable, npm.ErrBotCheck, npm.ErrPage, npm.ErrRateLimited} {
		s.leave(&npm.Error{Kind: kind, Message: "not now"})
		for range 28 {
			r.advance(time.Hour)
			r.looked(passcard)
		}
		if got := s.count(&s.checks); got != i+1 || r.rot(rots[0]).State != ipc.StateOK || len(r.told.states()) != 0 {
			t.Errorf("%v: %d looks in %d days, %s, told %q", kind, got, i+1, r.rot(rots[0]).State, r.told.states())
		}
	}
}

// The end of a session is told once, however many ROTs there are, and again when
// the end of a token comes near. Nobody guesses meanwhile.
func TestTheEndOfASession(t *testing.T) {
	r, s, passcard, rots := firstAtSite(t, "one", "two")
	old := r.token(rots[0])
	s.end()
	r.advance(day + checkJitter)
	r.await("the state", func() bool { return r.rot(rots[0]).State == ipc.StateNeedsSignIn })
	v, p := r.rot(rots[1]), r.passcard(passcard)
	if v.State != ipc.StateNeedsSignIn || v.LastError.Code != ipc.CodeNeedsSignIn || !strings.Contains(v.LastError.Hint, "rot approve rot://"+passcard) || v.Next == nil {
		t.Errorf("the other ROT: %+v, %+v", v, v.LastError)
	}
	if p.Trouble == nil || p.Trouble.Code != ipc.CodeNeedsSignIn {
		t.Errorf("the passcard: %+v", p)
	}
	r.await("the notice", func() bool { r.look(); return len(r.told.states()) == 1 })
	n := r.told.all[0]
	if n.State != ipc.StateNeedsSignIn || n.Passcard != passcardRef(passcard) || n.ROT != "" || n.Expires == nil || !strings.Contains(n.Text, "run: rot approve rot://"+passcard) {
		t.Errorf("told %+v", n)
	}
	for range 40 {
		r.advance(day)
		r.looked(passcard)
	}
	if s.checks != 1 || len(r.told.states()) != 1 {
		t.Errorf("in 40 days: %d looks, told %d times", s.checks, len(r.told.states()))
	}
	r.advance(20 * day) // they are due now, and tried once each at most
	r.looked(passcard)
	for _, rot := range rots {
		if v := r.rot(rot); v.State != ipc.StateNeedsSignIn || v.Next != nil || v.Generation != 1 {
			t.Errorf("when it is due: %+v", v)
		}
	}
	for range 14 {
		r.advance(day)
		r.looked(passcard)
	}
	r.advance(7 * day)
	r.looked(passcard)
	r.await("to be told again", func() bool { return len(r.told.states()) >= 2 })
	told := r.told.states()
	if slices.ContainsFunc(told, func(s string) bool { return s != ipc.StateNeedsSignIn }) {
		t.Errorf("told %q", told)
	}
	if s.signIns != 1 || !r.token(rots[0]).Value.Equal(old.Value.Text) {
		t.Errorf("%d sign-ins", s.signIns)
	}
}

// Whoever signs in again by rot connect or by rot approve has everything go on.
func TestASessionComesBack(t *testing.T) {
	for name, back := range map[string]func(r *rig, passcard string) (*ipc.Result, *ipc.Error){
		"connect": func(r *rig, _ string) (*ipc.Result, *ipc.Error) {
			return r.stream(ipc.PathPasscards, r.bySite())
		},
		"approve": func(r *rig, _ string) (*ipc.Result, *ipc.Error) {
			res, werr, asked := r.answers(ipc.PathApprove, ipc.Approve{Interactive: true}, map[string]func() string{ipc.AskPassword: func() string { return password }})
			if len(asked) != 1 {
				r.t.Errorf("asked %q", asked)
			}
			return res, werr
		},
		"approve in a window": func(r *rig, passcard string) (*ipc.Result, *ipc.Error) {
			return r.stream(ipc.PathApprove, ipc.Approve{Ref: passcard, Display: &ipc.Display{X11: ":7"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, s, passcard, rots := firstAtSite(t, "one", "two")
			s.end()
			r.advance(61 * day)
			for _, rot := range rots {
				r.await("the state", func() bool { v := r.rot(rot); return v.State == ipc.StateNeedsSignIn && v.Next == nil })
			}
			if _, werr := r.stream(ipc.PathApprove, ipc.Approve{}); werr == nil || werr.Code != ipc.CodeNeedsSignIn || !strings.Contains(werr.Hint, "rot approve") {
				t.Errorf("approve with nobody there: %+v", werr)
			}
			_, werr := r.stream(ipc.Path(ipc.PathRotate, rots[0]), ipc.Rotate{})
			if werr == nil || werr.Code != ipc.CodeNeedsSignIn || !strings.Contains(werr.Hint, "rot approve rot://"+rots[0]) {
				t.Errorf("rotate with nobody there: %+v", werr)
			}
			before := s.shown
			res, werr := back(r, passcard)
			if werr != nil {
				t.Fatal(werr)
			}
			if strings.HasPrefix(name, "approve") && (!slices.Equal(res.SignedIn, []string{passcardRef(passcard)}) || len(res.Rotations) != 2 || (s.shown > before) != strings.HasSuffix(name, "window")) {
				t.Errorf("%+v; %d shown", res, s.shown-before)
			}
			for _, rot := range rots {
				r.await("the rotation", func() bool { v := r.rot(rot); return v.State == ipc.StateOK && v.Generation > 1 })
			}
			if p := r.passcard(passcard); p.Trouble != nil || s.signIns != 2 {
				t.Errorf("%+v; %d sign-ins", p, s.signIns)
			}
			r.looked(passcard)
			if got := r.told.states(); !slices.Equal(got, []string{ipc.StateNeedsSignIn}) {
				t.Errorf("told %q", got)
			}
			if res, werr := r.stream(ipc.PathApprove, ipc.Approve{}); werr != nil || len(res.SignedIn)+len(res.Rotations) != 0 {
				t.Errorf("afterwards waits: %+v, %v", res, werr)
			}
		})
	}
}

// A session that is seen to have ended only at a look comes back without a
// rotation: none is due.
func TestApproveOnlySignsIn(t *testing.T) {
	r, s, passcard, rots := firstAtSite(t, "one")
	s.end()
	r.advance(day + checkJitter)
	r.await("the state", func() bool { return r.rot(rots[0]).State == ipc.StateNeedsSignIn })
	word := map[string]func() string{ipc.AskPassword: func() string { return "wrong-EXAMPLE" }}
	if _, werr, _ := r.answers(ipc.PathApprove, ipc.Approve{Interactive: true}, word); werr == nil || werr.Code != ipc.CodeWrongPassword || r.rot(rots[0]).State != ipc.StateNeedsSignIn {
		t.Errorf("with a wrong password: %+v", werr)
	}
	word[ipc.AskPassword] = func() string { return password }
	res, werr, _ := r.answers(ipc.PathApprove, ipc.Approve{Ref: rots[0], Interactive: true}, word)
	if werr != nil || !slices.Equal(res.SignedIn, []string{passcardRef(passcard)}) || len(res.Rotations) != 0 {
		t.Errorf("%+v, %v", res, werr)
	}
	if v := r.rot(rots[0]); v.State != ipc.StateOK || v.Generation != 1 || v.LastError != nil {
		t.Errorf("%+v", v)
	}
	if n := len(r.entries(passcard, store.LogApproved)); n != 1 {
		t.Errorf("%d approvals in the log", n)
	}
}

// A sign-in that would come too soon is put off, and nobody is alarmed: what is
// remembered will do at the next look.
func TestARenewalIsPutOff(t *testing.T) {
	r, s, passcard, rots := firstAtSite(t, "one")
	req := r.bySite()
	req.Remember = []string{"password"}
	if _, werr := r.stream(ipc.PathPasscards, req); werr != nil {
		t.Fatal(werr)
	}
	before := s.signIns
	s.end()
	unlock, err := r.d.passcards.lock(t.Context(), passcard, func() {})
	if err != nil {
		t.Fatal(err)
	}
	r.advance(day + checkJitter)
	if err := r.d.signIns.begin(r.url, user, r.clock(), true); err != nil {
		t.Fatal(err)
	}
	unlock()
	r.await("the look", func() bool { r.looked(passcard); return s.count(&s.checks) == 1 })
	r.looked(passcard)
	if v := r.rot(rots[0]); v.State != ipc.StateOK || s.signIns != before || len(r.told.states()) != 0 {
		t.Errorf("%s; %d sign-ins; told %q", v.State, s.signIns-before, r.told.states())
	}
	r.advance(day + checkJitter)
	r.await("the renewal", func() bool { r.looked(passcard); return s.count(&s.signIns) == before+1 })
}

// What is remembered renews a session without anybody; what is remembered wrong
// is tried once.
func TestWhatIsRememberedRenewsASession(t *testing.T) {
	r, s, passcard, rots := firstAtSite(t, "one")
	req := r.bySite()
	req.Remember = []string{"password"}
	if _, werr := r.stream(ipc.PathPasscards, req); werr != nil {
		t.Fatal(werr)
	}
	before := s.signIns
	s.end()
	r.advance(day + checkJitter)
	r.await("the sign-in", func() bool { return s.count(&s.signIns) == before+1 })
	r.looked(passcard)
	if v := r.rot(rots[0]); v.State != ipc.StateOK || len(r.told.states()) != 0 {
		t.Errorf("%+v, told %q", v, r.told.states())
	}
	if err := r.d.store.Load().PutSecret(t.Context(), passcard, store.KindPassword, secret.New("stale-EXAMPLE")); err != nil {
		t.Fatal(err)
	}
	s.end()
	for range 70 {
		r.advance(day)
		r.looked(passcard)
	}
	v := r.rot(rots[0])
	if v.State != ipc.StateNeedsSignIn || v.LastError.Code != ipc.CodeWrongPassword {
		t.Errorf("with a stale password: %+v, %+v", v, v.LastError)
	}
	if tries := s.signIns - before - 1; tries > 2 { // the look, and the rotation when it was due
		t.Errorf("npm saw the wrong password %d times", tries)
	}
	req.Remember = nil
	if _, werr := r.stream(ipc.PathPasscards, req); werr != nil { // what is kept is renewed
		t.Fatal(werr)
	}
	r.await("the rotation", func() bool { v := r.rot(rots[0]); return v.State == ipc.StateOK && v.Generation > 1 })
}
