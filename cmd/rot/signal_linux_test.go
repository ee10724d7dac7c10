package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// loop is a child that says which signals it gets, and ends at SIGTERM.
const loop = `trap 'echo INT' INT; trap 'echo HUP' HUP; trap 'echo USR1' USR1; trap 'echo USR2' USR2; trap 'echo TERM; exit 3' TERM; echo ready; while :; do sleep 0.02; done`

// rotExec starts rot exec with loop as the child and returns when that is ready.
func rotExec(t *testing.T, stdio *os.File, attr *syscall.SysProcAttr) (cmd *exec.Cmd, out *bufio.Scanner, runtimeDirectory string) {
	t.Helper()
	return rotExecBy(t, stdio, attr, "rot", "exec", "ci", "--", "sh", "-c", loop)
}

// rotExecBy is rotExec by another command line.
func rotExecBy(t *testing.T, stdio *os.File, attr *syscall.SysProcAttr, argv ...string) (cmd *exec.Cmd, out *bufio.Scanner, runtimeDirectory string) {
	t.Helper()
	dir, err := runtimeDir()
	if err != nil {
		t.Fatal(err)
	}
	stop, err := serveToken(filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); os.RemoveAll(dir) })
	cmd = exec.Command(argv[0], argv[1:]...) // testscript.Main has put rot there
	cmd.Env = append(os.Environ(), "GORACE="+noRaceSleep, "ROTD_SOCKET="+filepath.Join(dir, "s"), "XDG_RUNTIME_DIR="+dir, "HOME="+dir)
	cmd.Stdin, cmd.SysProcAttr = stdio, attr
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its session
		r.Close()
	})
	out = bufio.NewScanner(r)
	expect(t, out, "ready")
	return cmd, out, dir
}

func expect(t *testing.T, out *bufio.Scanner, want string) {
	t.Helper()
	if !out.Scan() || out.Text() != want {
		t.Fatalf("the child says %q, %v, want %q", out.Text(), out.Err(), want)
	}
}

func TestSignalsArePassedOn(t *testing.T) {
	cmd, out, dir := rotExec(t, nil, &syscall.SysProcAttr{Setsid: true})
	for _, s := range []syscall.Signal{unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGTERM} {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		expect(t, out, strings.TrimPrefix(unix.SignalName(s), "SIG"))
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("rot ended with %v, want the child's 3", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "rotd", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAKilledRotsFilesGoWithTheNext(t *testing.T) {
	cmd, _, dir := rotExec(t, nil, &syscall.SysProcAttr{Setsid: true})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	left, _ := filepath.Glob(filepath.Join(dir, "rotd", "*"))
	if len(left) != 1 {
		t.Fatalf("left behind: %v", left)
	}
	next := exec.Command(cmd.Path, "exec", "ci", "--", "true")
	next.Env = cmd.Env
	if out, err := next.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "rotd", "*")); len(left) > 0 {
		t.Errorf("still there: %v", left)
	}
}

// openTerminal returns both ends of a terminal.
func openTerminal(t *testing.T) (keyboard, near *os.File) {
	t.Helper()
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(far.Fd()), unix.TIOCGPTN)
	if err := errors.Join(err, unix.IoctlSetPointerInt(int(far.Fd()), unix.TIOCSPTLCK, 0)); err != nil {
		t.Fatal(err)
	}
	near, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return far, near
}

// TestCtrlCReachesTheChildOnce types it on a terminal whose foreground are rot
// and its child.
func TestCtrlCReachesTheChildOnce(t *testing.T) {
	keyboard, near := openTerminal(t)
	cmd, out, _ := rotExec(t, near, &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0})
	if _, err := io.WriteString(keyboard, "\x03"); err != nil {
		t.Fatal(err)
	}
	expect(t, out, "INT")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	expect(t, out, "TERM") // and not INT again
	_ = cmd.Wait()
}

// TestCtrlZ types it, in a shell with job control, and goes on.
func TestCtrlZ(t *testing.T) {
	keyboard, near := openTerminal(t)
	const child = `trap "echo INT; exit 3" INT; trap "echo CONT" CONT; echo ready; while :; do sleep 0.02; done`
	_, out, _ := rotExecBy(t, near, &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0},
		"sh", "-mc", `rot exec ci -- sh -c '`+child+`'; echo stopped; fg >/dev/null; echo "ended $?"`)
	for _, step := range []struct{ typed, want string }{{"\x1a", "stopped"}, {"", "CONT"}, {"\x03", "INT"}, {"", "ended 3"}} {
		if _, err := io.WriteString(keyboard, step.typed); err != nil {
			t.Fatal(err)
		}
		expect(t, out, step.want)
	}
}

// TestCtrlCAtAQuestion has the whole program interrupted where the echo is off.
func TestCtrlCAtAQuestion(t *testing.T) {
	keyboard, near := openTerminal(t)
	dir, err := runtimeDir()
	if err != nil {
		t.Fatal(err)
	}
	stop, err := serveQuestion(filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); os.RemoveAll(dir) })
	cmd := exec.Command("rot", "connect", "npm", "--socket", filepath.Join(dir, "s"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = near, near, near
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lflag := func() uint32 {
		tio, err := unix.IoctlGetTermios(int(near.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return tio.Lflag
	}
	for end := time.Now().Add(20 * time.Second); lflag()&unix.ECHO != 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("rot does not turn the echo off")
		}
	}
	if _, err := io.WriteString(keyboard, "pwEXA\x03"); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("rot ended with %v, want 130", err)
	}
	if lflag()&unix.ECHO == 0 {
		t.Error("the echo stays off")
	}
	screen := make([]byte, 4096)
	n, _ := keyboard.Read(screen)
	if strings.Contains(string(screen[:n]), "pwEXA") {
		t.Errorf("the password is on the screen: %q", screen[:n])
	}
}
