package helper

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rotd/ipc"
)

// TestDesk has rot become rotd for what is done at the desk, with the same
// command line: for a command, for its help and for what completes it.
func TestDesk(t *testing.T) {
	d := newDaemon(t)
	d.on("GET "+ipc.PathVersion, ipc.Version{Version: ipc.BuildVersion, API: ipc.APIVersion})
	beside, inPath := t.TempDir(), t.TempDir()
	install := func(dir string, mode os.FileMode) string {
		path := filepath.Join(dir, "rotd")
		if err := errors.Join(os.WriteFile(path, nil, 0o700), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(want string, args ...string) outcome {
		t.Helper()
		env := d.env("PATH=:.:/nonexistent:" + inPath)
		env.Executable = at(filepath.Join(beside, "rot"))
		ran := ""
		env.Exec = func(program string, argv, environ []string) error {
			ran = program
			if !slices.Equal(argv, append([]string{"rotd", "rot"}, args...)) || !slices.Equal(environ, env.Environ) {
				t.Errorf("%q is run with %q, %q", program, argv, environ)
			}
			return errors.New("exec format error")
		}
		got := runOf(t.Context(), env, commands, args...)
		if ran != want {
			t.Errorf("%q runs %q, want %q", args, ran, want)
		}
		return got
	}
	const missing = "rot: rot doctor is done by the program rotd, which is neither beside rot nor in PATH\n  hint: install rotd beside rot"
	run("", "doctor").want(t, ipc.ExitFailed, "", missing)
	install(beside, 0o600) // no program
	run("", "doctor", "--help").want(t, ipc.ExitFailed, "", missing)
	rotd := install(inPath, 0o700)
	run(rotd, "doctor").want(t, ipc.ExitFailed, "", "rot: run "+rotd+": exec format error\n  hint: ")
	rotd = install(beside, 0o755)
	for _, line := range []string{
		"--json doctor", "doctor --json --socket /s", "help passkey add", "export work --recipient age1 --help",
		"completion words -- import --", "connect --help", "connect npm --json", "export -h",
	} {
		run(rotd, strings.Split(line, " ")...)
	}
	run("", "version").want(t, 0, "rot  "+ipc.BuildVersion+"\nrotd "+ipc.BuildVersion+"\n", "")
	d.run("completion", "words", "--", "passkey", "").want(t, 0, "words\nadd\t"+passkeyAdd.line+"\nremove\t"+passkeyRemove.line+"\n", "")
}

// TestDeskNotAtHand is a program that is nobody's to replace, as rotd itself.
func TestDeskNotAtHand(t *testing.T) {
	d := newDaemon(t)
	got := d.run("--json", "doctor")
	if got.code != ipc.ExitFailed || !strings.HasPrefix(got.stderr, `{"error":{"code":"local"`) {
		t.Errorf("%+v", got)
	}
}
