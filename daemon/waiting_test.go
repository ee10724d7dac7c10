package daemon

import (
	"context"
	"strings"
	"testing"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// waitingPair is two ROTs of one passcard that wait for a person.
func waitingPair(t *testing.T) (r *rig, passcard, one, two string) {
	t.Helper()
	r = newRig(t)
	passcard, one = r.first()
	res, werr := r.stream("/v1/rotations/"+passcard, ipc.Rotate{Name: "two", Shape: publish})
	if werr != nil {
		t.Fatal(werr)
	}
	two = bare(res.Rotations[0].ROT)
	r.remember(passcard, secret.Text{}, secret.Text{})
	r.advance(61 * day)
	r.await("the questions", func() bool {
		return r.rot(one).State == ipc.StateNeedsApproval && r.rot(two).State == ipc.StateNeedsApproval
	})
	return r, passcard, one, two
}

func (r *rig) remember(passcard string, password, totp secret.Text) {
	r.t.Helper()
	for kind, v := range map[store.Kind]secret.Text{store.KindPassword: password, store.KindTOTP: totp} {
		if err := r.d.store.Load().PutSecret(r.t.Context(), passcard, kind, v); err != nil {
			r.t.Fatal(err)
		}
	}
}

func TestAPersonServesEverythingThatWaits(t *testing.T) {
	r, passcard, one, two := waitingPair(t)
	r.remember(passcard, secret.New(password), secret.New(totpSeed))
	ask := func(context.Context, string, string) (secret.Text, error) {
		t.Error("there was nothing to ask")
		return secret.Text{}, context.Canceled
	}
	done, err := r.d.rotateAll(t.Context(), r.d.store.Load(), passcard, []string{two}, nil, ask, func(string, string, string) {})
	if err != nil || len(done) != 2 || bare(done[0].ROT) != two || bare(done[1].ROT) != one {
		t.Fatalf("%+v, %v", done, err)
	}
	for _, rot := range []string{one, two} {
		if v := r.rot(rot); v.State != ipc.StateOK || v.Generation < 2 {
			t.Errorf("%+v", v)
		}
	}
}

func TestNobodyThereServesNoMoreThanWasAsked(t *testing.T) {
	r, passcard, one, two := waitingPair(t)
	r.remember(passcard, secret.New(password), secret.New(totpSeed))
	if _, err := r.stream("/v1/rotations/"+two, ipc.Rotate{}); err != nil {
		t.Fatal(err)
	}
	if v := r.rot(one); v.State != ipc.StateNeedsApproval {
		t.Errorf("%+v", v)
	}
}

func TestConnectingAgainTriesWhatWaits(t *testing.T) {
	r, _, one, two := waitingPair(t)
	r.connect()
	r.await("the rotations", func() bool { return r.rot(one).State == ipc.StateOK && r.rot(two).State == ipc.StateOK })
	if r.token(one).Generation < 2 || r.token(two).Generation < 2 {
		t.Error("an old token is served")
	}
}

// A rotation that went well may leave an old token that only a person can
// revoke: that is told, too.
func TestAnOldTokenThatNeedsAPersonIsTold(t *testing.T) {
	r := newRig(t)
	passcard, rot := r.first()
	r.switches(`{"faults":[{"path":"/-/npm/v1/tokens/token","method":"DELETE","count":-1,"kind":"status","status":503}]}`)
	if _, err := r.stream("/v1/rotations/"+rot, ipc.Rotate{}); err != nil {
		t.Fatal(err)
	}
	if r.rot(rot).Retiring != 1 {
		t.Fatal("the old token is revoked")
	}
	r.remember(passcard, secret.Text{}, secret.Text{})
	r.advance(day) // npm's session has ended, before npm deletes again
	r.switches(`{"faults":[]}`)
	r.await("the notice", func() bool {
		r.advance(time.Minute) // a try may have begun before the day had passed
		return len(r.told.states()) == 1
	})
	if got := r.told.all[0]; got.State != ipc.StateNeedsApproval || !strings.Contains(got.Text, "its old token is not revoked yet") || !strings.Contains(got.Text, "run: rot approve") {
		t.Errorf("%+v", got)
	}
	r.connect()
	r.await("the revocation", func() bool { r.advance(20 * time.Minute); return r.rot(rot).Retiring == 0 })
	r.await("the end of it", func() bool { r.look(); return r.rot(rot).State == ipc.StateOK && len(r.told.states()) == 2 })
}
