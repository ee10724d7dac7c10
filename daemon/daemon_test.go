package daemon

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"rotd/daemon/npm/sandbox"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/ipc/socket"
	"rotd/store"
)

// The sandbox's account in these tests. Its authenticator app makes every
// rotation possible without a browser.
const (
	user     = "ada"
	password = "correct-horse-EXAMPLE"
	totpSeed = "JBSWY3DPEHPK3PXP"
)

// rig is a daemon without its socket, whose clock and npm a test holds.
type rig struct {
	t       testing.TB
	d       *Daemon
	npm     *sandbox.Sandbox
	url     string
	handler http.Handler
	log     *lockedBuffer
	told    told

	mu  sync.Mutex
	now time.Time
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Now(), log: new(lockedBuffer)}
	var err error
	if r.npm, err = sandbox.New(sandbox.Config{User: user, Password: password, TOTPSecret: totpSeed, Now: r.clock}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(r.npm)
	t.Cleanup(srv.Close)
	r.url = "http://localhost:" + srv.URL[len("http://127.0.0.1:"):]

	dir := t.TempDir()
	key, err := store.ParseKeySource("file:" + filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		StateDir: filepath.Join(dir, "state"), Key: key, RuntimeDir: filepath.Join(dir, "run"),
		Browser: filepath.Join(dir, "no-browser"), BrowserNoSandbox: true, Now: r.clock,
		Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.d = &Daemon{cfg: cfg, started: r.clock(), wake: make(chan struct{}, 1), stop: ctx, book: newLogbook()}
	st, err := r.d.openStore(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r.d.notify = r.told.notify
	r.handler = r.d.handler()
	r.d.begin(st)
	t.Cleanup(func() {
		cancel()
		r.d.work.Wait()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(r.log.String())
		}
	})
	return r
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// advance moves the clock of the daemon and of npm, as a suspended laptop's
// does: no timer has run, and then one looks.
func (r *rig) advance(d time.Duration) {
	r.mu.Lock()
	r.now = r.now.Add(d)
	r.mu.Unlock()
	r.d.kick()
}

// call makes a request as the daemon's own user and decodes the answer.
func (r *rig) call(method, path string, in, out any) *ipc.Error {
	r.t.Helper()
	rec := r.do(method, path, in)
	if rec.Code/100 != 2 {
		var e ipc.ErrorBody
		if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil || e.Error == nil {
			r.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
		}
		return e.Error
	}
	if out != nil {
		if err := json.Unmarshal(rec.Body.Bytes(), out); err != nil {
			r.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return nil
}

func (r *rig) do(method, path string, in any) *httptest.ResponseRecorder {
	r.t.Helper()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			r.t.Fatal(err)
		}
		body = bytes.NewReader(b)
	}
	req := httptest.NewRequest(method, "http://rotd"+path, body)
	peer := socket.Peer{UID: uint32(os.Getuid()), PID: int32(os.Getpid())}
	req = req.WithContext(context.WithValue(req.Context(), peerKey{}, peer))
	rec := httptest.NewRecorder()
	r.handler.ServeHTTP(rec, req)
	return rec
}

// stream makes a request whose answer is a line an event, and returns the last.
func (r *rig) stream(path string, in any) (*ipc.Result, *ipc.Error) {
	r.t.Helper()
	rec := r.do("POST", path, in)
	if rec.Code/100 != 2 {
		return nil, r.errorOf(rec)
	}
	var last ipc.Event
	lines := bufio.NewScanner(rec.Body)
	for lines.Scan() {
		last = ipc.Event{}
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			r.t.Fatalf("%s: %v", path, err)
		}
	}
	if last.Result == nil && last.Error == nil {
		r.t.Fatalf("%s: the stream ends in %+v", path, last)
	}
	return last.Result, last.Error
}

func (r *rig) errorOf(rec *httptest.ResponseRecorder) *ipc.Error {
	r.t.Helper()
	var e ipc.ErrorBody
	if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil || e.Error == nil {
		r.t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return e.Error
}

func (r *rig) connect() (passcard string) {
	r.t.Helper()
	res, err := r.stream("/v1/passcards", ipc.Connect{
		Registry: r.url, Username: user, Password: secret.NewWire(password), TOTPSecret: secret.NewWire(totpSeed),
		Remember: []string{"password", "totp"}, Terminal: true,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return bare(res.Passcard)
}

// bare is a reference without its scheme, as paths want it.
func bare(ref string) string { return ref[len("rot://"):] }

var publish = &ipc.Shape{PackagesAll: true, Permission: ipc.PermissionWrite, Bypass2FA: true, ExpiresDays: 90}

// first connects and makes the first ROT.
func (r *rig) first() (passcard, rot string) {
	r.t.Helper()
	passcard = r.connect()
	res, err := r.stream("/v1/rotations/"+passcard, ipc.Rotate{Shape: publish})
	if err != nil {
		r.t.Fatal(err)
	}
	return passcard, bare(res.Rotations[0].ROT)
}

func (r *rig) token(rot string) ipc.Token {
	r.t.Helper()
	var tk ipc.Token
	if err := r.call("GET", "/v1/rots/"+rot+"/token", nil, &tk); err != nil {
		r.t.Fatal(err)
	}
	return tk
}

func (r *rig) rots() []ipc.ROT {
	r.t.Helper()
	var st ipc.Status
	if err := r.call("GET", "/v1/status", nil, &st); err != nil {
		r.t.Fatal(err)
	}
	return st.ROTs
}

func (r *rig) rot(rot string) ipc.ROT {
	r.t.Helper()
	rots := r.rots()
	for _, v := range rots {
		if bare(v.Ref) == rot {
			return v
		}
	}
	r.t.Fatalf("no %s in %+v", rot, rots)
	return ipc.ROT{}
}

// await polls until ok, or fails after a time that no healthy run needs.
func (r *rig) await(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s did not happen", what)
		}
	}
}

// accepts asks npm.
func (r *rig) accepts(tk ipc.Token) bool {
	r.t.Helper()
	req, err := http.NewRequest("GET", r.url+"/-/whoami", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+tk.Value.Reveal())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (r *rig) switches(json string) {
	r.t.Helper()
	if err := r.npm.Set(json); err != nil {
		r.t.Fatal(err)
	}
}
