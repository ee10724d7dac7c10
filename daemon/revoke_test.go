package daemon

import (
	"strings"
	"testing"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

const npmDown = `{"faults":[{"path":"/-/","count":-1,"kind":"cut"}]}`

// noValue checks that a ROT serves nothing because it was revoked.
func (r *rig) noValue(rot string) {
	r.t.Helper()
	err := r.call("GET", "/v1/rots/"+rot+"/token", nil, nil)
	if err == nil || err.Code != ipc.CodeNoValue || !strings.Contains(err.Message, "it was revoked on 20") || !strings.Contains(err.Hint, "rot rotate rot://"+rot) {
		r.t.Errorf("get: %+v", err)
	}
	if v := r.rot(rot); v.State != ipc.StateRevoked || v.Generation != 0 || v.Next != nil {
		r.t.Errorf("status: %+v", v)
	}
}

// npmHolds waits until npm accepts n tokens, while the clock goes on.
func (r *rig) npmHolds(n int) {
	r.t.Helper()
	r.await("npm to hold what it should", func() bool {
		r.advance(time.Minute)
		return len(r.live()) == n
	})
}

func TestRevoke(t *testing.T) {
	r := newRig(t)
	passcard, rot := r.first()
	tk := r.token(rot)
	res, err := r.stream("/v1/revocations/"+rot, ipc.Revoke{})
	if err != nil || len(res.Revocations) != 1 || !res.Revocations[0].Confirmed || res.Revocations[0].ROT != "rot://"+rot {
		t.Fatalf("%+v, %v", res, err)
	}
	r.noValue(rot)
	if r.accepts(tk) {
		t.Error("npm accepts the value")
	}
	// It does not come back by itself.
	for range 5 {
		r.advance(80 * 24 * time.Hour)
		if work, _, err := r.d.due(t.Context(), time.Time{}); err != nil || len(work) != 0 || len(r.live()) != 0 {
			t.Errorf("later: due %+v, %v; npm holds %v", work, err, r.live())
		}
	}
	r.noValue(rot)
	if e := r.entries(rot, store.LogWithdrawn); len(e) != 1 || e[0].UID == nil || e[0].Generation != 1 {
		t.Errorf("the log: %+v", e)
	}
	again, err := r.stream("/v1/rotations/"+passcard, ipc.Rotate{})
	if err != nil || again.Rotations[0].Generation != 2 {
		t.Fatalf("%+v, %v", again, err)
	}
	if v := r.rot(rot); !r.accepts(r.token(rot)) || v.State != ipc.StateOK || v.Next == nil {
		t.Errorf("after a rotation: %+v", v)
	}
}

func TestRevokeWhileNPMIsDown(t *testing.T) {
	r := newRig(t)
	passcard, rot := r.first()
	r.switches(npmDown)
	res, err := r.stream("/v1/revocations/"+rot, ipc.Revoke{})
	if err != nil || res.Revocations[0].Confirmed || res.Revocations[0].Error.Code != ipc.CodeUnreachable {
		t.Fatalf("%+v, %v", res, err)
	}
	r.noValue(rot)
	// A rotation that fails does not come again by itself.
	if _, err := r.stream("/v1/rotations/"+passcard, ipc.Rotate{}); err == nil {
		t.Fatal("npm is down, and made a token")
	}
	if v := r.rot(rot); v.Next != nil {
		t.Errorf("it will be tried again: %+v", v)
	}
	r.switches(`{"faults":[]}`)
	r.npmHolds(0)
	r.await("the log of it", func() bool { return len(r.entries(rot, store.LogRevoked)) == 1 })
}

// TestRevokeWhileNPMLags has npm accept a deleted token for another hour.
func TestRevokeWhileNPMLags(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	tk := r.token(rot)
	r.switches(`{"revocation_delay":3600}`)
	res, err := r.stream("/v1/revocations/"+rot, ipc.Revoke{})
	if err != nil || res.Revocations[0].Confirmed {
		t.Fatalf("%+v, %v", res, err)
	}
	if e := res.Revocations[0].Error; e.Code != ipc.CodeUnconfirmed || !strings.Contains(e.Message, "still accepts") || e.Hint == "" {
		t.Errorf("why: %+v", e)
	}
	r.noValue(rot)
	if _, err := r.stream("/v1/removals/"+rot, ipc.Remove{Yes: true}); err == nil || err.Code != ipc.CodeUnconfirmed {
		t.Errorf("removed, while npm accepts it: %+v", err)
	}
	r.await("npm to refuse it", func() bool {
		r.advance(10 * time.Minute)
		return len(r.entries(rot, store.LogRevoked)) == 1
	})
	if r.accepts(tk) {
		t.Error("npm accepts it, and the log says that it does not")
	}
	if _, err := r.stream("/v1/removals/"+rot, ipc.Remove{Yes: true}); err != nil {
		t.Error(err)
	}
}

// TestRevokeDoesNotWait has another run use the passcard for as long as it
// likes: nothing is served from the first line of the answer on.
func TestRevokeDoesNotWait(t *testing.T) {
	r := newRig(t)
	passcard, rot := r.first()
	unlock, ok := r.d.passcards.try(passcard)
	if !ok {
		t.Fatal("the passcard is in use")
	}
	done := make(chan *ipc.Result)
	go func() {
		res, _ := r.stream("/v1/revocations/"+rot, ipc.Revoke{})
		done <- res
	}()
	r.await("the end of serving", func() bool { return r.call("GET", "/v1/rots/"+rot+"/token", nil, nil) != nil })
	r.noValue(rot)
	unlock()
	if res := <-done; res == nil || !res.Revocations[0].Confirmed {
		t.Errorf("%+v", res)
	}
}

// two makes a second ROT.
func (r *rig) two() (passcard, a, b string) {
	r.t.Helper()
	passcard, a = r.first()
	res, err := r.stream("/v1/rotations/"+passcard, ipc.Rotate{Name: "ci", Shape: publish})
	if err != nil {
		r.t.Fatal(err)
	}
	return passcard, a, bare(res.Rotations[0].ROT)
}

func TestRevokeAPasscard(t *testing.T) {
	r := newRig(t)
	passcard, a, b := r.two()
	res, err := r.stream("/v1/revocations/"+passcard, ipc.Revoke{})
	if err != nil || len(res.Revocations) != 2 || !res.Revocations[0].Confirmed || !res.Revocations[1].Confirmed {
		t.Fatalf("%+v, %v", res, err)
	}
	r.noValue(a)
	r.noValue(b)
	if live := r.live(); len(live) != 0 {
		t.Errorf("npm holds %v", live)
	}
}

func TestRevokeWhatHasNothing(t *testing.T) {
	r := newRig(t)
	passcard := r.connect()
	if _, err := r.stream("/v1/revocations/"+passcard, ipc.Revoke{}); err == nil || err.Code != ipc.CodeNoValue || !strings.Contains(err.Hint, "rot remove") {
		t.Errorf("a passcard without ROTs: %+v", err)
	}
	if _, err := r.stream("/v1/revocations/nothing", ipc.Revoke{}); err == nil || err.Code != ipc.CodeNotFound {
		t.Errorf("nothing: %+v", err)
	}
}

func TestRemoveAROT(t *testing.T) {
	r := newRig(t)
	passcard, a, b := r.two()
	if _, err := r.stream("/v1/removals/"+a, ipc.Remove{}); err == nil || err.Code != ipc.CodeBadRequest || !strings.Contains(err.Hint, "--yes") {
		t.Errorf("nobody said yes: %+v", err)
	}
	if !r.accepts(r.token(a)) {
		t.Error("it was revoked all the same")
	}
	res, err := r.stream("/v1/removals/"+a, ipc.Remove{Yes: true})
	if err != nil || strings.Join(res.Removal.Removed, " ") != "rot://"+a || len(res.Removal.Left) != 0 {
		t.Fatalf("%+v, %v", res, err)
	}
	if err := r.call("GET", "/v1/rots/"+a+"/token", nil, nil); err == nil || err.Code != ipc.CodeNotFound {
		t.Errorf("get: %+v", err)
	}
	if len(r.live()) != 1 || !r.accepts(r.token(b)) {
		t.Errorf("npm holds %v", r.live())
	}
	if e := r.entries(a, ""); len(e) == 0 || e[len(e)-1].Kind != store.LogRemoved {
		t.Errorf("the log of what is gone: %+v", e)
	}
	if err := r.call("GET", "/v1/log?ref="+passcard, nil, nil); err != nil {
		t.Error(err)
	}
}

func TestRemoveAPasscard(t *testing.T) {
	r := newRig(t)
	passcard, _, _ := r.two()
	res, err := r.stream("/v1/removals/"+passcard, ipc.Remove{Yes: true})
	if err != nil || len(res.Removal.Removed) != 3 {
		t.Fatalf("%+v, %v", res, err)
	}
	var st ipc.Status
	if err := r.call("GET", "/v1/status", nil, &st); err != nil || len(st.Passcards)+len(st.ROTs) != 0 {
		t.Errorf("left: %+v, %v", st, err)
	}
	if live := r.live(); len(live) != 0 {
		t.Errorf("npm holds %v", live)
	}
	signedOut := false
	for _, q := range r.npm.Requests() {
		signedOut = signedOut || q.Method == "DELETE" && strings.HasPrefix(q.Path, "/-/user/token/") && q.Status == 204
	}
	if !signedOut {
		t.Error("npm's session is not ended")
	}
	if again := r.connect(); again == passcard {
		t.Error("the passcard is back")
	}
}

// TestRemoveWhileNPMIsDown is refused, with nothing served; --forget names what
// it leaves.
func TestRemoveWhileNPMIsDown(t *testing.T) {
	r := newRig(t)
	passcard, a, b := r.two()
	r.switches(npmDown)
	for _, ref := range []string{a, passcard} {
		_, err := r.stream("/v1/removals/"+ref, ipc.Remove{Yes: true})
		if err == nil || err.Code != ipc.CodeUnreachable || !strings.Contains(err.Message, "is not removed") || !strings.Contains(err.Hint, "--forget") {
			t.Errorf("%s: %+v", ref, err)
		}
		r.noValue(a)
	}
	r.noValue(b)
	live := r.live()
	res, err := r.stream("/v1/removals/"+a, ipc.Remove{Yes: true, Forget: true})
	if err != nil || len(res.Removal.Left) != 1 || !strings.Contains(strings.Join(live, " "), res.Removal.Left[0]) {
		t.Fatalf("%+v, %v", res, err)
	}
	r.switches(`{"faults":[]}`)
	r.npmHolds(1) // b's is revoked, as nobody called that off; a's is the user's to delete
	if got := r.live(); got[0] != res.Removal.Left[0] {
		t.Errorf("npm holds %v, left was %v", got, res.Removal.Left)
	}
	if _, err := r.stream("/v1/removals/"+b, ipc.Remove{Yes: true}); err != nil {
		t.Error(err)
	}
}

// TestRemoveAsksFirst answers as a person, who changes their mind.
func TestRemoveAsksFirst(t *testing.T) {
	r := newRig(t)
	_, a, _ := r.two()
	for _, c := range []struct {
		answer string
		want   ipc.Code
	}{{"no", ipc.CodeCancelled}, {"yes", ""}} {
		go r.answer(c.answer)
		rec := r.do("POST", "/v1/removals/"+a, ipc.Remove{Interactive: true})
		lines := strings.Split(strings.TrimSpace(rec.Body.String()), "\n")
		if !strings.Contains(lines[0], `"kind":"remove"`) || !strings.Contains(lines[0], a) {
			t.Errorf("it asks %s", lines[0])
		}
		if last := lines[len(lines)-1]; c.want != "" && !strings.Contains(last, string(c.want)) || c.want == "" && !strings.Contains(last, "result") {
			t.Errorf("after %s: %s", c.answer, last)
		}
		if live, want := len(r.live()), map[string]int{"no": 2, "yes": 1}[c.answer]; live != want {
			t.Errorf("after %s npm holds %d tokens", c.answer, live)
		}
	}
}

// answer answers the next question that rotd asks.
func (r *rig) answer(value string) {
	for id := ""; ; time.Sleep(time.Millisecond) {
		r.d.questions.mu.Lock()
		for id = range r.d.questions.open {
		}
		r.d.questions.mu.Unlock()
		if id != "" {
			r.do("POST", "/v1/questions/"+id+"/answer", ipc.Answer{Value: secret.NewWire(value)})
			return
		}
	}
}

// TestRevokeDuringARotation: what npm has just made is not served either, and
// the rotation that made it is not tried again.
func TestRevokeDuringARotation(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	r.switches(`{"faults":[{"path":"/-/whoami","count":1,"kind":"slow","delay_ms":1000}]}`)
	rotated := make(chan *ipc.Error)
	go func() {
		_, err := r.stream("/v1/rotations/"+rot, ipc.Rotate{})
		rotated <- err
	}()
	r.await("a new token", func() bool {
		made, err := r.d.store.Load().Generations(t.Context(), rot, store.StepCreated)
		return err == nil && len(made) == 1
	})
	res, err := r.stream("/v1/revocations/"+rot, ipc.Revoke{})
	if err != nil || !res.Revocations[0].Confirmed {
		t.Fatalf("%+v, %v", res, err)
	}
	if err := <-rotated; err == nil || err.Code != ipc.CodeBusy || err.Hint == "" {
		t.Errorf("the rotation: %+v", err)
	}
	r.noValue(rot)
	if live := r.live(); len(live) != 0 {
		t.Errorf("npm holds %v", live)
	}
}
