package helper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rotd/ipc"
)

// pty is a terminal with the test at its keyboard and screen.
type pty struct {
	t     *testing.T
	far   *os.File // keyboard and screen
	name  string
	mu    sync.Mutex
	shown bytes.Buffer
	done  chan struct{}
}

func newPTY(t *testing.T) *pty {
	t.Helper()
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(far.Fd()), unix.TIOCGPTN)
	err = errors.Join(err, unix.IoctlSetPointerInt(int(far.Fd()), unix.TIOCSPTLCK, 0))
	if err != nil {
		t.Fatal(err)
	}
	p := &pty{t: t, far: far, name: fmt.Sprintf("/dev/pts/%d", n), done: make(chan struct{})}
	hold := p.open() // so that the screen does not end when rot closes its own
	go func() {
		defer close(p.done)
		b := make([]byte, 1024)
		for {
			n, err := far.Read(b)
			p.mu.Lock()
			p.shown.Write(b[:n])
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		hold.Close() // the last one: the read above ends
		<-p.done
		far.Close()
	})
	return p
}

func (p *pty) open() *os.File {
	p.t.Helper()
	f, err := os.OpenFile(p.name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	return f
}

func (p *pty) screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown.String()
}

// waitFor waits until the screen shows text, once more than seen.
func (p *pty) waitFor(text string) {
	p.t.Helper()
	p.until("the screen shows "+text, func() bool { return strings.Contains(p.screen(), text) })
}

func (p *pty) until(what string, ok func() bool) {
	p.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("waited for long: %s; the screen: %q", what, p.screen())
		}
	}
}

func (p *pty) typeIn(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.far, text); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pty) echoes() bool {
	f := p.open()
	defer f.Close()
	tio, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		p.t.Fatal(err)
	}
	return tio.Lflag&unix.ECHO != 0
}

// onTerminal is an environment whose stderr and questions are on the terminal.
func (d *fakeDaemon) onTerminal(p *pty, extra ...string) *Env {
	e := d.env(append([]string{"TERM=xterm"}, extra...)...)
	e.Stderr = p.open()
	d.t.Cleanup(func() { e.Stderr.(*os.File).Close() })
	e.StdinTTY, e.StderrTTY, e.Width = true, true, 60
	e.OpenTTY = func() (*os.File, error) { return p.open(), nil }
	return e
}

// start runs rot beside the test.
func start(ctx context.Context, e *Env, args ...string) <-chan outcome {
	done := make(chan outcome, 1)
	go func() { done <- runEnv(ctx, e, args...) }()
	return done
}

func TestQuestionsOnATerminal(t *testing.T) {
	d := newDaemon(t)
	got := d.asks("POST "+ipc.PathPasscards, []ipc.Question{
		{ID: "1", Kind: ipc.AskUsername, Text: "npm user name"},
		{ID: "2", Kind: ipc.AskPassword, Text: "npm password for ada", Secret: true},
		{ID: "3", Kind: ipc.AskOTP, Text: "one-time code"},
		{ID: "4", Kind: ipc.AskEmailOTP, Text: "code in the e-mail"},
		{ID: "5", Kind: ipc.AskRecall, Text: "may it be kept?"},
	}, ipc.Result{Passcard: testPas})
	p := newPTY(t)
	done := start(t.Context(), d.onTerminal(p), "connect", "npm")

	p.waitFor("npm user name: ")
	p.typeIn("\n  ada \n") // an empty answer is asked for again
	p.waitFor("npm password for ada: ")
	if p.echoes() {
		t.Error("the terminal echoes at the password")
	}
	p.typeIn(" pwEXAMPLE \n")
	p.waitFor("one-time code: ")
	if !p.echoes() {
		t.Error("the terminal does not echo after the password")
	}
	p.typeIn("123456\n")
	p.waitFor("code in the e-mail: ")
	p.typeIn("12345678\n")
	p.waitFor("may it be kept? [y/N] ")
	p.typeIn("perhaps\nY\n")

	(<-done).want(t, 0, "", "")
	p.waitFor("connected " + testPas)
	want := map[string]string{"1": "ada", "2": " pwEXAMPLE ", "3": "123456", "4": "12345678", "5": "yes"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("answers %q, want %q", got, want)
	}
	if strings.Contains(p.screen(), "pwEXAMPLE") {
		t.Error("the password is on the screen")
	}
	var req ipc.Connect
	if d.body(ipc.PathPasscards, &req); !req.Interactive {
		t.Error("not said to be interactive")
	}
}

func TestCtrlCAtThePasswordRestoresTheTerminal(t *testing.T) {
	d := newDaemon(t)
	d.asks("POST "+ipc.PathPasscards, []ipc.Question{{ID: "1", Kind: ipc.AskPassword, Text: "password", Secret: true}}, ipc.Result{})
	p := newPTY(t)
	ctx, interrupt := context.WithCancel(t.Context())
	done := start(ctx, d.onTerminal(p), "connect", "npm")
	p.waitFor("password: ")
	p.until("the echo is off", func() bool { return !p.echoes() })
	interrupt()
	(<-done).want(t, exitInterrupted, "", "")
	if !p.echoes() {
		t.Error("the terminal does not echo any more")
	}
	p.waitFor("rot:\x1b[0m interrupted")
	p.typeIn("\n") // the read that stayed behind
}

