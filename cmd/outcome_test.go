package cmd_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// rotAs is rot, run as somebody who may execute a copy of it.
func (g *ground) rotAs(uid, gid uint32) func(args ...string) outcome {
	g.t.Helper()
	program := filepath.Join(g.dir, "rot")
	if b, err := os.ReadFile(filepath.Join(bin, "rot")); err != nil {
		g.t.Fatal(err)
	} else if err := os.WriteFile(program, b, 0o755); err != nil && !errors.Is(err, syscall.ETXTBSY) {
		g.t.Fatal(err)
	}
	return func(args ...string) outcome {
		g.t.Helper()
		var stdout, stderr bytes.Buffer
		cmd := exec.Command(program, args...)
		cmd.Dir = "/"
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "ROTD_SOCKET=" + g.client.Socket}
		if uid != uint32(os.Getuid()) || gid != uint32(os.Getgid()) {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
		}
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
			g.t.Fatal(err)
		}
		return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	}
}

// outcome is what one run of rot left.
type outcome struct {
	code           int
	stdout, stderr string
}

// want compares; a part of stderr is enough.
func (o outcome) want(t testing.TB, code int, stdout, stderr string) {
	t.Helper()
	if o.code != code || o.stdout != stdout || !strings.Contains(o.stderr, stderr) || stderr == "" && o.stderr != "" {
		t.Errorf("exit %d, stdout %q, stderr %q\nwant %d, %q, %q", o.code, o.stdout, o.stderr, code, stdout, stderr)
	}
}
