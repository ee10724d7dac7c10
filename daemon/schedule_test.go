package daemon

import (
	"testing"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
)

func TestTheTimerRotatesWhatIsDue(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	before := r.token(rot)
	if next := *r.rot(rot).Next; next.After(r.clock().Add(60*day)) || next.Before(r.clock().Add(55*day)) {
		t.Errorf("next is %v, want near two thirds of 90 days", next.Sub(r.clock()))
	}

	r.advance(50 * day)
	if work, _, err := r.d.due(t.Context()); err != nil || len(work) != 0 {
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

func TestAnExpiredValueIsNotServed(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	r.switches(`{"faults":[{"path":"/-/","count":-1,"kind":"cut"}]}`)
	r.advance(91 * day)
	if err := r.call("GET", "/v1/rots/"+rot+"/token", nil, nil); err == nil || err.Code != ipc.CodeNoValue {
		t.Errorf("got %+v", err)
	}
	r.await("the failure", func() bool { return r.rot(rot).State == ipc.StateExpired && r.rot(rot).LastError != nil })
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
