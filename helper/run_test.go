package helper

import (
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"rotd/ipc"
)

// TestExitStatuses has rotd refuse with every code there is.
func TestExitStatuses(t *testing.T) {
	for code, want := range map[ipc.Code]int{
		ipc.CodeInternal:      ipc.ExitFailed,
		ipc.CodeUnreachable:   ipc.ExitFailed,
		ipc.CodeWrongPassword: ipc.ExitFailed,
		ipc.CodeRateLimited:   ipc.ExitFailed,
		ipc.CodeKeyringLocked: ipc.ExitFailed,
		ipc.CodeNoValue:       ipc.ExitFailed,
		"something_newer":     ipc.ExitFailed,
		ipc.CodeBadRequest:    ipc.ExitUsage,
		ipc.CodeShapeRequired: ipc.ExitUsage,
		ipc.CodeNotFound:      ipc.ExitNotFound,
		ipc.CodeAmbiguous:     ipc.ExitNotFound,
		ipc.CodeNotAllowed:    ipc.ExitNotAllowed,
		ipc.CodeNeedsApproval: ipc.ExitPerson,
		ipc.CodeBotCheck:      ipc.ExitPerson,
	} {
		d := newDaemon(t)
		e := &ipc.Error{Code: code, Message: "it went wrong", Hint: "do this"}
		d.on("GET "+ipc.PathToken, e)
		d.on("GET "+ipc.PathPasscards, e)
		d.on("GET "+ipc.PathStatus, e)
		d.on("POST "+ipc.PathPasscards, e)
		d.stream("POST "+ipc.PathRotate, ipc.Event{Step: &ipc.Step{Name: "a", Text: "begin"}}, ipc.Event{Error: e})
		for _, args := range [][]string{
			{"get", "x"}, {"npmrc", "x"}, {"exec", "x", "--", "true"}, {"ls"}, {"status"}, {"rotate", "x"}, {"connect", "npm"},
		} {
			d.run(args...).want(t, want, "", "rot: it went wrong\n  hint: do this\n")
			got := d.run(append([]string{"--json"}, args...)...)
			lines := strings.Split(strings.TrimSpace(got.stderr), "\n")
			var body ipc.ErrorBody
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &body); err != nil || *body.Error != *e || got.code != want {
				t.Errorf("%v --json: %+v, %v", args, got, err)
			}
		}
	}
}

func TestDaemonNotReached(t *testing.T) {
	for name, tc := range map[string]struct{ socket, want, hint string }{
		"none":      {"/nonexistent/s", "rotd is not running (no socket at /nonexistent/s)", "rotd run"},
		"too long":  {"/" + strings.Repeat("x", 200), "201 bytes long", "shorter"},
		"no socket": {"/dev/null", "/dev/null is not a socket", "ROTD_SOCKET"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDaemon(t)
			for _, args := range [][]string{{"get", "x"}, {"ls"}, {"status"}, {"rotate", "x"}, {"connect", "npm"}, {"npmrc", "x"}, {"exec", "x", "true"}} {
				got := d.run(append([]string{"--socket", tc.socket}, args...)...)
				got.want(t, ipc.ExitUnreachable, "", tc.want)
				if !strings.Contains(got.stderr, "\n  hint: ") || !strings.Contains(got.stderr, tc.hint) {
					t.Errorf("%v: no hint %q in %q", args, tc.hint, got.stderr)
				}
			}
		})
	}
}

