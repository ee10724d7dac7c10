package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rotd/ipc"
)

// serveList is a rotd with a ROT that has a name, one that has none, and their
// passcard.
func serveList(t *testing.T, dir string) (socket string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+ipc.PathROTs, func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"rots": []ipc.ROT{
			{Ref: "rot://rot_a2c4q7", Name: "mine", State: ipc.StateOK}, {Ref: "rot://rot_b3d5r8", State: ipc.StateFailing},
		}})
	})
	mux.HandleFunc("GET "+ipc.PathPasscards, func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"passcards": []ipc.Passcard{{Ref: "rot://pas_x9y8", Username: "ada", Registry: "http://localhost:4873"}}})
	})
	stop, err := serveMux(filepath.Join(dir, "s"), mux)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return filepath.Join(dir, "s")
}

// screen is what a program writes to its terminal.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *screen) wait(t *testing.T, want string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(s.String(), want); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			text := s.String()
			t.Fatalf("no %q at the end of the screen: %q", want, text[max(0, len(text)-2000):])
		}
	}
}

// TestCompletionInRealShells types at the shells themselves.
func TestCompletionInRealShells(t *testing.T) {
	for name, shell := range map[string]struct{ command, setUp string }{
		"bash": {"bash --norc --noprofile -i", `source <(rot completion bash)`},
		"zsh":  {"zsh -f -i", `bindkey -e; autoload -Uz compinit; compinit -u -D; source <(rot completion zsh)`},
		"fish": {"fish --no-config -i", `rot completion fish | source`},
	} {
		t.Run(name, func(t *testing.T) {
			keyboard, seen := startShell(t, strings.Fields(shell.command))
			enter := func(line, want string) {
				t.Helper()
				if _, err := io.WriteString(keyboard, line+"\r"); err != nil {
					t.Fatal(err)
				}
				seen.wait(t, want)
			}
			enter(shell.setUp+`; printf 'rea%s.' dy`, "ready.")
			for typed, want := range map[string]string{
				"rotat\t":                              "<rotate>",
				"conn\tn\t --reg\t":                    "<connect><npm><--registry>",
				"rotate --for st\t":                    "<rotate><--for><stage>",
				"rotate --for=st\t":                    "<rotate><--for=stage>",
				"get m\t":                              "<get><mine>",
				"get rot_b\t":                          "<get><rot_b3d5r8>",
				"get --json rot://rot_a\t":             "<get><--json><rot://rot_a2c4q7>",
				"rotate rot://p\t":                     "<rotate><rot://pas_x9y8>",
				"connect npm --password-file passw\t":  "<connect><npm><--password-file><password.txt>",
				"exec mine -- exampleco\t":             "<exec><mine><--><examplecommand>",
				"exec rot://rot_a2c4q7 -- cat passw\t": "<exec><rot://rot_a2c4q7><--><cat><password.txt>",
				"get --socket /nowhere m\t":            "<get><--socket></nowhere><m>",
				"compl\tzs\t":                          "<completion><zsh>",
			} {
				// To the beginning of the line, and what prints its words.
				enter("rot "+typed+"\x01printf '<%s>' \x05; printf '\\n'", "<rot>"+want+"\r\n")
			}
		})
	}
}

// startShell starts a shell on a terminal of its own, in a directory with
// password.txt and with examplecommand in its PATH.
func startShell(t *testing.T, argv []string) (keyboard *os.File, seen *screen) {
	t.Helper()
	if _, err := exec.LookPath(argv[0]); err != nil {
		t.Fatalf("%v (.ci/tools.sh test installs it)", err)
	}
	dir, err := runtimeDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for file, mode := range map[string]os.FileMode{"password.txt": 0o600, "bin/examplecommand": 0o700} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	keyboard, near := openTerminal(t)
	if err := unix.IoctlSetWinsize(int(near.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 240}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "HOME="+dir, "TERM=dumb", "PS1=> ",
		"XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir, "GORACE="+noRaceSleep, "ROTD_SOCKET="+serveList(t, dir), "INPUTRC=/dev/null")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = near, near, near
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	seen = &screen{}
	go io.Copy(seen, keyboard)
	return keyboard, seen
}
