package desk

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rotd/helper"
	"rotd/helper/npmrc"
	"rotd/ipc"
	"rotd/ipc/secret"
)

const otherROT = "rot://rot_zzzzzzzzzzzzzzzz"

// estate is rotd, with a registry behind it, as far as adopt has to do with
// them; and a home with projects in it.
type estate struct {
	*fakeDaemon
	e        *helper.Env
	accepted map[string]string // value → name
	rots     []ipc.ROT
	failAt   int // the request of that number fails; 0: none
	requests int
}

func newEstate(t *testing.T, files map[string]string) *estate {
	d := newDaemon(t)
	s := &estate{fakeDaemon: d, e: d.env(), accepted: map[string]string{testToken: "rotd-1", "npm_oldEXAMPLE": "laptop", "npm_olderEXAMPLE": "shared", "npm_writesEXAMPLE": "writes"},
		rots: []ipc.ROT{{Ref: testROT, Registry: testRegistry, Username: "ada", Generation: 1, State: ipc.StateOK}}}
	place(t, s.e, files)
	s.e.Dir = at(s.e.Getenv("HOME"))
	expires := testNow.Add(9 * 24 * time.Hour)
	d.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		d.keep(r)
		if s.requests++; s.requests == s.failAt {
			w.WriteHeader(http.StatusInternalServerError)
			json.NewEncoder(w).Encode(ipc.ErrorBody{Error: &ipc.Error{Code: ipc.CodeUnreachable, Message: "cut", Hint: "wait"}})
			return
		}
		var in struct {
			Value   secret.Wire `json:"value"`
			Command []string    `json:"command"`
		}
		_ = json.Unmarshal(d.bodies[r.URL.Path], &in)
		name, ok := s.accepted[in.Value.Reveal()]
		switch key := r.Method + " " + r.URL.Path; {
		case key == "GET "+ipc.PathStatus:
			json.NewEncoder(w).Encode(ipc.Status{Passcards: []ipc.Passcard{{Ref: testPas, Registry: testRegistry, Username: "ada"}}, ROTs: s.rots})
		case key == "POST "+ipc.PathStrays && !ok:
			json.NewEncoder(w).Encode(ipc.Stray{})
		case key == "POST "+ipc.PathStrays && in.Value.Reveal() == testToken:
			json.NewEncoder(w).Encode(ipc.Stray{Accepted: true, Username: "ada", Passcard: testPas, ROT: testROT})
		case key == "POST "+ipc.PathStrays:
			json.NewEncoder(w).Encode(ipc.Stray{Accepted: true, Username: "ada", Passcard: testPas, Name: name, Expires: &expires,
				Permission: map[bool]string{true: ipc.PermissionWrite, false: ipc.PermissionRead}[name == "writes"]})
		case key == "POST "+ipc.PathStrayRevoke:
			delete(s.accepted, in.Value.Reveal())
			json.NewEncoder(w).Encode(ipc.Event{Result: &ipc.Result{Stray: &ipc.Stray{}}})
		case strings.HasSuffix(key, "/token"):
			json.NewEncoder(w).Encode(ipc.Token{ROT: testROT, Generation: 1, Value: secret.NewWire(testToken), Registry: testRegistry})
		case strings.HasPrefix(key, "GET ") && strings.HasSuffix(key, "/deliveries"):
			json.NewEncoder(w).Encode(map[string]any{"deliveries": []ipc.Delivery{}})
		case strings.HasSuffix(key, "/deliveries"):
			s.deliver(w, in.Command)
		case strings.HasSuffix(key, "/schedule"):
			i := slices.IndexFunc(s.rots, func(r ipc.ROT) bool { return strings.Contains(key, r.Ref[len("rot://"):]) })
			json.NewEncoder(w).Encode(s.rots[i])
		default:
			t.Errorf("an unknown request: %s", key)
		}
	})
	return s
}

