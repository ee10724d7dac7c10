package daemon

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rotd/daemon/npm/sandbox"
	"rotd/ipc"
)

// The hard days of a clock and of a registry. Each ends with the old or the new
// token readable, and with nothing of ours left over.

// apart gives npm a clock of its own and returns how far the daemon's is ahead
// of it, in nanoseconds.
func (r *rig) apart() (ahead *atomic.Int64) {
	r.t.Helper()
	ahead = new(atomic.Int64)
	var err error
	r.npm, err = sandbox.New(sandbox.Config{User: user, Password: password, TOTPSecret: totpSeed, Now: func() time.Time {
		return r.clock().Add(-time.Duration(ahead.Load()))
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	srv := httptest.NewServer(r.npm)
	r.t.Cleanup(srv.Close)
	r.url = "http://localhost:" + srv.URL[len("http://127.0.0.1:"):]
	return ahead
}

// skew sets the daemon's clock, and not npm's, which is at the last moment of a
// code of the authenticator app: waiting for the next one takes no time.
func (r *rig) skew(ahead *atomic.Int64, d time.Duration) {
	change := d - time.Duration(ahead.Swap(int64(d)))
	last := 30*time.Second - 10*time.Millisecond
	r.advance(change + last - time.Duration(r.clock().UnixNano())%(30*time.Second))
}

// liveNames are those of the tokens that npm takes.
func (r *rig) liveNames() (names []string) {
	for _, tk := range r.npm.Tokens() {
		if tk.Live {
			names = append(names, tk.Name)
		}
	}
	return names
}

// serves fails the test unless get answers a token that npm takes.
func (r *rig) serves(rot string) ipc.Token {
	r.t.Helper()
	tk := r.token(rot)
	if !r.accepts(tk) {
		r.t.Errorf("npm refuses generation %d, which is served", tk.Generation)
	}
	return tk
}

// comesClean moves the clock on until the served token is the only one of ours.
func (r *rig) comesClean(rot string) {
	r.t.Helper()
	r.await("a clean end", func() bool {
		if len(r.liveNames()) == 1 && r.rot(rot).Retiring == 0 && r.allSettled() {
			return true
		}
		r.advance(time.Minute)
		return false
	})
	r.serves(rot)
}

func (r *rig) deletions() (n int) {
	for _, req := range r.npm.Requests() {
		if req.Method == "DELETE" {
			n++
		}
	}
	return n
}

func (r *rig) allSettled() bool {
	r.t.Helper()
	open, err := r.d.store.Load().Unfinished(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return len(open) == 0
}

func TestAClockAnHourBack(t *testing.T) {
	r := newRig(t)
	ahead := r.apart()
	_, rot := r.first()
	r.skew(ahead, -time.Hour)
	if work, _, err := r.d.due(t.Context(), time.Time{}); err != nil || len(work) != 0 {
		t.Errorf("it makes something due: %v, %v", work, err)
	}
	_, err := r.stream("/v1/rotations/"+rot, ipc.Rotate{})
	if err == nil || err.Code != ipc.CodeWrongCode || !strings.Contains(err.Hint, "clock differs") {
		t.Errorf("rotating with codes of an hour ago: %+v", err)
	}
	if r.serves(rot).Generation != 1 {
		t.Error("it rotated")
	}
	r.skew(ahead, 0)
	if _, err := r.stream("/v1/rotations/"+rot, ipc.Rotate{}); err != nil || r.rot(rot).State != ipc.StateOK {
		t.Errorf("with the right time: %+v, %s", err, r.rot(rot).State)
	}
	r.comesClean(rot)
}

// TestAClockFortyDaysAhead: a token of 30 days seems to be dead, and one of 90
// in its middle. Neither is, and neither is lost.
func TestAClockFortyDaysAhead(t *testing.T) {
	for _, days := range []int{30, 90} {
		t.Run(fmt.Sprint(days), func(t *testing.T) {
			r := newRig(t)
			ahead := r.apart()
			shape := *publish
			shape.ExpiresDays = days
			res, werr := r.stream("/v1/rotations/"+r.connect(), ipc.Rotate{Shape: &shape})
			if werr != nil {
				t.Fatal(werr)
			}
			rot := bare(res.Rotations[0].ROT)
			before := r.token(rot)
			r.skew(ahead, 40*day)
			_, werr = r.stream("/v1/rotations/"+rot, ipc.Rotate{})
			if werr == nil || werr.Hint == "" {
				t.Errorf("rotating with codes of a later day: %+v", werr)
			}
			if !r.token(rot).Value.Equal(before.Value.Text) {
				t.Error("the old token is not served any more")
			}
			if !r.accepts(before) {
				t.Error("the old token was revoked")
			}
			r.skew(ahead, 0)
			r.serves(rot)
			v := r.rot(rot)
			r.await("a time that fits the right clock", func() bool {
				v = r.rot(rot)
				return v.Next != nil && v.Next.Before(*v.Expires) && v.Next.Before(r.clock().Add(60*day))
			})
			if _, werr := r.stream("/v1/rotations/"+rot, ipc.Rotate{}); werr != nil {
				t.Errorf("with the right time: %+v", werr)
			}
			r.comesClean(rot)
		})
	}
}

// TestFortyDaysAsleep: npm's clock went on too, and a token of 30 days is dead.
func TestFortyDaysAsleep(t *testing.T) {
	r := newRig(t)
	shape := *publish
	shape.ExpiresDays = 30
	res, werr := r.stream("/v1/rotations/"+r.connect(), ipc.Rotate{Shape: &shape})
	if werr != nil {
		t.Fatal(werr)
	}
	rot := bare(res.Rotations[0].ROT)
	r.advance(40 * day)
	r.await("the rotation", func() bool { return r.rot(rot).Generation == 2 })
	r.comesClean(rot)
}

// TestASettleTimeOfAClockThatWasAhead: what is left to do is not put off until
// the wrong time comes.
func TestASettleTimeOfAClockThatWasAhead(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	r.switches(`{"delete_lies":true}`)
	r.advance(40 * day)
	r.npm.Advance(-40 * day)
	if _, werr := r.stream("/v1/rotations/"+rot, ipc.Rotate{}); werr != nil {
		t.Fatal(werr)
	}
	r.await("a try to settle", func() bool { return r.deletions() > 1 })
	r.switches(`{"delete_lies":false}`)
	r.npm.Advance(40 * day)
	r.advance(-40 * day)
	for range 30 {
		r.advance(time.Minute)
	}
	r.await("the revocation", func() bool { r.advance(time.Second); return len(r.liveNames()) == 1 })
	r.serves(rot)
}

// TestADeletionThatIsALie: npm says 204 and deletes nothing.
func TestADeletionThatIsALie(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	old := r.token(rot)
	r.switches(`{"delete_lies":true}`)
	res, werr := r.stream("/v1/rotations/"+rot, ipc.Rotate{})
	if werr != nil {
		t.Fatal(werr)
	}
	if done := res.Rotations[0]; done.RevokedOld || !strings.Contains(done.Warning, "still lists") {
		t.Errorf("npm deleted nothing, and the outcome is %+v", done)
	}
	if r.serves(rot).Generation != 2 || r.rot(rot).Retiring != 1 || !r.accepts(old) {
		t.Errorf("it is believed: %+v", r.rot(rot))
	}
	r.advance(time.Hour)
	if r.serves(rot); r.rot(rot).Retiring != 1 {
		t.Error("an hour makes it believe the lie")
	}
	r.switches(`{"delete_lies":false}`)
	r.comesClean(rot)
	if r.accepts(old) {
		t.Error("the old token lives")
	}
}

// TestAWrongTokenAndALie: a new token that grants too much is to be revoked,
// and is not.
func TestAWrongTokenAndALie(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	r.switches(`{"delete_lies":true,"grant_days":7}`)
	_, werr := r.stream("/v1/rotations/"+rot, ipc.Rotate{})
	if werr == nil || werr.Code != ipc.CodeTokenMismatch || !strings.Contains(werr.Message, "expiry: asked 90 days") {
		t.Errorf("rotating: %+v", werr)
	}
	if r.serves(rot).Generation != 1 || len(r.liveNames()) != 2 {
		t.Errorf("npm takes %v", r.liveNames())
	}
	r.switches(`{"delete_lies":false,"grant_days":0}`)
	r.comesClean(rot)
}

// TestLateRevocationsOfSeveral: npm takes each old value for an hour more, while
// rotation follows rotation. The new one is served throughout.
func TestLateRevocationsOfSeveral(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	r.switches(`{"revocation_delay":3600}`)
	for n := 2; n <= 4; n++ {
		if _, werr := r.stream("/v1/rotations/"+rot, ipc.Rotate{}); werr != nil {
			t.Fatal(werr)
		}
		if r.serves(rot).Generation != n {
			t.Errorf("generation %d is not served", n)
		}
		r.advance(10 * time.Minute)
	}
	if len(r.liveNames()) != 4 || r.rot(rot).Retiring != 3 {
		t.Errorf("npm takes %v, and %d are retiring", r.liveNames(), r.rot(rot).Retiring)
	}
	began := r.clock()
	r.comesClean(rot)
	if took := r.clock().Sub(began); took < 49*time.Minute {
		t.Errorf("it is believed after %v", took)
	}
}
