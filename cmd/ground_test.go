package cmd_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rotd/daemon/npm/sandbox"
	"rotd/ipc"
	"rotd/ipc/secret"
)

// totpSeed is the authenticator's secret: rotations on a ground need nobody.
const totpSeed = "JBSWY3DPEHPK3PXP"

// ground is a registry and a daemon, both of them real programs that a test
// may kill. Only the test's own goroutine starts and ends them.
type ground struct {
	t        testing.TB
	dir      string // short, for the socket
	registry string
	flags    []string // more of the daemon's
	client   *ipc.Client
	npm, d   *running
	program  string // of the daemon; empty: rotd, with the race detector
}

type running struct {
	cmd  *exec.Cmd
	done chan error
}

// newGround starts both, and connects the account.
func newGround(t testing.TB, sandboxFlags ...string) (g *ground, passcard string) {
	t.Helper()
	g = bareGround(t)
	g.startRegistry("127.0.0.1:0", sandboxFlags...)
	g.startDaemon()
	g.awaitDaemon()
	return g, g.connect()
}

// bareGround is a ground on which nothing runs yet.
func bareGround(t testing.TB) *ground {
	t.Helper()
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		t.Fatal(err)
	}
	g := &ground{t: t, dir: dir, client: &ipc.Client{Socket: filepath.Join(dir, "s")}}
	t.Cleanup(g.close)
	return g
}

// connect connects the account.
func (g *ground) connect() (passcard string) {
	g.t.Helper()
	res, err := g.stream(g.t.Context(), ipc.PathPasscards, ipc.Connect{
		Registry: g.registry, Username: "ada", Password: secret.NewWire("pw"), TOTPSecret: secret.NewWire(totpSeed),
		Remember: []string{"password", "totp"}, Terminal: true,
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return bare(res.Passcard)
}

// bare is a reference without its scheme, as paths want it.
func bare(ref string) string { return strings.TrimPrefix(ref, "rot://") }

func (g *ground) close() {
	if g.d != nil {
		g.kill(&g.d)
	}
	if g.npm != nil {
		g.kill(&g.npm)
	}
	log := g.log()
	if bytes.Contains(log, []byte("DATA RACE")) || bytes.Contains(log, []byte("goroutine ")) {
		g.t.Error("rotd has a data race or a stack trace")
	}
	if g.t.Failed() {
		g.t.Logf("rotd's last words:\n%s", log[max(0, len(log)-20_000):])
	}
	_ = os.RemoveAll(g.dir)
}

func (g *ground) log() []byte {
	b, _ := os.ReadFile(filepath.Join(g.dir, "rotd.log"))
	return b
}

func (g *ground) start(name string, stdout io.Writer, args ...string) *running {
	g.t.Helper()
	return g.startBy(filepath.Join(bin, name), name, stdout, args...)
}

// startBy starts a program by another one, which becomes it.
func (g *ground) startBy(path, name string, stdout io.Writer, args ...string) *running {
	g.t.Helper()
	log, err := os.OpenFile(filepath.Join(g.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		g.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(path, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + g.dir, "XDG_RUNTIME_DIR=" + g.dir,
		"GORACE=atexit_sleep_ms=0"} // or else each end takes a second
	cmd.Dir, cmd.Stdout, cmd.Stderr = g.dir, stdout, log
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	p := &running{cmd, make(chan error, 1)}
	go func() { p.done <- cmd.Wait() }()
	return p
}

// startRegistry returns when the sandbox answers. A second one on the first
// one's address and state goes on where that one was.
func (g *ground) startRegistry(listen string, flags ...string) {
	g.t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		g.t.Fatal(err)
	}
	defer out.Close()
	g.npm = g.start("npm-sandbox", in, append([]string{"--listen", listen, "--user", "ada", "--password", "pw", "--totp", totpSeed}, flags...)...)
	_ = in.Close()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		g.t.Fatalf("the sandbox says nothing: %v", err)
	}
	var ready struct{ Registry string }
	if err := json.Unmarshal(line, &ready); err != nil {
		g.t.Fatal(err)
	}
	g.registry = ready.Registry
}

// startDaemon does not wait until it answers.
func (g *ground) startDaemon() {
	g.t.Helper()
	g.d = g.start(cmp.Or(g.program, "rotd"), io.Discard, g.daemonArgs()...)
}

func (g *ground) daemonArgs() []string {
	return append([]string{"run", "--state-dir", g.stateDir(), "--socket", g.client.Socket,
		"--key", "file:" + filepath.Join(g.dir, "key"), "--log-level", "debug"}, g.flags...)
}

func (g *ground) stateDir() string { return filepath.Join(g.dir, "state") }

func (g *ground) awaitDaemon() {
	g.t.Helper()
	g.await(30*time.Second, "a daemon that answers", func() bool {
		return g.client.Get(g.t.Context(), ipc.PathVersion, new(ipc.Version)) == nil
	})
}

func (g *ground) restartDaemon() {
	g.t.Helper()
	g.startDaemon()
	g.awaitDaemon()
}

// await polls until ok, or fails when it took too long.
func (g *ground) await(patience time.Duration, what string, ok func() bool) {
	g.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			g.t.Fatalf("%s did not come within %v", what, patience)
		}
	}
}