// deliver does what rotd would run.
func (s *estate) deliver(w http.ResponseWriter, command []string) {
	var out bytes.Buffer
	e := &helper.Env{Stdin: strings.NewReader(testToken), Stdout: &out, Stderr: &out, Environ: s.e.Environ, Dir: at("/"), Now: s.e.Now, GOOS: "linux"}
	d := ipc.Delivery{Name: "npmrc", Command: command, State: ipc.DeliveryOK, Generation: 1}
	if Run(s.t.Context(), e, command[1:]) != 0 {
		d.State, d.Error = ipc.DeliveryFailing, "exit status 1"
	}
	json.NewEncoder(w).Encode(ipc.Event{Result: &ipc.Result{Delivery: &d}})
}

// adopt runs it, and looks for values in what it says.
func (s *estate) adopt(args ...string) outcome {
	s.t.Helper()
	s.e.Stdout = nil
	got := s.runEnv(s.e, append([]string{"adopt"}, args...)...)
	if text := got.stdout + got.stderr; strings.Contains(text, "EXAMPLE") || strings.Contains(text, "npm_dead") {
		s.t.Errorf("a value is shown:\n%s", text)
	}
	return got
}

// works fails where npm, in a directory, finds no token that works.
func (s *estate) works(dir string) {
	s.t.Helper()
	value := ""
	for _, file := range []string{filepath.Join(dir, ".npmrc"), filepath.Join(s.e.Getenv("HOME"), ".npmrc")} {
		src, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if _, v, ok := npmrc.Value(src, strings.TrimSuffix(tokenLine, "="+testToken+"\n")); ok && value == "" {
			value = v.Reveal()
		}
	}
	if s.accepted[value] == "" {
		s.t.Errorf("in %s npm takes %q, which the registry does not", dir, value)
	}
}

func (s *estate) path(name string) string { return filepath.Join(s.e.Getenv("HOME"), name) }

func line(value string) string { return "//localhost:4873/npm/:_authToken=" + value + "\n" }

func homeful() map[string]string {
	return map[string]string{".npmrc": "; mine\n" + line("npm_oldEXAMPLE"), "p/.npmrc": "a=1\n" + line("npm_olderEXAMPLE"),
		"q/package.json": "{}", "q/.npmrc": line("npm_dead") + line("npm_olderEXAMPLE"), "q/node_modules/x/.npmrc": line("npm_olderEXAMPLE")}
}

// TestAdoptIsCutAnywhere has every request fail in turn, as if adopt had been
// killed there: whatever it has done until then, npm finds a token that works in
// every project, and a second run ends the job.
func TestAdoptIsCutAnywhere(t *testing.T) {
	for n := 1; ; n++ {
		s := newEstate(t, homeful())
		s.failAt = n
		got := s.adopt("--yes", "--revoke")
		for _, dir := range []string{"p", "q", "."} {
			s.works(s.path(dir))
		}
		if s.requests < n {
			if got.code != 0 || n < 12 {
				t.Errorf("without a failure, after %d requests: %+v", s.requests, got)
			}
			break
		}
		if got.code == 0 {
			t.Errorf("request %d failed, and adopt ends well:\n%s%s", n, got.stdout, got.stderr)
		}
		if again := s.adopt("--yes", "--revoke"); again.code != 0 {
			t.Errorf("the second time, after request %d failed: %+v", n, again)
		}
		for _, file := range []string{".npmrc", "p/.npmrc", "q/.npmrc"} {
			if b, _ := os.ReadFile(s.path(file)); strings.Contains(string(b), "npm_old") || strings.Contains(string(b), "npm_dead") {
				t.Errorf("after request %d failed %s has %q", n, file, b)
			}
		}
	}
}

