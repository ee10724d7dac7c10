//go:build amd64 || arm64

package main

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/ipc/socket"
)

// answers is a rotd with one answer, and counts who asks.
type answers struct {
	mu     sync.Mutex
	asked  []string
	answer func(w http.ResponseWriter, r *http.Request)
}

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.asked = append(a.asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")+" "+r.UserAgent())
	answer := a.answer
	a.mu.Unlock()
	answer(w, r)
}

func (a *answers) by(answer func(http.ResponseWriter, *http.Request)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

// taken is what was asked since the last call.
func (a *answers) taken() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := a.asked
	a.asked = nil
	return asked
}

func goodToken() ipc.Token {
	return ipc.Token{ROT: "rot://rot_a2c4", Generation: 1, Value: secret.NewWire(testToken),
		Expires: new(time.Date(2099, 6, 20, 0, 0, 0, 0, time.UTC)), Registry: "http://localhost:4873"}
}

// token answers one, after a change.
func token(change func(*ipc.Token)) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		tok := goodToken()
		change(&tok)
		_ = json.NewEncoder(w).Encode(tok)
	}
}

// hijacked answers by hand.
func hijacked(answer func(net io.WriteCloser)) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			answer(conn)
			_ = conn.Close()
		}
	}
}

// TestEarly runs rot get as it is released and as Go would begin it, in every
// situation that package early has to leave to the program that follows, and some
// that it does itself: both print the same and end the same, and rotd is asked once.
func TestEarly(t *testing.T) {
	dir, err := runtimeDir()
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	late := build(t)
	early := buildEarly(t)
	for _, path := range []string{late, early} { // as users name it
		if err := os.Symlink("rot", filepath.Join(filepath.Dir(path), "rot-helper-ci")); err != nil {
			t.Fatal(err)
		}
	}
	rotd := new(answers)
	ln, err := socket.Listen(t.Context(), filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: rotd}
	go srv.Serve(ln)
	defer srv.Close()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	leaveSocket(t, filepath.Join(dir, "dead"))

	good := token(func(*ipc.Token) {})
	refused := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(ipc.ErrorBody{Error: &ipc.Error{Code: ipc.CodeNotAllowed, Message: "no grant"}})
	}
	whole, err := json.Marshal(goodToken())
	if err != nil {
		t.Fatal(err)
	}
	head := fmt.Sprintf("HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n", len(whole))
	for _, c := range []struct {
		name    string
		answer  func(http.ResponseWriter, *http.Request)
		command string
		env     string
		out     func(t *testing.T) *os.File // nil: a pipe
		asked   int
		early   bool // it is done before the runtime starts, where rotd is not slow
		either  bool // or it is not, by what comes first
	}{
		{name: "a value", answer: good, command: "rot get ci", asked: 1, early: true},
		{name: "a reference", answer: good, command: "rot get rot://rot_a2c4", asked: 1, early: true},
		{name: "for pnpm", answer: good, command: "rot-helper-ci", asked: 1, early: true},
		{name: "for pnpm, with an argument", answer: good, command: "rot-helper-ci x"},
		{name: "an access token", answer: good, command: "rot get ci", env: "ROT_ACCESS_TOKEN=rat_a2c4", asked: 1, early: true},
		{name: "no access token", answer: good, command: "rot get ci", env: "ROT_ACCESS_TOKEN=rat a2c4"},
		{name: "an empty access token", answer: good, command: "rot get ci", env: "ROT_ACCESS_TOKEN=", asked: 1, early: true},
		{name: "spaces for an access token", answer: good, command: "rot get ci", env: "ROT_ACCESS_TOKEN=  ", asked: 1},
		{name: "as JSON", answer: good, command: "rot get ci --json", asked: 1},
		{name: "help", answer: good, command: "rot get --help"},
		{name: "no reference", answer: good, command: "rot get"},
		{name: "two references", answer: good, command: "rot get ci ci"},
		{name: "a reference of dots", answer: good, command: "rot get ..", asked: 1},
		{name: "a reference of another script", answer: good, command: "rot get é", asked: 1},
		{name: "a very long reference", answer: good, command: "rot get " + strings.Repeat("x", 4000), asked: 1},
		{name: "another command", answer: good, command: "rot version", asked: 1},
		{name: "refused", answer: refused, command: "rot get ci", asked: 1},
		{name: "refused to pnpm", answer: refused, command: "rot-helper-ci", asked: 1},
		{name: "past its expiry", answer: token(func(t *ipc.Token) { t.Expires = new(time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)) }), command: "rot get ci", asked: 1},
		{name: "without an expiry", answer: token(func(t *ipc.Token) { t.Expires = nil }), command: "rot get ci", asked: 1, early: true},
		{name: "an odd value", answer: token(func(t *ipc.Token) { t.Value = secret.NewWire("it's $HOME\n'\"\\é") }), command: "rot get ci", asked: 1},
		{name: "a value of half a page", answer: token(func(t *ipc.Token) { t.Value = secret.NewWire(strings.Repeat("x", 2000)) }), command: "rot get ci", asked: 1},
		{name: "a value of pages", answer: token(func(t *ipc.Token) { t.Value = secret.NewWire(strings.Repeat("x", 20_000)) }), command: "rot get ci", asked: 1},
		{name: "no value", answer: token(func(t *ipc.Token) { t.Value = secret.Wire{} }), command: "rot get ci", asked: 1},
		{name: "a page of another server", answer: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, command: "rot get ci", asked: 1},
		{name: "no HTTP", answer: hijacked(func(net io.WriteCloser) { fmt.Fprint(net, "hello\n") }), command: "rot get ci", asked: 1},
		{name: "nothing", answer: hijacked(func(net io.WriteCloser) {}), command: "rot get ci", asked: 1},
		{name: "half an answer", answer: hijacked(func(net io.WriteCloser) { fmt.Fprint(net, head+string(whole[:20])) }), command: "rot get ci", asked: 1},
		{name: "in pieces", answer: hijacked(func(net io.WriteCloser) {
			for _, b := range []byte(head + string(whole)) {
				_, _ = net.Write([]byte{b})
			}
		}), command: "rot get ci", asked: 1, either: true},
		{name: "slowly, in pieces", answer: hijacked(func(net io.WriteCloser) {
			fmt.Fprint(net, head+string(whole[:20]))
			time.Sleep(30 * time.Millisecond) // for longer than the look waits
			_, _ = net.Write(whole[20:])
		}), command: "rot get ci", asked: 1},
		{name: "late", answer: func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(30 * time.Millisecond) // for longer than the look waits
			good(w, r)
		}, command: "rot get ci", asked: 1},
		{name: "no daemon", command: "rot get ci", env: "ROTD_SOCKET=" + dir + "/nothing"},
		{name: "no socket", command: "rot get ci", env: "ROTD_SOCKET=" + dir + "/file"},
		{name: "a dead socket", command: "rot get ci", env: "ROTD_SOCKET=" + dir + "/dead"},
		{name: "a path that is too long", command: "rot get ci", env: "ROTD_SOCKET=/" + strings.Repeat("x", 200)},
		{name: "a full disk", answer: good, command: "rot get ci", asked: 1, out: opened("/dev/full", os.O_WRONLY)},
		{name: "an output that is not for writing", answer: good, command: "rot get ci", asked: 1, out: opened(os.DevNull, os.O_RDONLY)},
		{name: "nobody reads", answer: good, command: "rot get ci", asked: 1, early: true, out: nobodyReads},
		{name: "it is not waited for", answer: good, command: "rot get ci", asked: 1, out: fullPipe, either: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			rotd.by(c.answer)
			run := func(program string) (r result, started bool) {
				env := []string{"ROTD_SOCKET=" + filepath.Join(dir, "s"), "HOME=" + dir, "GODEBUG=inittrace=1"}
				if c.env != "" {
					env = append(env, c.env)
				}
				argv := strings.Fields(c.command)
				r, started = runIn(t, filepath.Join(filepath.Dir(program), argv[0]), argv[1:], env, c.out)
				r.asked = fmt.Sprintf("%q", rotd.taken())
				return r, started
			}
			want, started := run(late)
			if !started {
				t.Error("built without -E it did not start Go's runtime: the comparison is with itself")
			}
			if asked := strings.Count(want.asked, "rot/"); asked != c.asked {
				t.Errorf("rotd was asked %d times, want %d: %s", asked, c.asked, want.asked)
			}
			// On a busy machine an answer may come later than the look waits.
			for tries := range 100 {
				got, started := run(early)
				if got != want {
					t.Fatalf("begun by Go:\n%+v\nbegun early:\n%+v", want, got)
				}
				if !started && !c.early && !c.either {
					t.Error("Go's runtime was not started for it")
				}
				if started != c.early || c.either {
					return
				}
				if tries == 99 {
					t.Error("it is never done before Go's runtime starts")
				}
			}
		})
	}
}

