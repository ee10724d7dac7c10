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
		return g.runAs(uid, gid, "/", append([]string{program}, args...)...)
	}
}

// runAs runs a program in a directory, which is his home too, as somebody.
func (g *ground) runAs(uid, gid uint32, dir string, argv ...string) outcome {
	g.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + g.dir + ":" + os.Getenv("PATH"), "HOME=" + dir, "XDG_RUNTIME_DIR=" + dir,
		"ROTD_SOCKET=" + g.client.Socket, "npm_config_update_notifier=false"}
	if uid != uint32(os.Getuid()) || gid != uint32(os.Getgid()) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		g.t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
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