func TestAdoptLeavesAlone(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		rots  []ipc.ROT
		args  []string
		code  int
		want  string // in what it says
		same  []string
	}{
		"two ROTs": {rots: []ipc.ROT{{Ref: testROT, Registry: testRegistry, Username: "ada", Generation: 1}, {Ref: otherROT, Registry: testRegistry, Username: "ada", Generation: 1}},
			want: "stays: there are several ROTs for it: name one by --rot", same: []string{".npmrc", "p/.npmrc", "q/.npmrc"}},
		"another's ROT":       {rots: []ipc.ROT{{Ref: testROT, Registry: testRegistry, Username: "eve", Generation: 1}}, want: "stays: the account has no ROT with a value: rot rotate " + testPas, same: []string{".npmrc", "p/.npmrc", "q/.npmrc"}},
		"the wrong --rot":     {rots: []ipc.ROT{{Ref: testROT, Registry: testRegistry, Username: "eve", Generation: 1}}, args: []string{"--rot", testROT}, want: testROT + " is not of that account", same: []string{".npmrc", "p/.npmrc"}},
		"a variable of yours": {files: map[string]string{".npmrc": line("${T}"), "p/.npmrc": line("npm_oldEXAMPLE")}, want: "stays: your own file names a variable", same: []string{".npmrc", "p/.npmrc"}},
		"yours is refused":    {files: map[string]string{".npmrc": line("npm_writesEXAMPLE"), "p/.npmrc": line("npm_oldEXAMPLE")}, want: "stays: your own file keeps its token, which hides the ROT's", same: []string{".npmrc", "p/.npmrc"}},
		"it may write":        {files: map[string]string{"p/.npmrc": line("npm_writesEXAMPLE")}, want: "stays: it may write packages, and " + testROT + " may not", same: []string{"p/.npmrc"}},
		"elsewhere's":         {files: map[string]string{".npmrc": "//elsewhere.example/:_authToken=npm_xEXAMPLE\n"}, want: "no account is connected at //elsewhere.example/", same: []string{".npmrc"}},
		"nothing at all":      {files: map[string]string{".npmrc": "a=1\n"}, want: "there are no tokens in any .npmrc here", same: []string{".npmrc"}},
		"a variable hides it": {files: map[string]string{".npmrc": line("npm_oldEXAMPLE"), "p/.npmrc": line("npm_olderEXAMPLE")}, args: []string{"ENV"}, code: 1,
			want: "npm would take npm_config_//localhost:4873/npm/:_authToken in the environment there", same: []string{"p/.npmrc"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := tc.files
			if files == nil {
				files = homeful()
			}
			s := newEstate(t, files)
			if tc.rots != nil {
				s.rots = tc.rots
			}
			if len(tc.args) > 0 && tc.args[0] == "ENV" {
				s.e.Environ = append(s.e.Environ, "npm_config_//localhost:4873/npm/:_authToken=npm_hiddenEXAMPLE")
				tc.args = nil
			}
			got := s.adopt(append(tc.args, "--yes", "--revoke")...)
			text := strings.Join(strings.Fields(got.stdout+" "+got.stderr), " ")
			if got.code != tc.code || !strings.Contains(text, tc.want) {
				t.Errorf("status %d, want %d and %q in\n%s", got.code, tc.code, tc.want, text)
			}
			for _, file := range tc.same {
				if b, err := os.ReadFile(s.path(file)); err != nil || string(b) != files[file] {
					t.Errorf("%s is %q, %v", file, b, err)
				}
			}
			if len(s.accepted) != 4 {
				t.Errorf("something was revoked: %v", s.accepted)
			}
		})
	}
}

