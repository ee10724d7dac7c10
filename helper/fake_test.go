package helper

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/ipc/socket"
)

const (
	testROT   = "rot://rot_a2c4q7y3k5m6n2p4"
	testPas   = "rot://pas_uyfpwx73yney4bvr"
	testToken = "npm_d2cJEXAMPLE"
)

// fakeDaemon answers on a socket as rotd does, by handlers of the test.
type fakeDaemon struct {
	t      *testing.T
	mux    *http.ServeMux
	socket string

	answered sync.Once // there is a route for answers
	answers  chan string

	mu     sync.Mutex
	bodies map[string][]byte // the last one of each path
}

func newDaemon(t *testing.T) *fakeDaemon {
	t.Helper()
	d := &fakeDaemon{t: t, mux: http.NewServeMux(), socket: filepath.Join(shortDir(t), "s"), answers: make(chan string), bodies: map[string][]byte{}}
	ln, err := socket.Listen(t.Context(), d.socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: d.mux}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return d
}

// shortDir is short enough for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// on answers a route with a JSON value, or with an *ipc.Error.
func (d *fakeDaemon) on(route string, answer any) {
	d.mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
		d.keep(r)
		if e, ok := answer.(*ipc.Error); ok {
			w.WriteHeader(e.Code.HTTPStatus())
			json.NewEncoder(w).Encode(ipc.ErrorBody{Error: e})
			return
		}
		json.NewEncoder(w).Encode(answer)
	})
}

// stream answers a route with events.
func (d *fakeDaemon) stream(route string, events ...ipc.Event) {
	d.mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
		d.keep(r)
		for _, ev := range events {
			d.send(w, ev)
		}
	})
}

func (d *fakeDaemon) send(w http.ResponseWriter, ev ipc.Event) {
	json.NewEncoder(w).Encode(ev)
	w.(http.Flusher).Flush()
}

// asks answers a route with questions, each after the answer to the one before,
// and then with the result. It returns the answers, by question.
func (d *fakeDaemon) asks(route string, questions []ipc.Question, result ipc.Result) map[string]string {
	got := make(map[string]string)
	d.mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
		d.keep(r)
		for _, q := range questions {
			d.send(w, ipc.Event{Question: &q})
			select {
			case got[q.ID] = <-d.answers:
			case <-r.Context().Done():
				return
			}
		}
		d.send(w, ipc.Event{Result: &result})
	})
	d.answered.Do(func() { d.mux.HandleFunc("POST "+ipc.PathAnswer, d.takeAnswer) })
	return got
}

func (d *fakeDaemon) takeAnswer(w http.ResponseWriter, r *http.Request) {
	var a ipc.Answer
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
		d.t.Error(err)
	}
	w.WriteHeader(http.StatusNoContent)
	d.answers <- a.Value.Reveal()
}

func (d *fakeDaemon) keep(r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		d.t.Error(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bodies[r.URL.Path] = b
}

// body decodes the last request to a path.
func (d *fakeDaemon) body(path string, into any) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := json.Unmarshal(d.bodies[path], into); err != nil {
		d.t.Fatalf("the request to %s: %v (%q)", path, err, d.bodies[path])
	}
}

func (d *fakeDaemon) hasToken() {
	expires := testNow.Add(60 * 24 * time.Hour)
	d.on("GET "+ipc.PathToken, ipc.Token{
		ROT: testROT, Generation: 1, Value: secret.NewWire(testToken), Expires: &expires, Registry: "http://localhost:4873",
	})
}

var testNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// outcome is what one run of rot left.
type outcome struct {
	code           int
	stdout, stderr string
}

// env is that of a script: no terminal anywhere.
func (d *fakeDaemon) env(extra ...string) *Env {
	home := d.t.TempDir()
	return &Env{
		Stdin:   strings.NewReader(""),
		Environ: append([]string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "ROTD_SOCKET=" + d.socket}, extra...),
		Dir:     at(home), Executable: at(""), UID: os.Getuid(), GOOS: "linux",
		Now: func() time.Time { return testNow },
	}
}

func (d *fakeDaemon) run(args ...string) outcome {
	d.t.Helper()
	return runEnv(d.t.Context(), d.env(), args...)
}

func runEnv(ctx context.Context, e *Env, args ...string) outcome {
	return runOf(ctx, e, withOwn(), args...)
}

// runOf is one run of a program that has these commands.
func runOf(ctx context.Context, e *Env, all []command, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	e.Stdout = &stdout
	if e.Stderr == nil {
		e.Stderr = &stderr
	}
	code := run(ctx, e, all, args)
	return outcome{code, stdout.String(), stderr.String()}
}

// withOwn are all commands that this package has, at the desk or not.
func withOwn() []command { return withDesk(OwnDesk()) }

// want compares; a part of stderr is enough.
func (o outcome) want(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	if o.code != code || o.stdout != stdout || !strings.Contains(o.stderr, stderr) || stderr == "" && o.stderr != "" {
		t.Errorf("exit %d, stdout %q, stderr %q\nwant %d, %q, %q", o.code, o.stdout, o.stderr, code, stdout, stderr)
	}
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var errBroken = errors.New("broken")

// brokenWriter is a full disk.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

// at is a path that an Env is asked for.
func at(path string) func() string { return func() string { return path } }
