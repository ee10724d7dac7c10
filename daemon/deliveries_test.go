package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rotd/ipc"
)

// deliver adds a delivery whose command is a shell's, and returns how it went.
func (r *rig) deliver(rot, name, script string) ipc.Delivery {
	r.t.Helper()
	return r.deliverBy(rot, name, "sh", "-c", script)
}

func (r *rig) deliverBy(rot, name string, command ...string) ipc.Delivery {
	r.t.Helper()
	res, err := r.stream("/v1/rots/"+rot+"/deliveries", ipc.Deliver{Name: name, Command: command})
	if err != nil {
		r.t.Fatal(err)
	}
	return *res.Delivery
}

func (r *rig) rotate(rot string, req ipc.Rotate) ipc.Rotation {
	r.t.Helper()
	res, err := r.stream("/v1/rotations/"+rot, req)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.Rotations[0]
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestADeliveryGetsEveryValue(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	file := filepath.Join(t.TempDir(), "token")
	script := `echo "$ROT_REF $ROT_GENERATION $ROT_EXPIRES" > ` + file + `.env && cat > ` + file + ` && cat ` + file
	d := r.deliver(rot, "", script)
	first := r.token(rot)
	if d.Name != "sh" || d.State != ipc.DeliveryOK || d.Generation != 1 || d.Output != "[redacted]" || readFile(t, file) != first.Value.Reveal() {
		t.Errorf("at once: %+v", d)
	}
	if got, want := readFile(t, file+".env"), fmt.Sprintf("rot://%s 1 %s\n", rot, first.Expires.Format(time.RFC3339)); got != want {
		t.Errorf("its environment: %q, want %q", got, want)
	}
	done := r.rotate(rot, ipc.Rotate{})
	if !done.RevokedOld || done.Warning != "" || readFile(t, file) != r.token(rot).Value.Reveal() {
		t.Errorf("after a rotation: %+v", done)
	}
	if r.accepts(first) {
		t.Error("the old token is accepted")
	}
	// The same again is made again, not added.
	if again := r.deliver(rot, "sh", script); again.Generation != 2 || len(r.rot(rot).Deliveries) != 1 {
		t.Errorf("again: %+v", again)
	}
	if other := r.deliver(rot, "", "cat > /dev/null"); other.Name != "sh-2" {
		t.Errorf("another: %+v", other)
	}
	for _, s := range []string{first.Value.Reveal(), r.token(rot).Value.Reveal()} {
		if strings.Contains(r.log.String(), s) {
			t.Error("the log holds a value")
		}
	}
}

func TestTheOldTokenWaitsForADelivery(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	dir := t.TempDir()
	r.deliver(rot, "broken", `cat > `+dir+`/got; test -e `+dir+`/up || { echo "no route to $(cat `+dir+`/got)"; exit 7; }`)
	v := r.rot(rot)
	if d := v.Deliveries[0]; d.State != ipc.DeliveryFailing || d.Error != "exit status 7" || d.Output != "no route to [redacted]\n" || d.Next == nil {
		t.Fatalf("status: %+v", d)
	}
	if v.State != ipc.StateUndelivered {
		t.Errorf("the state is %s", v.State)
	}
	old := r.token(rot)
	done := r.rotate(rot, ipc.Rotate{})
	if done.RevokedOld || !slices.Equal(done.Undelivered, []string{"broken"}) || !strings.Contains(done.Warning, "broken: exit status 7") {
		t.Errorf("the outcome: %+v", done)
	}
	for range 5 { // the timer tries, in vain
		tried := *r.rot(rot).Deliveries[0].LastAttempt
		r.advance(2 * time.Minute * (1 << 3))
		r.await("another try", func() bool { return r.rot(rot).Deliveries[0].LastAttempt.After(tried) })
		if !r.accepts(old) || !r.accepts(r.token(rot)) {
			t.Fatal("a token is gone")
		}
	}
	if strings.Contains(r.log.String(), "something is left to settle") {
		t.Error("a delivery that fails counts as an old token that cannot be revoked")
	}
	if err := os.WriteFile(dir+"/up", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.advance(2 * time.Hour)
	r.await("the end of the old token", func() bool { return r.rot(rot).Retiring == 0 })
	if r.accepts(old) || readFile(t, dir+"/got") != r.token(rot).Value.Reveal() || r.rot(rot).Deliveries[0].State != ipc.DeliveryOK || r.rot(rot).State != ipc.StateOK {
		t.Errorf("afterwards: %+v", r.rot(rot))
	}
}

func TestADeliveryThatFailsIsToldOf(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	up := filepath.Join(t.TempDir(), "up")
	r.deliver(rot, "fleet", "test -e "+up)
	r.await("the notice", func() bool { return slices.Equal(r.told.states(), []string{ipc.StateUndelivered}) })
	if n := r.told.all[0]; !strings.Contains(n.Title, "is not delivered") || !strings.Contains(n.Text, "fleet: exit status 1\n") {
		t.Errorf("told %+v", n)
	}
	r.advance(time.Hour) // and another failure, which is no news
	r.await("another try", func() bool {
		return r.rot(rot).Deliveries[0].LastAttempt.Equal(r.clock().UTC().Truncate(time.Microsecond))
	})
	if err := os.WriteFile(up, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.advance(2 * time.Hour)
	r.await("the good news", func() bool { return slices.Equal(r.told.states(), []string{ipc.StateUndelivered, ipc.StateOK}) })
}

func TestRemovingADeliveryFreesTheOldToken(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	r.deliver(rot, "x", "exit 1")
	old := r.token(rot)
	r.rotate(rot, ipc.Rotate{})
	if err := r.call("DELETE", "/v1/rots/"+rot+"/deliveries/x", nil, nil); err != nil {
		t.Fatal(err)
	}
	r.await("the end of the old token", func() bool { return r.rot(rot).Retiring == 0 })
	if r.accepts(old) {
		t.Error("the old token is accepted")
	}
	if err := r.call("DELETE", "/v1/rots/"+rot+"/deliveries/x", nil, nil); err == nil || err.Code != ipc.CodeNotFound || err.Hint == "" {
		t.Errorf("once more: %+v", err)
	}
}

func TestALeakWaitsForNoDelivery(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	r.deliver(rot, "x", "exit 1")
	old := r.token(rot)
	r.rotate(rot, ipc.Rotate{Grace: "24h"})
	older := r.token(rot)
	done := r.rotate(rot, ipc.Rotate{RevokeNow: true})
	if !done.RevokedOld || r.accepts(old) || r.accepts(older) || !r.accepts(r.token(rot)) {
		t.Errorf("the outcome: %+v", done)
	}
	if len(done.Undelivered) != 1 || strings.Contains(done.Warning, "stays") {
		t.Errorf("the outcome: %+v", done)
	}
}

func TestGraceKeepsTheOldTokenForAWhile(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	old := r.token(rot)
	done := r.rotate(rot, ipc.Rotate{Grace: "24h"})
	if done.RevokedOld || done.Warning != "" || done.GraceEnds == nil || done.GraceEnds.Sub(r.clock()).Round(time.Minute) != 24*time.Hour {
		t.Errorf("the outcome: %+v", done)
	}
	v := r.rot(rot)
	if v.Grace != "1d" || v.GraceEnds == nil || v.GraceEnds.Sub(*done.GraceEnds).Abs() > time.Millisecond || v.Retiring != 1 || v.State != ipc.StateOK {
		t.Errorf("status: %+v", v)
	}
	r.advance(23 * time.Hour)
	r.await("a look of the timer", func() bool { work, _, err := r.d.due(t.Context(), time.Time{}); return err == nil && len(work) == 0 })
	if !r.accepts(old) {
		t.Fatal("the old token is gone before its time")
	}
	r.advance(time.Hour + time.Second)
	r.await("the end of the old token", func() bool { return r.rot(rot).Retiring == 0 })
	if r.accepts(old) || strings.Contains(r.log.String(), "level=WARN") {
		t.Error("the old token is accepted, or something was warned of")
	}
	if done := r.rotate(rot, ipc.Rotate{Grace: "0"}); !done.RevokedOld || r.rot(rot).Grace != "" {
		t.Errorf("without grace: %+v", done)
	}
	for _, bad := range []string{"1", "x", "30m", "-1d", "0d"} {
		if _, err := r.stream("/v1/rotations/"+rot, ipc.Rotate{Grace: bad}); err == nil || err.Code != ipc.CodeBadRequest || err.Hint == "" {
			t.Errorf("--grace %s: %+v", bad, err)
		}
	}
}

func TestDeliveriesThatMakeNoSense(t *testing.T) {
	r := newRig(t)
	passcard, rot := r.first()
	r.deliver(rot, "x", "true")
	for _, c := range []struct {
		ref  string
		req  any
		want ipc.Code
	}{
		{rot, ipc.Deliver{}, ipc.CodeBadRequest},
		{rot, ipc.Deliver{Command: []string{""}}, ipc.CodeBadRequest},
		{rot, ipc.Deliver{Name: "a b", Command: []string{"true"}}, ipc.CodeBadRequest},
		{rot, ipc.Deliver{Name: "x", Command: []string{"false"}}, ipc.CodeBadRequest},
		{rot, map[string]any{"cmd": "true"}, ipc.CodeBadRequest},
		{passcard, ipc.Deliver{Command: []string{"true"}}, ipc.CodeNotFound},
		{"rot_aaaaaaaa", ipc.Deliver{Command: []string{"true"}}, ipc.CodeNotFound},
	} {
		if _, err := r.stream("/v1/rots/"+c.ref+"/deliveries", c.req); err == nil || err.Code != c.want || err.Message == "" {
			t.Errorf("%+v: %+v, want %s", c.req, err, c.want)
		}
	}
	d := r.deliverBy(rot, "none", "rotd-no-such-program")
	if d.State != ipc.DeliveryFailing || !strings.Contains(d.Error, "there is no program rotd-no-such-program") {
		t.Errorf("a program that is not there: %+v", d)
	}
	var all struct{ Deliveries []ipc.Delivery }
	if err := r.call("GET", "/v1/rots/"+rot+"/deliveries", nil, &all); err != nil || len(all.Deliveries) != 2 {
		t.Errorf("the list: %+v, %v", all, err)
	}
}

// TestADeliveryBeforeTheFirstValue waits for it.
func TestADeliveryBeforeTheFirstValue(t *testing.T) {
	r := newRig(t)
	passcard := r.connect()
	r.switches(`{"faults":[{"path":"/-/npm/v1/tokens","method":"POST","count":1,"kind":"status","status":403}]}`)
	if _, err := r.stream("/v1/rotations/"+passcard, ipc.Rotate{Name: "ci", Shape: publish}); err == nil {
		t.Fatal("the fault did not happen")
	}
	file := filepath.Join(t.TempDir(), "token")
	if d := r.deliver("ci", "x", "cat > "+file); d.State != ipc.DeliveryWaiting || d.Generation != 0 {
		t.Errorf("before: %+v", d)
	}
	r.rotate("ci", ipc.Rotate{})
	if readFile(t, file) != r.token("ci").Value.Reveal() {
		t.Error("it has something else")
	}
}