// result is what came of one run.
type result struct {
	stdout, stderr string
	ended          string
	asked          string // of rotd
}

// inits are the lines that GODEBUG=inittrace=1 has the runtime print.
var inits = regexp.MustCompile(`(?m)^init .*\n`)

// runIn runs a program, and tells whether Go's runtime has started.
func runIn(t *testing.T, program string, args, env []string, out func(*testing.T) *os.File) (r result, started bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if out != nil {
		f := out(t)
		defer f.Close()
		cmd.Stdout = f
	}
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	r.ended = cmd.ProcessState.String()
	r.stdout = stdout.String()
	r.stderr = inits.ReplaceAllString(stderr.String(), "")
	return r, r.stderr != stderr.String()
}

func opened(path string, flag int) func(*testing.T) *os.File {
	return func(t *testing.T) *os.File {
		f, err := os.OpenFile(path, flag, 0)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
}

// nobodyReads is a pipe whose reader has gone.
func nobodyReads(t *testing.T) *os.File {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	return w
}

// fullPipe takes nothing for a while and does not wait, as some programs leave their
// pipes: then what was written before is read, and what comes after it.
func fullPipe(t *testing.T) *os.File {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := syscall.Write(fds[1], make([]byte, 4096)); err != nil {
			break
		}
	}
	r := os.NewFile(uintptr(fds[0]), "pipe")
	go func() {
		time.Sleep(50 * time.Millisecond) // for longer than the look takes
		_, _ = io.Copy(io.Discard, r)
		_ = r.Close()
	}()
	return os.NewFile(uintptr(fds[1]), "pipe")
}

