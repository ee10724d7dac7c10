package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
)

const totpSeed = "JBSWY3DPEHPK3PXP"

// world is a sandbox and a daemon, as make builds them, with an account.
type world struct {
	b        *testing.B
	dir      string // short, for the socket
	registry string
	client   *ipc.Client
	passcard string
}

// newWorld starts both; the flags are the sandbox's.
func newWorld(b *testing.B, flags ...string) *world { return newWorldAt(b, "debug", flags...) }

// newWorldAt has the daemon log at a level: debug tells how browsers start.
func newWorldAt(b *testing.B, level string, flags ...string) *world {
	b.Helper()
	w := &world{b: b, dir: shortDir(b)}
	w.client = &ipc.Client{Socket: filepath.Join(w.dir, "s")}
	out := w.start("npm-sandbox", append([]string{"--listen", "127.0.0.1:0", "--user", "ada", "--password", "pw"}, flags...)...)
	var ready struct{ Registry string }
	w.await("npm-sandbox", func() bool { return json.Unmarshal(out.Bytes(), &ready) == nil })
	w.registry = ready.Registry
	args := []string{"run", "--state-dir", filepath.Join(w.dir, "state"), "--key", "file:" + filepath.Join(w.dir, "key"), "--log-level", level}
	if os.Getuid() == 0 {
		args = append(args, "--browser-no-sandbox")
	}
	w.start("rotd", args...)
	w.await("rotd", func() bool {
		var v ipc.Version
		return w.client.Get(b.Context(), ipc.PathVersion, &v) == nil
	})
	return w
}

// shortDir is a directory for one benchmark, with a path short enough for a
// socket's.
func shortDir(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// built is the path of a program that make has built.
func built(b *testing.B, name string) string {
	b.Helper()
	path, err := filepath.Abs(filepath.Join("../../bin", name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		b.Fatalf("%v: make builds it", err)
	}
	return path
}

// tool is the path of a program that .ci/tools.sh bench installs.
func tool(b *testing.B, name string) string {
	b.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		b.Fatalf("%v: .ci/tools.sh bench installs it", err)
	}
	return path
}

// output is what a program that runs has printed.
type output struct{ path string }

func (o output) Bytes() []byte {
	text, _ := os.ReadFile(o.path)
	return text
}

// start runs one of the programs until the benchmark ends.
func (w *world) start(name string, args ...string) output {
	w.b.Helper()
	return startIn(w.b, w.dir, built(w.b, name), args...)
}

// startIn runs a program in dir, with nothing of this environment, until the
// benchmark ends. What it prints stands in files there.
func startIn(b *testing.B, dir, program string, args ...string) output {
	b.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = dir, environ(dir)
	o := output{filepath.Join(dir, filepath.Base(program)+".out")}
	stdout, err := os.Create(o.path)
	if err != nil {
		b.Fatal(err)
	}
	defer stdout.Close()
	stderr, err := os.Create(filepath.Join(dir, filepath.Base(program)+".log"))
	if err != nil {
		b.Fatal(err)
	}
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		late := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		late.Stop()
	})
	return o
}

func environ(dir string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "ROTD_SOCKET=" + filepath.Join(dir, "s")}
}

// await waits until a program is ready.
func (w *world) await(name string, ready func() bool) {
	w.b.Helper()
	for end := time.Now().Add(20 * time.Second); !ready(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.b.Fatalf("%s does not get ready:\n%s", name, w.log(name))
		}
	}
}

func (w *world) log(name string) []byte {
	text, _ := os.ReadFile(filepath.Join(w.dir, name+".log"))
	return text
}

// connect connects the account by the registry: with its authenticator, or with
// the sandbox's security key.
func (w *world) connect(req ipc.Connect) {
	w.b.Helper()
	req.Registry, req.Username, req.Password, req.Terminal = w.registry, "ada", secret.NewWire("pw"), true
	w.passcard = bare(w.stream(ipc.PathPasscards, req).Passcard)
}

func byTOTP() ipc.Connect {
	return ipc.Connect{TOTPSecret: secret.NewWire(totpSeed), Remember: []string{"password", "totp"}}
}

func (w *world) bySecurityKey() ipc.Connect {
	w.b.Helper()
	res, err := http.Get(w.registry + "/-/sandbox/security-key")
	if err != nil {
		w.b.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.b.Fatal(err)
	}
	key := new(ipc.Passkey)
	if err := json.Unmarshal(text, key); err != nil {
		w.b.Fatal(err)
	}
	return ipc.Connect{Passkey: key, Remember: []string{"password", "passkey"}}
}

// newROT makes one for publishing all packages.
func (w *world) newROT(name string) (ref string) {
	w.b.Helper()
	shape := ipc.Shape{PackagesAll: true, Permission: ipc.PermissionWrite, Bypass2FA: true, ExpiresDays: 90}
	return bare(w.stream(ipc.Path(ipc.PathRotate, w.passcard), ipc.Rotate{Name: name, Shape: &shape}).Rotations[0].ROT)
}

// rotate rotates a ROT, or all of a passcard.
func (w *world) rotate(ref string) *ipc.Result {
	w.b.Helper()
	return w.stream(ipc.Path(ipc.PathRotate, ref), ipc.Rotate{})
}

// stream posts a request and answers nothing that is asked.
func (w *world) stream(path string, in any) *ipc.Result {
	w.b.Helper()
	for ev, err := range w.client.Stream(w.b.Context(), path, in) {
		var known *ipc.Error
		switch {
		case errors.As(err, &known):
			w.b.Fatalf("%s: %s (%s)\n%s", path, known.Message, known.Hint, w.log("rotd"))
		case err != nil:
			w.b.Fatalf("%s: %v\n%s", path, err, w.log("rotd"))
		case ev.Result != nil:
			return ev.Result
		}
	}
	w.b.Fatalf("%s has no result", path)
	return nil
}

// bare is a reference without its scheme, as paths want it.
func bare(ref string) string { return strings.TrimPrefix(ref, "rot://") }

// run runs a program to its end and returns what it printed.
func run(b *testing.B, dir string, stdin string, name string, args ...string) string {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.Context()), time.Minute) // cleaning up, too
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, environ(dir), strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%s %v: %v\n%s%s", name, args, err, out, stderr.Bytes())
	}
	return string(out)
}

// try is run for what may fail.
func try(dir, stdin, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, environ(dir), strings.NewReader(stdin)
	return cmd.Run()
}