// kill ends a program with SIGKILL. One that had ended by itself is an error.
func (g *ground) kill(p **running) { g.end(p, syscall.SIGKILL) }

// stop ends the daemon as a service manager does.
func (g *ground) stop() { g.t.Helper(); g.end(&g.d, syscall.SIGTERM) }

func (g *ground) end(p **running, sig syscall.Signal) {
	g.t.Helper()
	r := *p
	*p = nil
	select {
	case err := <-r.done:
		g.t.Errorf("%s ended by itself: %v", filepath.Base(r.cmd.Path), err)
		return
	default:
	}
	_ = r.cmd.Process.Signal(sig)
	select {
	case err := <-r.done:
		if sig == syscall.SIGTERM && err != nil {
			g.t.Errorf("%s ended badly: %v", filepath.Base(r.cmd.Path), err)
		}
	case <-time.After(30 * time.Second):
		_ = r.cmd.Process.Kill()
		g.t.Errorf("%s does not stop", filepath.Base(r.cmd.Path))
	}
}

// stream runs a long request to its end.
func (g *ground) stream(ctx context.Context, path string, in any) (*ipc.Result, error) {
	var result *ipc.Result
	for ev, err := range g.client.Stream(ctx, path, in) {
		if err != nil {
			return nil, err
		}
		result = ev.Result
	}
	return result, nil
}

// newROT makes a ROT and its first token.
func (g *ground) newROT(passcard, name string) (rot string) {
	g.t.Helper()
	shape := &ipc.Shape{PackagesAll: true, Permission: ipc.PermissionWrite, Bypass2FA: true, ExpiresDays: 90}
	res, err := g.stream(g.t.Context(), ipc.Path(ipc.PathRotate, passcard), ipc.Rotate{Name: name, Shape: shape})
	if err != nil {
		g.t.Fatal(err)
	}
	return bare(res.Rotations[0].ROT)
}

func (g *ground) rotate(ctx context.Context, rot string) error {
	_, err := g.stream(ctx, ipc.Path(ipc.PathRotate, rot), ipc.Rotate{})
	return err
}

func (g *ground) token(ctx context.Context, rot string) (ipc.Token, error) {
	var tk ipc.Token
	err := g.client.Get(ctx, ipc.Path(ipc.PathToken, rot), &tk)
	return tk, err
}

// accepts asks the registry itself, past all of its faults.
func (g *ground) accepts(value secret.Text) (accepted bool, revoked *time.Time, err error) {
	var answer struct {
		Accepted bool
		Revoked  *time.Time
	}
	err = g.control("GET", "accepts", "", value, &answer)
	return answer.Accepted, answer.Revoked, err
}

// faults are what the registry does wrong from now on; none: it is well.
func (g *ground) faults(list ...sandbox.Fault) {
	g.t.Helper()
	body, err := json.Marshal(map[string]any{"faults": append([]sandbox.Fault{}, list...)})
	if err == nil {
		err = g.control("POST", "switches", string(body), noBearer, nil)
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

// tokens are all that the registry ever made.
func (g *ground) tokens() (all []sandbox.TokenRecord) {
	g.t.Helper()
	if err := g.control("GET", "tokens", "", noBearer, &all); err != nil {
		g.t.Fatal(err)
	}
	return all
}

func (g *ground) requests() (all []sandbox.Request) {
	g.t.Helper()
	if err := g.control("GET", "requests", "", noBearer, &all); err != nil {
		g.t.Fatal(err)
	}
	return all
}

var noBearer secret.Text

func (g *ground) control(method, path, body string, bearer secret.Text, into any) error {
	req, err := http.NewRequest(method, g.registry+"/-/sandbox/"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	if !bearer.IsZero() {
		req.Header.Set("Authorization", "Bearer "+bearer.Reveal())
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s %s", path, resp.Status, b)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(b, into)
	}
	return err
}
