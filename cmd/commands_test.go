package cmd_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/rogpeppe/go-internal/testscript"

	"rotd/daemon/browser/xvfb"
)

// commands are what the scripts can say beside testscript's own.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"sandbox":  startSandbox,
	"rotd":     startDaemon,
	"end":      stopProgram,
	"switches": setSwitches,
	"advance":  advanceClock,
	"field":    setField,
	"accepted": checkAccepted,
	"gone":     awaitRefused,
	"tokens":   checkTokens,
	"mode":     checkMode,
	"leak":     checkLeak,
	"exits":    checkExit,
	"code":     setCode,
	"children": checkChildren,
	"display":  startDisplay,
	"person":   actAtDisplay,
	"closes":   closeWindow,
	"stray":    makeStray,
}

type worldKey struct{}

// world is what runs beside one script.
type world struct {
	programs map[string]*program
	display  *xvfb.Display
	cleanups []func()
}

type program struct {
	cmd  *exec.Cmd
	done chan error
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

// start runs a program until the script ends or stops it. Its standard error
// goes to NAME.log.
func (w *world) start(ts *testscript.TestScript, name string, stdout io.Writer, args ...string) {
	log, err := os.OpenFile(ts.MkAbs(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	defer log.Close()
	cmd := exec.Command(filepath.Join(bin, name), args...)
	cmd.Env = environ(ts)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Stdout, cmd.Stderr = stdout, log
	ts.Check(cmd.Start())
	p := &program{cmd, make(chan error, 1)}
	go func() { p.done <- cmd.Wait() }()
	if w.programs == nil {
		w.programs = make(map[string]*program)
	}
	w.programs[name] = p
}

func environ(ts *testscript.TestScript) []string {
	var env []string
	for _, k := range []string{"PATH", "HOME", "XDG_RUNTIME_DIR", "ROTD_SOCKET", "TMPDIR"} {
		env = append(env, k+"="+ts.Getenv(k))
	}
	return env
}

// stop ends what the script left running.
func (w *world) stop() {
	for _, p := range w.programs {
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	for _, f := range w.cleanups {
		f()
	}
}

// startSandbox is `sandbox [flags]`: ada with the password pw unless the flags
// say otherwise. It sets REGISTRY and PORT.
func startSandbox(ts *testscript.TestScript, neg bool, args []string) {
	out, in, err := os.Pipe()
	ts.Check(err)
	listen := "127.0.0.1:0"
	if port := ts.Getenv("PORT"); port != "" {
		listen = "127.0.0.1:" + port // a restart, where the first one was
	}
	worldOf(ts).start(ts, "npm-sandbox", in, append([]string{"--listen", listen, "--user", "ada", "--password", "pw"}, args...)...)
	_ = in.Close()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	ts.Check(err)
	go func() { _, _ = io.Copy(io.Discard, out); _ = out.Close() }()
	var ready struct{ Registry string }
	ts.Check(json.Unmarshal(line, &ready))
	ts.Setenv("REGISTRY", ready.Registry)
	ts.Setenv("PORT", ready.Registry[strings.LastIndexByte(ready.Registry, ':')+1:])
}

// startDaemon is `[!] rotd [flags]`: a daemon with its state in ./state and its
// key in ./key. It returns when the socket answers; with ! when the daemon has
// ended by itself, leaving its words for the stderr command.
func startDaemon(ts *testscript.TestScript, neg bool, args []string) {
	flags := []string{"run", "--state-dir", ts.MkAbs("state"), "--key", "file:" + ts.MkAbs("key"), "--log-level", "debug"}
	if os.Getuid() == 0 {
		flags = append(flags, "--browser-no-sandbox")
	}
	w := worldOf(ts)
	w.start(ts, "rotd", io.Discard, append(flags, args...)...)
	p := w.programs["rotd"]
	deadline := time.After(30 * time.Second)
	for {
		select {
		case err := <-p.done:
			delete(w.programs, "rotd")
			var exit *exec.ExitError
			if !neg || !errors.As(err, &exit) {
				ts.Fatalf("rotd ended: %v\n%s", err, ts.ReadFile("rotd.log"))
			}
			return
		case <-deadline:
			ts.Fatalf("rotd is neither ready nor gone\n%s", ts.ReadFile("rotd.log"))
		case <-time.After(20 * time.Millisecond):
		}
		if c, err := net.Dial("unix", ts.Getenv("ROTD_SOCKET")); err == nil && !neg {
			_ = c.Close()
			return
		}
	}
}

// stopProgram is `end NAME TERM|KILL`. After TERM the program must end well.
func stopProgram(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: end NAME TERM|KILL")
	}
	w := worldOf(ts)
	p := w.programs[args[0]]
	if p == nil {
		ts.Fatalf("%s does not run", args[0])
	}
	delete(w.programs, args[0])
	sig := syscall.SIGTERM
	if args[1] == "KILL" {
		sig = syscall.SIGKILL
	}
	ts.Check(p.cmd.Process.Signal(sig))
	select {
	case err := <-p.done:
		if sig == syscall.SIGTERM && err != nil {
			ts.Fatalf("%s ended badly: %v\n%s", args[0], err, ts.ReadFile(args[0]+".log"))
		}
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		ts.Fatalf("%s does not stop", args[0])
	}
}

// setSwitches is `switches JSON`.
func setSwitches(ts *testscript.TestScript, neg bool, args []string) {
	post(ts, "/-/sandbox/switches", args[0])
}

// advanceClock is `advance DURATION`: the sandbox's clock.
func advanceClock(ts *testscript.TestScript, neg bool, args []string) {
	post(ts, "/-/sandbox/clock", fmt.Sprintf(`{"advance":%q}`, args[0]))
}

func post(ts *testscript.TestScript, path, body string) {
	resp, err := http.Post(ts.Getenv("REGISTRY")+path, "application/json", strings.NewReader(body))
	ts.Check(err)
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		answer, _ := io.ReadAll(resp.Body)
		ts.Fatalf("%s: %s %s", path, resp.Status, answer)
	}
}

// setField is `field VAR NAME`: the field of the JSON object last printed; `.`
// is the whole output, trimmed.
func setField(ts *testscript.TestScript, neg bool, args []string) {
	out := ts.ReadFile("stdout")
	if args[1] == "." {
		ts.Setenv(args[0], strings.TrimSpace(out))
		return
	}
	var fields map[string]any
	ts.Check(json.Unmarshal([]byte(out), &fields))
	v, ok := fields[args[1]]
	if !ok {
		ts.Fatalf("no %s in %s", args[1], out)
	}
	ts.Setenv(args[0], fmt.Sprint(v))
}

// setCode is `code VAR SECRET`: what an authenticator app with that secret shows.
func setCode(ts *testscript.TestScript, neg bool, args []string) {
	code, err := totp.GenerateCode(args[1], time.Now())
	ts.Check(err)
	ts.Setenv(args[0], code)
}

// checkAccepted is `[!] accepted VAR`: whether the registry takes the token.
func checkAccepted(ts *testscript.TestScript, neg bool, args []string) {
	want := http.StatusOK
	if neg {
		want = http.StatusUnauthorized
	}
	if got := whoami(ts, args[0]); got != want {
		ts.Fatalf("whoami answers %d, want %d", got, want)
	}
}

// awaitRefused is `gone VAR`: the registry comes to refuse the token.
func awaitRefused(ts *testscript.TestScript, neg bool, args []string) {
	for deadline := time.Now().Add(time.Minute); whoami(ts, args[0]) != http.StatusUnauthorized; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("the registry still accepts %s\n%s", args[0], ts.ReadFile("rotd.log"))
		}
	}
}

