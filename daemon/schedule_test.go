package daemon

import (
	"testing"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

func TestTheTimerRotatesWhatIsDue(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	before := r.token(rot)
	if next := *r.rot(rot).Next; next.After(r.clock().Add(60*day)) || next.Before(r.clock().Add(55*day)) {
		t.Errorf("next is %v, want near two thirds of 90 days", next.Sub(r.clock()))
	}

	r.advance(50 * day)
	if work, _, err := r.d.due(t.Context(), time.Time{}); err != nil || len(work) != 0 {
		t.Fatalf("due on day 50: %v, %v", work, err)
	}
	// The session that npm gave at the start has long ended by now.
	r.advance(11 * day)
	r.await("the rotation on day 61", func() bool { return r.token(rot).Generation == 2 })
	r.await("the end of it", func() bool { return r.rot(rot).State == ipc.StateOK })
	after := r.token(rot)
	if r.accepts(before) || !r.accepts(after) {
		t.Error("npm does not refuse the old value, or not take the new one")
	}
}

func TestAFailureBacksOffAndIsTriedAgain(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	r.switches(`{"faults":[{"path":"/-/npm/v1/tokens","method":"POST","count":2,"kind":"status","status":503}]}`)
	r.advance(61 * day)
	r.await("the first failure", func() bool { return r.rot(rot).State == ipc.StateFailing })
	v := r.rot(rot)
	if v.LastError.Code != ipc.CodeRegistryError || v.LastError.Hint == "" || v.Generation != 1 {
		t.Errorf("after a 503: %+v, %+v", v, v.LastError)
	}
	if pause := v.Next.Sub(r.clock()); pause < time.Minute || pause > 2*time.Minute {
		t.Errorf("the next try is in %v", pause)
	}
	if !r.accepts(r.token(rot)) {
		t.Error("the old value is gone")
	}
	r.advance(2 * time.Minute)
	r.await("the second failure", func() bool { return r.rot(rot).Next.Sub(r.clock()) > 119*time.Second })
	r.advance(5 * time.Minute)
	r.await("the rotation", func() bool { return r.rot(rot).State == ipc.StateOK && r.token(rot).Generation > 1 })
}

func TestAPersonIsNotRetried(t *testing.T) {
	r := newRig(t)
	passcard, rot := r.first()
	for _, kind := range rememberable {
		if err := r.d.store.Load().PutSecret(t.Context(), passcard, kind, secret.Text{}); err != nil {
			t.Fatal(err)
		}
	}
	r.advance(61 * day)
	r.await("the question", func() bool { return r.rot(rot).State == ipc.StateNeedsApproval })
	if v := r.rot(rot); v.Next != nil || v.LastError.Code.Exit() != ipc.ExitPerson {
		t.Errorf("next %v, error %+v", v.Next, v.LastError)
	}
	if !r.accepts(r.token(rot)) {
		t.Error("the old value is gone")
	}
}

func TestAnExpiredValueIsServedAndSaidToBe(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	r.switches(`{"faults":[{"path":"/-/","count":-1,"kind":"cut"}]}`)
	r.advance(91 * day)
	if tk := r.token(rot); tk.Expires == nil || tk.Expires.After(r.clock()) {
		t.Errorf("it says that it expires %v", tk.Expires)
	}
	r.await("the failure", func() bool { return r.rot(rot).State == ipc.StateExpired && r.rot(rot).LastError != nil })
}

// TestOneWrongPasswordIsEnough has a kept password that is not right any more,
// three ROTs that are due, and an old token that npm has not deleted yet. A day
// later npm has seen one wrong password, and connecting again mends it all.
func TestOneWrongPasswordIsEnough(t *testing.T) {
	r := newRig(t)
	passcard, rot := r.first()
	for _, name := range []string{"b", "c"} {
		if _, err := r.stream("/v1/rotations/"+passcard, ipc.Rotate{Name: name, Shape: publish}); err != nil {
			t.Fatal(err)
		}
	}
	st := r.d.store.Load()
	if err := st.PutSecret(t.Context(), passcard, store.KindPassword, secret.New("stale-EXAMPLE")); err != nil {
		t.Fatal(err)
	}
	asked := len(r.npm.Requests())
	r.advance(61 * day)
	r.await("the refusal of all three", func() bool {
		for _, v := range r.rots() {
			if v.LastError == nil || v.LastError.Code != ipc.CodeWrongPassword || v.Next != nil {
				return false
			}
		}
		return true
	})
	for range 24 {
		r.advance(time.Hour)
		if work, _, err := r.d.due(t.Context(), time.Time{}); err != nil || len(work) != 0 {
			t.Fatalf("due: %v, %v", work, err)
		}
	}
	wrong := 0
	for _, q := range r.npm.Requests()[asked:] {
		if q.Status == 401 && q.Method == "PUT" { // signing in
			wrong++
		}
	}
	if wrong != 1 {
		t.Errorf("npm saw %d wrong passwords", wrong)
	}
	if !r.accepts(r.token(rot)) {
		t.Error("the old value is gone")
	}
	if again := r.connect(); again != passcard {
		t.Fatalf("connected %s", again)
	}
	r.await("all three rotations", func() bool {
		for _, v := range r.rots() {
			if v.State != ipc.StateOK || v.Generation < 2 {
				return false
			}
		}
		return true
	})
}

func TestSettlingDoesNotGuess(t *testing.T) {
	r := newRig(t)
	passcard, rot := r.first()
	r.switches(`{"delete_lies":true}`)
	if res, err := r.stream("/v1/rotations/"+rot, ipc.Rotate{}); err != nil || res.Rotations[0].RevokedOld {
		t.Fatalf("%+v, %v", res, err)
	}
	st := r.d.store.Load()
	for _, kind := range []store.Kind{store.KindPassword, store.KindSession} {
		if err := st.PutSecret(t.Context(), passcard, kind, secret.New("stale-EXAMPLE")); err != nil {
			t.Fatal(err)
		}
	}
	r.await("the wrong password", func() bool {
		r.advance(time.Minute)
		return r.rot(rot).State != ipc.StateOK
	})
	asked := len(r.npm.Requests())
	for range 12 {
		r.advance(time.Hour)
		if work, _, err := r.d.due(t.Context(), time.Time{}); err != nil || len(work) != 0 {
			t.Fatalf("due: %v, %v", work, err)
		}
	}
	if n := len(r.npm.Requests()) - asked; n != 0 {
		t.Errorf("%d requests within half a day", n)
	}
	r.switches(`{"delete_lies":false}`)
	r.connect()
	r.await("the revocation", func() bool { return r.rot(rot).Retiring == 0 && r.rot(rot).State == ipc.StateOK })
}

// TestSettlingIsPutOffMeanwhile: what was due when the timer looked may have been
// tried by another run before the passcard was free.
func TestSettlingIsPutOffMeanwhile(t *testing.T) {
	r := newRig(t)
	passcard, rot := r.first()
	unlock, err := r.d.passcards.lock(t.Context(), passcard, func() {}) // against the timer
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	r.d.settles.note(rot, r.clock(), &ipc.Error{Code: ipc.CodeWrongPassword}, 0)
	asked := len(r.npm.Requests())
	r.d.perform(t.Context(), passcard, &duty{settle: []string{rot}})
	if n := len(r.npm.Requests()) - asked; n != 0 || r.d.settles.waitsForPerson(rot) == nil {
		t.Errorf("%d requests; waits for a person: %v", n, r.d.settles.waitsForPerson(rot))
	}
}

// TestWhatCannotBeWrittenIsRemembered: a failure that the disk does not take
// must not make the timer spin.
func TestWhatCannotBeWrittenIsRemembered(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	r.d.held.wait(rot, r.clock(), r.clock().Add(61*day+time.Minute))
	r.advance(61 * day)
	work, next, err := r.d.due(t.Context(), time.Time{})
	if err != nil || len(work) != 0 || !next.Equal(r.clock().Add(time.Minute)) {
		t.Errorf("due %v, next in %v, %v", work, next.Sub(r.clock()), err)
	}
	r.advance(time.Minute)
	r.await("the rotation", func() bool { return r.token(rot).Generation == 2 })
}

func TestALateRevocationIsFollowed(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	old := r.token(rot)
	r.switches(`{"revocation_delay":3600}`)
	res, werr := r.stream("/v1/rotations/"+rot, ipc.Rotate{})
	if werr != nil {
		t.Fatal(werr)
	}
	if done := res.Rotations[0]; done.RevokedOld || done.Warning == "" {
		t.Errorf("npm still takes the old value, and the outcome is %+v", done)
	}
	if r.rot(rot).Retiring != 1 || !r.accepts(old) {
		t.Errorf("retiring: %d", r.rot(rot).Retiring)
	}
	r.advance(2 * time.Hour)
	r.await("the revocation", func() bool {
		r.advance(time.Minute) // a try may have begun before the two hours
		return r.rot(rot).Retiring == 0
	})
	if r.accepts(old) {
		t.Error("the old value is accepted")
	}
}