func TestEndOfInputIsNoAnswer(t *testing.T) {
	d := newDaemon(t)
	d.asks("POST "+ipc.PathPasscards, []ipc.Question{{ID: "1", Kind: ipc.AskUsername, Text: "user"}}, ipc.Result{})
	p := newPTY(t)
	done := start(t.Context(), d.onTerminal(p), "connect", "npm")
	p.waitFor("user: ")
	p.typeIn("\x04")
	(<-done).want(t, ipc.ExitFailed, "", "")
	p.waitFor("nothing was answered")
}

func TestFirstRotationAsksWhatFor(t *testing.T) {
	d := newDaemon(t)
	asked := false
	d.mux.HandleFunc("POST "+ipc.PathRotate, func(w http.ResponseWriter, r *http.Request) {
		d.keep(r)
		var req ipc.Rotate
		d.body(r.URL.Path, &req)
		if req.Shape == nil {
			asked = true
			d.send(w, ipc.Event{Error: &ipc.Error{Code: ipc.CodeShapeRequired, Message: "what for?"}})
			return
		}
		d.send(w, ipc.Event{Result: &ipc.Result{Rotations: []ipc.Rotation{{ROT: testROT, Generation: 1}}}})
	})
	p := newPTY(t)
	done := start(t.Context(), d.onTerminal(p), "rotate", testPas)
	p.waitFor("1, 2 or 3: ")
	for _, line := range []string{"1  publish  publish packages", "2  stage    stage versions", "3  install  install private"} {
		p.waitFor(line)
	}
	p.typeIn("4\n2\n")
	(<-done).want(t, 0, "", "")
	var req ipc.Rotate
	d.body("/v1/rotations/pas_uyfpwx73yney4bvr", &req)
	if !asked || req.Shape == nil || req.Shape.Permission != ipc.PermissionStage {
		t.Errorf("asked: %v; the request: %+v", asked, req.Shape)
	}
}

// rotation is one whose steps are long enough on the screen to be seen.
func (d *fakeDaemon) rotation(p *pty) {
	d.mux.HandleFunc("POST "+ipc.PathRotate, func(w http.ResponseWriter, r *http.Request) {
		d.keep(r)
		for _, text := range []string{"signing in", "npm made the token " + strings.Repeat("x", 100)} {
			d.send(w, ipc.Event{Step: &ipc.Step{Name: "s", Text: text, ROT: testROT}})
			p.waitFor(text[:10])
		}
		d.send(w, ipc.Event{Result: &ipc.Result{Rotations: []ipc.Rotation{{ROT: testROT, Generation: 1}}}})
	})
}

var escapes = regexp.MustCompile(`\x1b\[[0-9;]*[a-zA-Z]`)

func TestSpinner(t *testing.T) {
	for name, tc := range map[string]struct {
		env                string
		spinner, colourful bool
	}{
		"terminal":  {"A=1", true, true},
		"NO_COLOR":  {"NO_COLOR=1", true, false},
		"TERM=dumb": {"TERM=dumb", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			d, p := newDaemon(t), newPTY(t)
			d.rotation(p)
			(<-start(t.Context(), d.onTerminal(p, tc.env), "rotate", testPas)).want(t, 0, "", "")
			p.waitFor("next: rot get " + testROT)
			screen := p.screen()
			if got := strings.Contains(screen, "rotating…"); got != tc.spinner {
				t.Errorf("a spinner: %v; %q", got, screen)
			}
			if got := strings.Contains(screen, "\x1b[32m✔\x1b[0m"); got != tc.colourful {
				t.Errorf("colour: %v; %q", got, screen)
			}
			if tc.env == "TERM=dumb" && strings.Contains(screen, "\x1b") {
				t.Errorf("escapes on a dumb terminal: %q", screen)
			}
			for _, drawn := range strings.Split(screen, "\r") {
				line := escapes.ReplaceAllString(strings.Trim(drawn, "\n"), "")
				if tc.spinner && len([]rune(line)) > 60 {
					t.Errorf("wider than the terminal: %q", line)
				}
			}
			if tc.spinner {
				end := screen[strings.LastIndex(screen, "rotating…"):]
				if !strings.Contains(end, "\r\x1b[K") || strings.Index(end, "\x1b[K") > strings.Index(end, "✔") {
					t.Errorf("the spinner is not taken away: %q", end)
				}
			}
		})
	}
}

func TestNobodyIsAskedWithoutATerminalAtBothEnds(t *testing.T) {
	d, p := newDaemon(t), newPTY(t)
	for name, tc := range map[string]struct {
		stdin, stderr, used, want bool
	}{
		"both":              {true, true, false, true},
		"</dev/null":        {false, true, false, false},
		"2>file":            {true, false, false, false},
		"--password-file -": {false, true, true, true},
	} {
		e := d.onTerminal(p)
		e.StdinTTY, e.StderrTTY = tc.stdin, tc.stderr
		person, ok := (&call{Env: e, stdinUsed: tc.used}).person()
		if ok {
			person.close()
		}
		if ok != tc.want {
			t.Errorf("%s: %v", name, ok)
		}
	}
}
