package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// playEnv makes this test binary rotd, a process of no kind, or one that reads
// the memory of another.
const playEnv = "ROTD_TEST_PLAY"

func TestMain(m *testing.M) {
	switch role, pid, _ := strings.Cut(os.Getenv(playEnv), " "); role {
	case "rotd":
		main()
	case "plain":
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the test closes it
		os.Exit(0)
	case "reader":
		_, err := os.ReadFile("/proc/" + pid + "/maps")
		switch {
		case err == nil:
			os.Stdout.WriteString("read")
		case errors.Is(err, fs.ErrPermission):
			os.Stdout.WriteString("refused")
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// ground is a directory of the user whom play plays.
func ground(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if os.Getuid() == 0 {
		if err := os.Chown(dir, ordinary, ordinary); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// ordinary is a user who is not root, as root reads everything.
const ordinary = 65534

// play makes this test binary a program of an ordinary user, in dir.
func play(t *testing.T, dir, role string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = []string{playEnv + "=" + role, "HOME=" + dir, "XDG_RUNTIME_DIR=" + dir}
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	if os.Getuid() != 0 {
		return cmd
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinary, Gid: ordinary}}
	cmd.Path = filepath.Join(dir, "program")
	b, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(cmd.Path, b, 0o755)
	}
	if err != nil && !errors.Is(err, syscall.ETXTBSY) { // it runs: so it is there
		t.Fatal(err)
	}
	return cmd
}

// start starts it until the test ends.
func start(t *testing.T, cmd *exec.Cmd) (pid string) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	return strconv.Itoa(cmd.Process.Pid)
}

// startRotd returns when it listens.
func startRotd(t *testing.T, dir string) (pid string) {
	t.Helper()
	socket := filepath.Join(dir, "s")
	pid = start(t, play(t, dir, "rotd", "run", "--key", "file:"+filepath.Join(dir, "key"), "--socket", socket))
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return pid
		}
		if time.Now().After(deadline) {
			t.Fatal("rotd does not listen")
		}
	}
}

// TestNobodyReadsTheMemory has another process of the same user try. One that
// is no rotd it can read: so the refusal is ours.
func TestNobodyReadsTheMemory(t *testing.T) {
	dir := ground(t)
	for _, c := range []struct{ pid, want string }{
		{start(t, play(t, dir, "plain")), "read"},
		{startRotd(t, dir), "refused"},
	} {
		got, err := play(t, dir, "reader "+c.pid).Output()
		if err != nil || string(got) != c.want {
			t.Errorf("%q, %v, want %q", got, err, c.want)
		}
	}
}

// TestNoCoreAndNoModes looks at the process itself; what it starts inherits it.
func TestNoCoreAndNoModes(t *testing.T) {
	pid := startRotd(t, ground(t))
	for file, line := range map[string]string{
		"limits": "Max core file size 0 0 bytes",
		"status": "Umask: 0077",
	} {
		b, err := os.ReadFile("/proc/" + pid + "/" + file)
		if err != nil || !strings.Contains(strings.Join(strings.Fields(string(b)), " "), line) {
			t.Errorf("%s has no %q: %v\n%s", file, line, err, b)
		}
	}
}