// whoami asks the registry whose the token in a variable is.
func whoami(ts *testscript.TestScript, name string) (status int) {
	value := ts.Getenv(name)
	if value == "" {
		ts.Fatalf("%s is empty", name)
	}
	req, err := http.NewRequest("GET", ts.Getenv("REGISTRY")+"/-/whoami", nil)
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer "+value)
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// checkTokens is `tokens LIVE ALL`: how many granular tokens npm accepts, and
// how many were ever made.
func checkTokens(ts *testscript.TestScript, neg bool, args []string) {
	resp, err := http.Get(ts.Getenv("REGISTRY") + "/-/sandbox/tokens")
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	var list []struct{ Revoked any }
	if err := json.Unmarshal(body, &list); err != nil {
		var wrapped struct{ Tokens []struct{ Revoked any } }
		ts.Check(json.Unmarshal(body, &wrapped))
		list = wrapped.Tokens
	}
	live := 0
	for _, tk := range list {
		if tk.Revoked == nil || tk.Revoked == false {
			live++
		}
	}
	if got, want := fmt.Sprint(live, " ", len(list)), strings.Join(args, " "); got != want {
		ts.Fatalf("npm holds (live, ever) %s, want %s: %s", got, want, body)
	}
}

// checkMode is `mode OCTAL FILE…`.
func checkMode(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args[1:] {
		fi, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if got := fmt.Sprintf("%04o", fi.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", name, got, args[0])
		}
	}
}

// checkLeak is `leak VAR…`: no file of the state, the runtime directory or a
// log holds the value of a variable.
func checkLeak(ts *testscript.TestScript, neg bool, args []string) {
	files := 0
	for _, root := range []string{ts.MkAbs("state"), ts.Getenv("XDG_RUNTIME_DIR"), ts.MkAbs("rotd.log"), ts.Getenv("TMPDIR")} {
		if root == "" {
			continue
		}
		_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return nil // gone since
			}
			files++
			for _, name := range args {
				if v := ts.Getenv(name); len(v) < 6 {
					ts.Fatalf("%s is too short to look for", name)
				} else if bytes.Contains(content, []byte(v)) {
					ts.Fatalf("%s holds %s in plain text", path, name)
				}
			}
			return nil
		})
	}
	if files < 2 {
		ts.Fatalf("looked into %d files only", files)
	}
}

// checkExit is `exits STATUS PROGRAM [args]`; stdout and stderr can be looked at
// after it as after exec.
func checkExit(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM [args]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%s: %v", args[1], err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit status %d, want %s\n%s", got, args[0], ts.ReadFile("stderr"))
	}
	if strings.Contains(ts.ReadFile("stderr"), "goroutine ") {
		ts.Fatalf("a stack trace: %s", ts.ReadFile("stderr"))
	}
}

// checkChildren is `[!] children NAME`: whether the daemon of this script has a
// child process, a browser, or comes to have none, within a time.
func checkChildren(ts *testscript.TestScript, neg bool, args []string) {
	p := worldOf(ts).programs["rotd"]
	if p == nil {
		ts.Fatalf("rotd does not run")
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if hasChildren(p.cmd.Process.Pid) != neg {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("children: still %v", neg)
		}
	}
}

// hasChildren looks for a process whose parent is pid.
func hasChildren(pid int) bool {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		b, err := os.ReadFile(stat)
		if err != nil {
			continue // gone since
		}
		// pid (name) state ppid …, and a name may hold anything.
		after := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if len(after) > 1 && after[1] == fmt.Sprint(pid) {
			return true
		}
	}
	return false
}
