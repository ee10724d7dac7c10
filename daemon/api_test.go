package daemon

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

func TestRequestsThatMakeNoSense(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		method, path string
		body         any
		want         ipc.Code
	}{
		{"GET", "/v1/nothing", nil, ipc.CodeNotFound},
		{"DELETE", "/v1/status", nil, ipc.CodeNotFound},
		{"GET", "/v1/rots/rot_aaaaaaaa/token", nil, ipc.CodeNotFound},
		{"GET", "/v1/rots/%2e%2e%2fstatus/token", nil, ipc.CodeNotFound},
		{"GET", "/v1/rots/rot_/token", nil, ipc.CodeNotFound},
		{"POST", "/v1/rotations/pas_aaaaaaaa", nil, ipc.CodeNotFound},
		{"POST", "/v1/passcards", nil, ipc.CodeBadRequest},
		{"POST", "/v1/passcards", "ada", ipc.CodeBadRequest},
		{"POST", "/v1/passcards", map[string]any{"user": "ada"}, ipc.CodeBadRequest},
		{"POST", "/v1/passcards", ipc.Connect{Registry: "ftp://localhost", Username: user}, ipc.CodeBadRequest},
		{"POST", "/v1/passcards", ipc.Connect{Registry: "http://registry.example", Username: user}, ipc.CodeBadRequest},
		{"POST", "/v1/passcards", ipc.Connect{Registry: r.url, Username: "ada@example.com"}, ipc.CodeBadRequest},
		{"POST", "/v1/passcards", ipc.Connect{Registry: r.url, Username: "ada/../bob"}, ipc.CodeBadRequest},
		{"POST", "/v1/passcards", ipc.Connect{Registry: r.url, Username: user, TOTPSecret: secret.NewWire("no base32!")}, ipc.CodeBadRequest},
		{"POST", "/v1/passcards", ipc.Connect{Registry: r.url, Username: user, Remember: []string{"everything"}}, ipc.CodeBadRequest},
		{"POST", "/v1/passcards", ipc.Connect{Registry: r.url, Username: user, Remember: []string{"totp"}}, ipc.CodeBadRequest},
		{"POST", "/v1/passcards", ipc.Connect{Registry: r.url, Username: user, Name: "rot_x"}, ipc.CodeBadRequest},
		{"POST", "/v1/passcards", strings.Repeat("x", maxBody+1), ipc.CodeBadRequest},
		{"POST", "/v1/questions/none/answer", ipc.Answer{Value: secret.NewWire("x")}, ipc.CodeNotFound},
	} {
		rec := r.do(c.method, c.path, c.body)
		if e := r.errorOf(rec); e.Code != c.want || e.Message == "" || rec.Code != c.want.HTTPStatus() {
			t.Errorf("%s %s: %d %+v, want %s", c.method, c.path, rec.Code, e, c.want)
		}
	}
}

func TestConnectThatFailsKeepsNothing(t *testing.T) {
	r := newRig(t)
	good := ipc.Connect{Registry: r.url, Username: user, Password: secret.NewWire(password), TOTPSecret: secret.NewWire(totpSeed), Remember: []string{"password", "totp"}, Terminal: true}
	for _, c := range []struct {
		name     string
		change   func(*ipc.Connect)
		switches string
		want     ipc.Code
	}{
		{"a wrong password", func(q *ipc.Connect) { q.Password = secret.NewWire("wrong-EXAMPLE") }, `{}`, ipc.CodeWrongPassword},
		{"no password, and nobody there", func(q *ipc.Connect) { q.Password = secret.Wire{}; q.Remember = nil }, `{}`, ipc.CodeNeedsApproval},
		{"a registry that is not there", func(q *ipc.Connect) { q.Registry = "http://localhost:1" }, `{}`, ipc.CodeUnreachable},
		{"429", nil, `{"faults":[{"path":"/-/","count":-1,"kind":"status","status":429,"retry_after":90}]}`, ipc.CodeRateLimited},
		{"500", nil, `{"faults":[{"path":"/-/","count":-1,"kind":"status","status":500}]}`, ipc.CodeRegistryError},
		{"403", nil, `{"faults":[{"path":"/-/","count":-1,"kind":"status","status":403}]}`, ipc.CodeRefused},
		{"an answer that is not JSON", nil, `{"faults":[{"path":"/-/","count":-1,"kind":"garble"}]}`, ipc.CodeGarbled},
		{"an answer that is cut off", nil, `{"faults":[{"path":"/-/","count":-1,"kind":"truncate"}]}`, ipc.CodeGarbled},
		{"a connection that is cut", nil, `{"faults":[{"path":"/-/","count":-1,"kind":"cut"}]}`, ipc.CodeUnreachable},
		{"no browser where one is needed", func(q *ipc.Connect) { q.TOTPSecret = secret.Wire{}; q.Remember = nil }, `{"couch_login":"closed"}`, ipc.CodeBrowserNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.t = t
			r.switches(`{"faults":[],"couch_login":"open"}`)
			r.switches(c.switches)
			req := good
			if c.change != nil {
				c.change(&req)
			}
			_, err := r.stream("/v1/passcards", req)
			if err == nil || err.Code != c.want || err.Message == "" || err.Hint == "" {
				t.Fatalf("got %+v, want %s with a hint", err, c.want)
			}
			if c.name == "429" && err.RetryAfter != 90 {
				t.Errorf("retry after %d", err.RetryAfter)
			}
			for _, s := range []string{"wrong-EXAMPLE", password, totpSeed} {
				if strings.Contains(err.Message+err.Hint, s) || strings.Contains(r.log.String(), s) {
					t.Error("an error or the log holds a secret")
				}
			}
			var st ipc.Status
			if err := r.call("GET", "/v1/status", nil, &st); err != nil || len(st.Passcards) != 0 {
				t.Errorf("kept %+v, %v", st.Passcards, err)
			}
		})
	}
}

