package daemon

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rotd/ipc"
)

// leaseOf takes a lease on a ROT's value, or takes one up again.
func leaseOf(t *testing.T, c *ipc.Client, rot, more string) (*ipc.Lease, ipc.Token, error) {
	t.Helper()
	var tok ipc.Token
	l, err := c.Lease(t.Context(), ipc.Path(ipc.PathToken, rot)+"?lease=1"+more, &tok)
	if err == nil {
		t.Cleanup(l.End)
	}
	return l, tok, err
}

// TestLeasesLeaveRoomForTheRest: as many readers as one user has get the value
// alone, and nobody waits for them.
func TestLeasesLeaveRoomForTheRest(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	srv := r.listen()
	var first *ipc.Lease
	for range leasesPerUID {
		l, tok, err := leaseOf(t, srv, rot, "")
		if err != nil || !tok.Lease || tok.Value.IsZero() {
			t.Fatalf("%+v, %v", tok, err)
		}
		first = l
	}
	if _, tok, err := leaseOf(t, srv, rot, ""); err != nil || tok.Lease || tok.Value.IsZero() {
		t.Errorf("one more: %+v, %v", tok, err)
	}
	if _, _, err := leaseOf(t, srv, rot, "&generation=1"); codeOf(err) != ipc.CodeBusy {
		t.Errorf("one more again: %v", err)
	}
	if err := srv.Get(t.Context(), ipc.Path(ipc.PathToken, rot), new(ipc.Token)); err != nil {
		t.Error(err)
	}
	for _, err := range srv.Stream(t.Context(), ipc.Path(ipc.PathRotate, rot), ipc.Rotate{}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	first.End()
	r.await("room for another", func() bool {
		_, tok, err := leaseOf(t, srv, rot, "")
		return err == nil && tok.Lease
	})
}

func codeOf(err error) ipc.Code {
	if e, ok := err.(*ipc.Error); ok {
		return e.Code
	}
	return ""
}

func TestALeaseIsTakenUpAgain(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	srv := r.listen()
	l, tok, err := leaseOf(t, srv, rot, "&generation=1")
	if err != nil || !tok.Lease || !tok.Value.IsZero() || tok.Generation != 1 {
		t.Errorf("%+v, %v", tok, err)
	}
	mark := filepath.Join(r.d.cfg.StateDir, "leases", rot+".1")
	if fi, err := os.Stat(mark); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("its mark: %v, %v", fi, err)
	}
	l.End()
	r.await("the end of its mark", func() bool { _, err := os.Stat(mark); return err != nil })
	for more, want := range map[string]ipc.Code{
		"&generation=0": ipc.CodeBadRequest, "&generation=-1": ipc.CodeBadRequest, "&generation=x": ipc.CodeBadRequest,
		"&generation=2": ipc.CodeNoValue,
	} {
		if _, _, err := leaseOf(t, srv, rot, more); codeOf(err) != want {
			t.Errorf("%s: %v, want %s", more, err, want)
		}
	}
	if _, _, err := leaseOf(t, srv, "nope", ""); codeOf(err) != ipc.CodeNotFound {
		t.Error(err)
	}
}

// TestALeaseIsForReaders: whoever may not read a value has no lease on it.
func TestALeaseIsForReaders(t *testing.T) {
	r := newRig(t)
	passcard, rot := r.first()
	res, err := r.stream("/v1/rotations/"+passcard, ipc.Rotate{Name: "other", Shape: publish})
	if err != nil {
		t.Fatal(err)
	}
	r.d.users.look = doorUsers
	for _, c := range doorCallers(r.grants(rot, bare(res.Rotations[0].ROT))) {
		if c.reads {
			continue
		}
		for _, more := range []string{"", "&generation=1"} {
			if rec := r.as(c, "GET", "/v1/rots/"+rot+"/token?lease=1"+more, ""); rec.Code != http.StatusForbidden {
				t.Errorf("%s: %d %s", c.name, rec.Code, rec.Body)
			}
		}
	}
}

// TestTheEndOfALeaseIsNoRetry: whoever comes and goes makes nobody guess a password
// again.
func TestTheEndOfALeaseIsNoRetry(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	now := r.clock()
	r.d.settles.wait(rot, now, now.Add(time.Hour))
	r.d.leases.freed(rot)
	if at := r.d.settles.at(rot, now); !at.IsZero() {
		t.Errorf("what waited for a reader waits until %v", at)
	}
	r.d.settles.note(rot, now, &ipc.Error{Code: ipc.CodeWrongPassword}, 0)
	r.d.leases.freed(rot)
	if at := r.d.settles.at(rot, now); !at.Equal(now.Add(day)) {
		t.Errorf("what has failed is tried again at %v", at)
	}
}
