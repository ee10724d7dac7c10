package desk

import (
	"bytes"
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

	"rotd/helper"
	"rotd/ipc"
	"rotd/ipc/socket"
)

const testPas = "rot://pas_uyfpwx73yney4bvr"

var testNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// fakeDaemon answers on a socket as rotd does, by handlers of the test.
type fakeDaemon struct {
	t      *testing.T
	mux    *http.ServeMux
	socket string

	mu     sync.Mutex
	bodies map[string][]byte // the last one of each path
}

func newDaemon(t *testing.T) *fakeDaemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "t") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &fakeDaemon{t: t, mux: http.NewServeMux(), socket: filepath.Join(dir, "s"), bodies: map[string][]byte{}}
	ln, err := socket.Listen(t.Context(), d.socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: d.mux}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return d
}

// on answers a route with a JSON value, or with an *ipc.Error.
func (d *fakeDaemon) on(route string, answer any) {
	d.mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
		d.keep(r)
		if e, ok := answer.(*ipc.Error); ok {
			w.WriteHeader(e.Code.HTTPStatus())
			answer = ipc.ErrorBody{Error: e}
		}
		json.NewEncoder(w).Encode(answer)
	})
}

// stream answers a route with events.
func (d *fakeDaemon) stream(route string, events ...ipc.Event) {
	d.mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
		d.keep(r)
		for _, ev := range events {
			json.NewEncoder(w).Encode(ev)
		}
	})
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

// asked tells whether there was a request to a path.
func (d *fakeDaemon) asked(path string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.bodies[path]
	return ok
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

// outcome is what one run of rot left.
type outcome struct {
	code           int
	stdout, stderr string
}

// env is that of a script: no terminal anywhere.
func (d *fakeDaemon) env(extra ...string) *helper.Env {
	home := d.t.TempDir()
	return &helper.Env{
		Stdin:   strings.NewReader(""),
		Environ: append([]string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "ROTD_SOCKET=" + d.socket}, extra...),
		Dir:     at(home), Executable: at(""), UID: os.Getuid(), GOOS: "linux",
		Now: func() time.Time { return testNow },
	}
}

func (d *fakeDaemon) run(args ...string) outcome {
	d.t.Helper()
	return d.runEnv(d.env(), args...)
}

func (d *fakeDaemon) runEnv(e *helper.Env, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	e.Stderr = &stderr
	if e.Stdout == nil {
		e.Stdout = &stdout
	}
	code := Run(d.t.Context(), e, args)
	return outcome{code, stdout.String(), stderr.String()}
}

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

// brokenWriter is a full disk.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }

// at is a path that an Env is asked for.
func at(path string) func() string { return func() string { return path } }