func TestConnectAgainRenews(t *testing.T) {
	r := newRig(t)
	first := r.connect()
	res, err := r.stream("/v1/passcards", ipc.Connect{Registry: r.url + "/", Name: "work", Username: user, Password: secret.NewWire(password), TOTPSecret: secret.NewWire(totpSeed), Terminal: true})
	if err != nil {
		t.Fatal(err)
	}
	if bare(res.Passcard) != first {
		t.Errorf("the account has two passcards: %s and %s", first, res.Passcard)
	}
	var st ipc.Status
	if err := r.call("GET", "/v1/status", nil, &st); err != nil || len(st.Passcards) != 1 {
		t.Fatalf("%+v, %v", st.Passcards, err)
	}
	if p := st.Passcards[0]; p.Name != "work" || strings.Join(p.Remembered, " ") != "password totp" {
		t.Errorf("renewed: %+v", p)
	}
}

func TestWhichROTsARotationMeans(t *testing.T) {
	r := newRig(t)
	passcard := r.connect()
	rotate := func(ref string, req ipc.Rotate) ([]ipc.Rotation, *ipc.Error) {
		t.Helper()
		res, err := r.stream("/v1/rotations/"+ref, req)
		if err != nil {
			return nil, err
		}
		return res.Rotations, nil
	}
	if _, err := rotate(passcard, ipc.Rotate{}); err == nil || err.Code != ipc.CodeShapeRequired {
		t.Errorf("the first without a shape: %+v", err)
	}
	one, err := rotate(passcard, ipc.Rotate{Shape: publish})
	if err != nil || len(one) != 1 || one[0].Generation != 1 {
		t.Fatalf("the first: %+v, %v", one, err)
	}
	install := &ipc.Shape{PackagesAll: true, Permission: ipc.PermissionRead, ExpiresDays: 30}
	again, err := rotate(passcard, ipc.Rotate{Shape: install})
	if err != nil || len(again) != 1 || again[0].ROT != one[0].ROT || again[0].Generation != 2 {
		t.Errorf("another shape for the only one: %+v, %v", again, err)
	}
	if got := r.rot(bare(one[0].ROT)).Shape.Permission; got != ipc.PermissionRead {
		t.Errorf("its permission is %s", got)
	}
	named, err := rotate(passcard, ipc.Rotate{Name: "ci", Shape: publish})
	if err != nil || len(named) != 1 || named[0].ROT == one[0].ROT {
		t.Fatalf("a named one: %+v, %v", named, err)
	}
	both, err := rotate(passcard, ipc.Rotate{})
	if err != nil || len(both) != 2 {
		t.Errorf("all of the passcard: %+v, %v", both, err)
	}
	if _, err := rotate(passcard, ipc.Rotate{Shape: publish}); err == nil || err.Code != ipc.CodeBadRequest {
		t.Errorf("a shape for one of two: %+v", err)
	}
	for _, ref := range []string{"ci", bare(named[0].ROT), bare(named[0].ROT)[:10]} {
		if done, err := rotate(ref, ipc.Rotate{}); err != nil || len(done) != 1 || done[0].ROT != named[0].ROT {
			t.Errorf("by %s: %+v, %v", ref, done, err)
		}
	}
	if _, err := rotate("ci", ipc.Rotate{Name: "other"}); err == nil || err.Code != ipc.CodeBadRequest {
		t.Errorf("a second name: %+v", err)
	}
	if err := r.call("GET", "/v1/rots/"+passcard+"/token", nil, nil); err == nil || err.Code != ipc.CodeNotFound || !strings.Contains(err.Hint, "rot ls") {
		t.Errorf("get of a passcard: %+v", err)
	}
}