func TestBrokenAnswerIsAPlainFailure(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\n{\"value\":\"npm_")
			c.Close()
		}
	}()
	d := newDaemon(t)
	for _, args := range [][]string{{"get", "x"}, {"ls"}, {"status"}, {"rotate", "x"}, {"connect", "npm"}} {
		got := d.run(append([]string{"--socket", path}, args...)...)
		if got.code != ipc.ExitFailed || got.stdout != "" || !strings.Contains(got.stderr, "hint:") || strings.Contains(got.stderr, "npm_") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

func TestUsage(t *testing.T) {
	d := newDaemon(t)
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"frobnicate"}, `there is no command "frobnicate"`},
		{[]string{"connect"}, "connect to what"},
		{[]string{"connect", "github"}, "connect to what"},
		{[]string{"passkey"}, "passkey what"},
		{[]string{"passkey", "ad"}, "passkey what"},
		{[]string{"get"}, "get: it is not said which reference"},
		{[]string{"get", "a", "b"}, `here is "b" too`},
		{[]string{"get", "rot://"}, "the reference is empty"},
		{[]string{"get", ""}, "the reference is empty"},
		{[]string{"get", "a", "--nope"}, "unknown flag: --nope"},
		{[]string{"--nope", "get"}, "unknown flag: --nope"},
		{[]string{"get", "-socket=x", "a"}, "unknown shorthand flag"},
		{[]string{"ls", "a"}, `takes flags only, and here is "a"`},
		{[]string{"status", "a"}, "takes flags only"},
		{[]string{"version", "a"}, "takes flags only"},
		{[]string{"help", "nope"}, `there is no command "nope"`},
		{[]string{"exec"}, "which reference"},
		{[]string{"exec", "a"}, "which command"},
		{[]string{"exec", "a", "--"}, "which command"},
		{[]string{"exec", "a", "--json", "--", "true"}, "stands after the reference"},
		{[]string{"connect", "npm", "x"}, "takes flags only"},
		{[]string{"connect", "npm", "--remember", "otp"}, "--remember takes password, totp and passkey"},
		{[]string{"connect", "npm", "--password-file", "-", "--totp-secret-file", "-"}, "only one file can be"},
		{[]string{"rotate", "a", "--for", "fun"}, "--for is publish, stage or install"},
		{[]string{"rotate", "a", "--expires", "0"}, "1 or more"},
		{[]string{"rotate", "a", "--expires", "soon"}, "invalid argument"},
		{[]string{"rotate", "a", "--packages", "x", "--packages-all"}, "contradict"},
		{[]string{"rotate", "a", "--packages-and-scopes-permission", "write"}, "read-write-stage-only"},
		{[]string{"rotate", "a", "--orgs-permission", "read-write-stage-only"}, "--orgs-permission is one of"},
	} {
		in := d.env()
		in.Stdin = strings.NewReader("secret")
		got := runEnv(t.Context(), in, tc.args...)
		got.want(t, ipc.ExitUsage, "", tc.want)
		if !strings.Contains(got.stderr, "\n  hint: rot") {
			t.Errorf("%v: no hint: %q", tc.args, got.stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	d := newDaemon(t)
	overviewText := d.run()
	overviewText.want(t, 0, overview(commands), "")
	d.run("--help").want(t, 0, overview(commands), "")
	d.run("help").want(t, 0, overview(commands), "")
	d.run("connect", "--help").want(t, 0, connectHelp, "")
	d.run("help", "connect").want(t, 0, connectHelp, "")
	d.run("help", "connect", "npm").want(t, 0, connectHelp, "")
	for _, cmd := range withOwn() {
		if !strings.Contains(overviewText.stdout, "  "+cmd.name+" ") {
			t.Errorf("the overview does not have %s", cmd.name)
		}
		if cmd.atDesk() {
			continue // package desk has its help
		}
		words := strings.Fields(cmd.name)
		text := cmd.text(commands)
		d.run(append(words, "--help")...).want(t, 0, text, "")
		d.run(append([]string{"help"}, words...)...).want(t, 0, text, "")
		for _, line := range strings.Split(text, "\n") {
			if utf8.RuneCountInString(line) > 80 {
				t.Errorf("%s: more than 80 columns: %q", cmd.name, line)
			}
		}
		if cmd.help != "" && (!strings.HasPrefix(text, "rot "+cmd.name) || !strings.Contains(text, "usage: rot "+cmd.name)) {
			t.Errorf("%s: the help has no example first, or no usage", cmd.name)
		}
	}
}

// TestMeant: a command that is misspelt is guessed at, and nothing else is.
func TestMeant(t *testing.T) {
	d := newDaemon(t)
	for typed, meant := range map[string]string{
		"rotat": "rotate", "statsu": "status", "gte": "get", "npmcr": "npmrc", "Get": "get", "ungant": "ungrant",
		"frobnicate": "", "nonsense": "", "x": "", "git": "get",
	} {
		want := "hint: rot help lists them\n"
		if meant != "" {
			want = "hint: rot " + meant + "? rot help lists all of them\n"
		}
		for _, args := range [][]string{{typed}, {typed, "--help"}, {"help", typed}} {
			got := d.run(args...)
			if got.want(t, ipc.ExitUsage, "", "there is no command"); !strings.HasSuffix(got.stderr, want) {
				t.Errorf("%v: %q, want %q", args, got.stderr, want)
			}
		}
	}
}

// TestHelpNamesEveryFlag compares the flags that a command defines with those
// that its help has.
func TestHelpNamesEveryFlag(t *testing.T) {
	c := &call{Env: &Env{}, all: withOwn()}
	hidden := map[string]string{"npmrc": "registry"} // of npmrc -, which rotd runs
	for _, cmd := range c.all {
		if cmd.atDesk() {
			continue
		}
		fs := c.flagsOf(cmd)
		for _, f := range fs.flags {
			said := len(helpOf(cmd.text(commands), f.name)) > 0 || cmd.takes("--"+f.name)
			if want := f.name != "json" && hidden[cmd.name] != f.name; want && !said {
				t.Errorf("the help of %s does not have --%s", cmd.name, f.name)
			}
		}
		for line := range strings.Lines(cmd.help) {
			_, name, ok := strings.Cut(line, "--")
			name, _, _ = strings.Cut(strings.Fields(name + " .")[0], " ")
			if !ok || !strings.HasPrefix(line, "  -") {
				continue
			}
			if fs.find(func(f *flagVar) bool { return f.name == name }) == nil {
				t.Errorf("the help of %s has --%s, which it does not take", cmd.name, name)
			}
		}
	}
}

func TestReferencesInEverySpelling(t *testing.T) {
	d := newDaemon(t)
	d.mux.HandleFunc("GET "+ipc.PathToken, echoRef)
	for arg, want := range map[string]string{
		"rot://rot_a2c4":     "rot_a2c4",
		"dotenvx://rot_a2c4": "rot_a2c4",
		"rot_a2c4":           "rot_a2c4",
		"ci":                 "ci",
		"my token/x":         "my token/x",
		"rot://..":           "..",
		"http://rot_a2c4":    "http://rot_a2c4", // rotd says that it knows no such thing
	} {
		d.run("get", arg).want(t, 0, "value-of-"+want+"\n", "")
	}
}
