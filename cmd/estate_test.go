package cmd_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rotd/daemon/npm/sandbox"
	"rotd/daemon/service/systemdtest"
	"rotd/ipc/secret"
)

// estate is the systemd of a user, rotd's programs in his home, and a registry.
type estate struct {
	*systemdtest.Machine
	t         *testing.T
	g         *ground // its registry
	home      string
	rotd, rot string
}

// newEstate has copies of the programs, which a test may replace. rotd's log goes
// to a file: there is no journal.
func newEstate(t *testing.T) *estate {
	t.Helper()
	m := systemdtest.User(t)
	e := &estate{Machine: m, t: t, home: m.Home(), rotd: m.Home() + "/bin/rotd", rot: m.Home() + "/bin/rot"}
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		t.Fatal(err)
	}
	e.g = &ground{t: t, dir: dir}
	t.Cleanup(e.g.close)
	e.g.startRegistry("127.0.0.1:0")
	m.Sh(fmt.Sprintf("mkdir ~/bin; cp %s/rotd %[1]s/rot ~/bin; printf pw > ~/pw; printf %s > ~/totp", bin, totpSeed))
	e.dropIn("test", "[Service]\nStandardError=append:%h/rotd.log\nEnvironment=GORACE=atexit_sleep_ms=0\n")
	t.Cleanup(func() {
		log := e.log()
		if strings.Contains(log, "DATA RACE") || strings.Contains(log, "goroutine ") {
			t.Error("rotd has a data race or a stack trace")
		}
		if t.Failed() {
			t.Logf("rotd's last words:\n%s", log[max(0, len(log)-6000):])
		}
	})
	return e
}

func (e *estate) log() string {
	b, _ := os.ReadFile(filepath.Join(e.home, "rotd.log"))
	return string(b)
}

// install is rotd install with the flags that the estate's rotd has.
func (e *estate) install(flags ...string) string {
	e.t.Helper()
	return e.Run(append([]string{e.rotd, "install", "--key", "file:" + e.home + "/key"}, flags...)...)
}

// dropIn adds to the unit, as a user does by systemctl edit.
func (e *estate) dropIn(name, text string) {
	e.t.Helper()
	dir := filepath.Join(e.home, ".config/systemd/user/rotd.service.d")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".conf"), []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
	e.Run("systemctl", "--user", "daemon-reload")
}

// connect connects the account, makes the ROT ci, and returns its value.
func (e *estate) connect() string {
	e.t.Helper()
	e.Sh(fmt.Sprintf("%s connect npm --name ada --terminal --registry %s --username ada --password-file ~/pw --totp-secret-file ~/totp --remember password,totp", e.rot, e.g.registry))
	e.Run(e.rot, "rotate", "ada", "--name", "ci", "--for", "publish")
	return e.value()
}

func (e *estate) value() string {
	e.t.Helper()
	return e.Run(e.rot, "get", "ci")
}

func (e *estate) accepted(value string) bool {
	e.t.Helper()
	ok, _, err := e.g.accepts(secret.New(value))
	if err != nil {
		e.t.Fatal(err)
	}
	return ok
}

func (e *estate) property(name string) string {
	e.t.Helper()
	return e.Property("rotd.service", name, "--user")
}

// rotateHeld begins a rotation, whose token npm makes at once and tells after
// delay, and returns when it is made. end waits for rot.
func (e *estate) rotateHeld(delay time.Duration) (end func() (string, error)) {
	e.t.Helper()
	made := len(e.g.tokens())
	e.g.faults(sandbox.Fault{Method: http.MethodPost, Path: "/-/npm/v1/tokens", Count: 1, Kind: sandbox.FaultHold, DelayMS: int(delay.Milliseconds())})
	type result struct {
		out string
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := e.Try(e.rot, "rotate", "ci")
		done <- result{out, err}
	}()
	e.Await("a rotation under way", func() bool { return len(e.g.tokens()) > made })
	return func() (string, error) { r := <-done; return r.out, r.err }
}