// TestAdoptOutOfTheFolder: no symbolic link leads out of it.
func TestAdoptOutOfTheFolder(t *testing.T) {
	s := newEstate(t, map[string]string{"out/.npmrc": line("npm_olderEXAMPLE"), "in/.npmrc": "a=1\n"})
	for link, target := range map[string]string{"in/dir": "../out", "in/sub/.npmrc": "../../out/.npmrc"} {
		if err := os.MkdirAll(filepath.Dir(s.path(link)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, s.path(link)); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.adopt("in", "--yes"); got.code != 0 || got.stdout != "" {
		t.Errorf("%+v", got)
	}
	for i := range maxTokens + 1 {
		if err := os.MkdirAll(s.path(fmt.Sprint("many/", i)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.path(fmt.Sprint("many/", i, "/.npmrc")), []byte(line(fmt.Sprint("npm_", i, "EXAMPLE"))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.adopt("many"); got.code == 0 || !strings.Contains(got.stderr, "101 different tokens") || s.asked(ipc.PathStrayRevoke) {
		t.Errorf("%+v", got)
	}
	if got := s.adopt("nowhere"); got.code == 0 {
		t.Errorf("a folder that is not there: %+v", got)
	}
	if got := s.adopt("--dry-run", "--yes"); got.code != ipc.ExitUsage {
		t.Errorf("%+v", got)
	}
}

// adoptAsked runs it with somebody at the terminal.
func (s *estate) adoptAsked(answer func(question string) string) outcome {
	s.t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	here, there := os.NewFile(uintptr(pair[0]), "here"), os.NewFile(uintptr(pair[1]), "there")
	defer here.Close()
	s.e.StdinTTY, s.e.StderrTTY = true, true
	s.e.OpenTTY = func() (*os.File, error) { return there, nil }
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		in := bufio.NewReader(here)
		for {
			question, err := in.ReadString(']')
			if err != nil {
				return
			}
			fmt.Fprintln(here, answer(strings.TrimSpace(question)))
		}
	}()
	got := s.adopt()
	there.Close()
	<-answered
	return got
}

// TestAdoptSeesAChange: what was written while somebody was asked stays.
func TestAdoptSeesAChange(t *testing.T) {
	for _, file := range []string{".npmrc", "p/.npmrc"} {
		s := newEstate(t, homeful())
		got := s.adoptAsked(func(question string) string {
			if strings.Contains(question, "~/"+file) {
				place(t, s.e, map[string]string{file: line("npm_writesEXAMPLE")})
			}
			return "y"
		})
		if got.code != ipc.ExitFailed || !strings.Contains(got.stderr, "there is another token by now") {
			t.Errorf("%+v", got)
		}
		isFile(t, s.path(file), line("npm_writesEXAMPLE"))
		if s.accepted["npm_writesEXAMPLE"] == "" || file == ".npmrc" && len(s.accepted) != 4 {
			t.Errorf("the registry accepts %v", s.accepted)
		}
	}
}

// TestAdoptWantsAValueThatWorks: what the registry refuses takes nothing's place.
func TestAdoptWantsAValueThatWorks(t *testing.T) {
	s := newEstate(t, homeful())
	delete(s.accepted, testToken)
	got := s.adopt("--yes", "--revoke")
	if got.code != ipc.ExitFailed || !strings.Contains(got.stderr, "the registry refuses the value of "+testROT) {
		t.Errorf("%+v", got)
	}
	for _, file := range []string{".npmrc", "p/.npmrc", "q/.npmrc"} {
		isFile(t, s.path(file), homeful()[file])
	}
	if len(s.accepted) != 3 {
		t.Errorf("the registry accepts %v", s.accepted)
	}
}

// TestAdoptLooksOnce at a file, also where a folder is named by a link, or twice.
func TestAdoptLooksOnce(t *testing.T) {
	s := newEstate(t, homeful())
	if err := os.Symlink("p", s.path("link")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"p"}, {"link"}, {".", "link", "p"}} {
		if got := s.adopt(append(args, "--dry-run")...); strings.Count(got.stdout, "p/.npmrc is taken out") != 1 {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

// TestAdoptAsks answers by the terminal. What a file still holds is not revoked.
func TestAdoptAsks(t *testing.T) {
	s := newEstate(t, homeful())
	var asked []string
	got := s.adoptAsked(func(question string) string {
		asked = append(asked, question)
		if strings.Contains(question, "q/.npmrc") {
			return "n"
		}
		return "y"
	})
	want := []string{
		"Have " + testROT + " take the place of the token in line 2 of ~/.npmrc, and keep it current? [y/N]",
		"Take line 2 out of ~/p/.npmrc? [y/N]",
		"Take line 2 out of ~/q/.npmrc? [y/N]",
		`No file found here holds the old token of ada called "laptop" any more. Revoke it? [y/N]`,
	}
	if !slices.Equal(asked, want) || got.code != 0 {
		t.Errorf("status %d, asked %q", got.code, asked)
	}
	if s.accepted["npm_oldEXAMPLE"] != "" || s.accepted["npm_olderEXAMPLE"] == "" {
		t.Errorf("the registry accepts %v", s.accepted)
	}
	if b, _ := os.ReadFile(s.path("q/.npmrc")); string(b) != homeful()["q/.npmrc"] {
		t.Errorf("%q", b)
	}
}