// leaveSocket leaves a socket that nobody listens behind.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
}

// serveTokenIn serves one at s in a directory, until the end.
func serveTokenIn(t *testing.T) (dir string) {
	t.Helper()
	dir, err := runtimeDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	stop, err := serveToken(filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return dir
}

// TestEarlyClosed runs rot without one of the standard streams: the connection must
// not take its number, or the value would be sent there.
func TestEarlyClosed(t *testing.T) {
	dir := serveTokenIn(t)
	early := buildEarly(t)
	for closed, want := range map[string]string{"": testToken + "\n", "<&-": testToken + "\n", ">&-": "", "2>&-": testToken + "\n", "<&- >&- 2>&-": ""} {
		cmd := exec.Command("sh", "-c", early+" get ci "+closed)
		cmd.Env = []string{"ROTD_SOCKET=" + filepath.Join(dir, "s")}
		out, err := cmd.Output()
		if err != nil || string(out) != want {
			t.Errorf("rot get ci %s: %q, %v; want %q", closed, out, err, want)
		}
	}
}

// TestEarlyTwice: where an environment has a variable twice, all of rot goes by the
// same one.
func TestEarlyTwice(t *testing.T) {
	dir := serveTokenIn(t)
	good, bad := "ROTD_SOCKET="+filepath.Join(dir, "s"), "ROTD_SOCKET="+filepath.Join(dir, "none")
	for _, program := range []string{build(t), buildEarly(t)} {
		for _, c := range []struct {
			environ []string
			want    bool // a value
		}{{[]string{good, bad}, true}, {[]string{bad, good}, false}} {
			p, err := os.StartProcess(program, []string{"rot", "get", "ci"}, &os.ProcAttr{Env: c.environ}) // os/exec would leave one of them
			if err != nil {
				t.Fatal(err)
			}
			state, err := p.Wait()
			if err != nil || state.Success() != c.want {
				t.Errorf("%s %q: %v, %v", program, c.environ, state, err)
			}
		}
	}
}

// TestEarlyCalls looks at the code that runs without a runtime: it has no stack to
// grow, and calls nothing that would want one. The panics stand behind checks of
// bounds that hold.
func TestEarlyCalls(t *testing.T) {
	calls := regexp.MustCompile(`\s(?:CALL|JMP|B) (\S+)\(SB\)`)
	allowed := regexp.MustCompile(`^(rotd/helper/early\.(\(\*\w+\)\.)?\w+|syscall\.RawSyscall6|runtime\.memequal|runtime\.panic\w+|_rt0_\w+_linux)(\.abi0)?$`)
	for _, arch := range []string{"amd64", "arm64"} {
		path := filepath.Join(t.TempDir(), "rot")
		goBuildFor(t, []string{"GOOS=linux", "GOARCH=" + arch}, path, "-gcflags", makefile(t, "SMALL_GC"), "-ldflags", makefile(t, "EARLY_LD"))
		if entry := entryOf(t, path); entry != "rotd/helper/early.entry" {
			t.Errorf("%s: the program begins at %q", arch, entry)
		}
		out, err := exec.Command("go", "tool", "objdump", "-s", `^rotd/helper/early\.[a-z(]`, path).Output()
		if err != nil {
			t.Fatal(err)
		}
		found := calls.FindAllStringSubmatch(string(out), -1)
		if len(found) < 50 {
			t.Errorf("%s: only %d calls are found:\n%s", arch, len(found), out)
		}
		for _, c := range found {
			if !allowed.MatchString(c[1]) {
				t.Errorf("%s: %s is called", arch, c[1])
			}
		}
	}
}

// entryOf is the name of the function that a program begins with.
func entryOf(t *testing.T, path string) string {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if s.Value == f.Entry && elf.ST_TYPE(s.Info) == elf.STT_FUNC {
			return strings.TrimSuffix(s.Name, ".abi0")
		}
	}
	return ""
}

// buildEarly builds rot with all that the Makefile tells the linker.
func buildEarly(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "rot")
	goBuild(tb, path, "-trimpath", "-gcflags", makefile(tb, "SMALL_GC"), "-ldflags", makefile(tb, "SMALL_LD")+" "+makefile(tb, "EARLY_LD"))
	return path
}