// TestAFailedRotationChangesNothing has npm say no, and say nonsense, in turn.
func TestAFailedRotationChangesNothing(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	before := r.token(rot)
	for fault, want := range map[string]ipc.Code{
		`{"path":"/-/npm/v1/tokens","method":"POST","count":1,"kind":"status","status":500}`:                  ipc.CodeRegistryError,
		`{"path":"/-/npm/v1/tokens","method":"POST","count":1,"kind":"status","status":403}`:                  ipc.CodeRefused,
		`{"path":"/-/npm/v1/tokens","method":"POST","count":1,"kind":"status","status":429,"retry_after":60}`: ipc.CodeRateLimited,
		`{"path":"/-/npm/v1/tokens","method":"POST","count":1,"kind":"cut"}`:                                  ipc.CodeUnreachable,
		`{"path":"/-/npm/v1/tokens","method":"POST","count":1,"kind":"cut-after"}`:                            ipc.CodeUnreachable,
		`{"path":"/-/npm/v1/tokens","method":"POST","count":1,"kind":"truncate"}`:                             ipc.CodeGarbled,
		`{"path":"/-/npm/v1/tokens","method":"POST","count":1,"kind":"garble"}`:                               ipc.CodeGarbled,
	} {
		r.switches(`{"faults":[` + fault + `]}`)
		if _, err := r.stream("/v1/rotations/"+rot, ipc.Rotate{}); err == nil || err.Code != want || err.Hint == "" {
			t.Errorf("%s: got %+v, want %s", fault, err, want)
		}
		if now := r.token(rot); !now.Value.Equal(before.Value.Text) || !r.accepts(now) {
			t.Errorf("%s: readers get something else", fault)
		}
		if v := r.rot(rot); v.State != ipc.StateFailing || v.LastError.Code != want {
			t.Errorf("%s: status is %s, %+v", fault, v.State, v.LastError)
		}
	}
	r.switches(`{"faults":[],"grant_permission":"read-only"}`)
	if _, err := r.stream("/v1/rotations/"+rot, ipc.Rotate{}); err == nil || err.Code != ipc.CodeTokenMismatch || !strings.Contains(err.Message, "read") {
		t.Errorf("a token that may do less: %+v", err)
	}
	r.switches(`{"grant_permission":""}`)
	if _, err := r.stream("/v1/rotations/"+rot, ipc.Rotate{}); err != nil {
		t.Fatal(err)
	}
	r.await("the end of all that was left", func() bool {
		r.advance(time.Minute) // beyond doubt about what was cut off, in the end
		open, err := r.d.store.Load().Unfinished(t.Context())
		return err == nil && len(open) == 0 && len(r.live()) == 1
	})
}

// TestAReshapeThatFailsIsForgotten: what npm refused is not asked for again by
// the next rotation, and what it has not made is not shown.
func TestAReshapeThatFailsIsForgotten(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	next := *r.rot(rot).Next
	typo := &ipc.Shape{Packages: []string{"no-such-package"}, Permission: ipc.PermissionRead, ExpiresDays: 30}
	if _, err := r.stream("/v1/rotations/"+rot, ipc.Rotate{Shape: typo}); err == nil || err.Code != ipc.CodeRefused {
		t.Fatalf("got %+v", err)
	}
	v := r.rot(rot)
	if !v.Shape.PackagesAll || v.Shape.Permission != ipc.PermissionWrite {
		t.Errorf("its shape is %+v", v.Shape)
	}
	if v.Next == nil || !v.Next.Equal(next) {
		t.Errorf("a failure that nobody had planned moved the next rotation from %v to %v", next, v.Next)
	}
	if _, err := r.stream("/v1/rotations/"+rot, ipc.Rotate{}); err != nil {
		t.Errorf("the next rotation: %+v", err)
	}
	if v := r.rot(rot); v.State != ipc.StateOK || v.LastError != nil {
		t.Errorf("after it: %s, %+v", v.State, v.LastError)
	}
}

func TestFirstRotationsAtOnceAreOfOneROT(t *testing.T) {
	r := newRig(t)
	passcard := r.connect()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := r.stream("/v1/rotations/"+passcard, ipc.Rotate{Shape: publish}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if rots := r.rots(); len(rots) != 1 || len(r.live()) != 1 {
		t.Errorf("%d ROTs, %d live tokens", len(rots), len(r.live()))
	}
}

// TestAPasskeysCountNeverGoesBack: the file of a passkey is as old as its first
// use, and what is kept has counted on.
func TestAPasskeysCountNeverGoesBack(t *testing.T) {
	r := newRig(t)
	passcard := r.connect()
	key := ipc.Passkey{RPID: "localhost", CredentialID: "YQ==", PrivateKey: secret.NewWire("EXAMPLE"), SignCount: 7}
	kept, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.d.store.Load().PutSecret(t.Context(), passcard, store.KindPasskey, secret.New(string(kept))); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]int64{"YQ==": 7, "Yg==": 0} {
		fresh := key
		fresh.CredentialID, fresh.SignCount = id, 0
		c := &connection{d: r.d, st: r.d.store.Load(), req: ipc.Connect{Registry: r.url, Username: user, Passkey: &fresh}}
		if err := c.known(t.Context(), store.Passcard{ID: passcard}); err != nil || fresh.SignCount != want {
			t.Errorf("%s: count %d, want %d (%v)", id, fresh.SignCount, want, err)
		}
	}
}

// live are npm's tokens that are not revoked.
func (r *rig) live() []string {
	r.t.Helper()
	var names []string
	for _, tk := range r.npm.Tokens() {
		if tk.Revoked == nil {
			names = append(names, tk.Name)
		}
	}
	return names
}
