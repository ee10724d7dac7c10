// Package systemdtest gives a test a systemd of its own: a user's manager
// (User), or one that is PID 1 of a machine (Boot). Each runs in namespaces and
// a control group of its own, and nothing of it is left when the test ends: no
// process, no mount, no file. The host needs no running systemd.
//
// It takes root, Linux, a version 2 control group hierarchy, and a kernel that
// lets root make namespaces. Where one is missing the test fails and says which,
// save for a developer who is not root: there it is skipped, unless CI=true.
package systemdtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Machine is a running systemd and what surrounds it.
type Machine struct {
	t      *testing.T
	leader int      // PID 1 inside, as the host counts
	enter  []string // the command that runs another inside
	env    []string
	group  string // its control group
	log    string
}

// patience bounds what a machine is waited for.
const patience = 60 * time.Second

// boot starts the script, a shell's, as PID 1 of new namespaces; when ready
// answers, the machine is there. kinds are unshare's flags beside --pid.
func boot(t *testing.T, script string, kinds ...string) *Machine {
	t.Helper()
	demand(t)
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		t.Fatal(err)
	}
	m := &Machine{t: t, group: makeGroup(t), log: filepath.Join(dir, "log")}
	log, err := os.Create(m.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	args := append([]string{"--fork", "--kill-child", "--pid", "--mount", "--cgroup", "--propagation", "private"}, kinds...)
	cmd := exec.Command("sh", append([]string{"-c", keeper, m.group}, append(args, "sh", "-euc", script, "sh", dir)...)...)
	cmd.Stdout, cmd.Stderr = log, log
	hold, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { m.close(hold, ended, dir) })
	m.leader = m.awaitChild(m.awaitChild(cmd.Process.Pid))
	return m
}

// keeper is a shell around unshare that ends the machine when its standard input
// ends: with the test, however that comes about. PID 1 dies with unshare, and with
// PID 1 all others.
const keeper = `
echo $$ > "$0/cgroup.procs" || exit
exec 3<&0
unshare "$@" </dev/null 3<&- &
read -r _ <&3
kill -KILL $!
wait
`

// demand fails the test where a machine cannot be had.
func demand(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("systemd is Linux's")
	}
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("a systemd of its own takes root")
		}
		t.Skip("a systemd of its own takes root (with CI=true this would fail)")
	}
	for _, tool := range []string{"unshare", "nsenter", "systemctl", "systemd-analyze", "/lib/systemd/systemd"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is not installed: run .ci/tools.sh test", tool)
		}
	}
	if out, err := exec.Command("unshare", "--fork", "--pid", "--mount", "--cgroup", "--net", "true").CombinedOutput(); err != nil {
		t.Fatalf("the kernel refuses namespaces to root, which a systemd of its own takes (in a container: run it privileged): %s", out)
	}
}

// makeGroup makes a control group in the version 2 hierarchy, wherever that is.
func makeGroup(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if !strings.Contains(line, " - cgroup2 ") || len(f) < 5 {
			continue
		}
		group, err := os.MkdirTemp(f[4], "rotd-test-")
		if err != nil {
			t.Fatalf("a systemd of its own takes a control group: %v (in a container: run it privileged)", err)
		}
		if err := os.Chmod(group, 0o755); err != nil { // users' managers work below it
			t.Fatal(err)
		}
		return group
	}
	t.Fatal("no version 2 control group hierarchy is mounted, which a systemd of its own takes")
	return ""
}

// awaitChild is the pid of the one child of a process, once it is there.
func (m *Machine) awaitChild(parent int) int {
	m.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", parent))
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			return pid
		}
	}
	m.t.Fatalf("the machine does not start\n%s", m.Log())
	return 0
}

// close ends every process of the machine and removes what is left of it.
func (m *Machine) close(hold io.Closer, ended <-chan error, dir string) {
	if m.t.Failed() {
		m.t.Logf("the machine's last words:\n%s", tail(m.Log(), 8000))
	}
	_ = hold.Close()
	select {
	case <-ended:
	case <-time.After(patience):
		m.t.Error("the machine does not end")
	}
	m.removeGroup()
	if err := os.RemoveAll(dir); err != nil {
		m.t.Error(err)
	}
}

// removeGroup removes the control groups, deepest first, when the last process
// is gone from them.
func (m *Machine) removeGroup() {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		_ = exec.Command("find", m.group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";").Run()
		if _, err := os.Stat(m.group); os.IsNotExist(err) {
			return
		}
		if time.Now().After(deadline) {
			m.t.Errorf("a process is left in %s", m.group)
			return
		}
	}
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// Log is what the machine's first process has printed.
func (m *Machine) Log() string {
	b, _ := os.ReadFile(m.log)
	return string(b)
}

// Command is a command inside the machine, with the machine's environment and
// no other; env adds to it, "K=V".
func (m *Machine) Command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	argv := append(m.enter[1:len(m.enter):len(m.enter)], "env", "-i", "--chdir=/")
	argv = append(argv, m.env...)
	argv = append(append(argv, env...), args...)
	cmd := exec.CommandContext(ctx, m.enter[0], argv...)
	cmd.WaitDelay = time.Second
	return cmd
}

// Try runs a command inside and returns what it printed on both outputs.
func (m *Machine) Try(args ...string) (output string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	out, err := m.Command(ctx, nil, args...).CombinedOutput()
	return strings.TrimRight(string(out), "\n"), err
}

// Run is Try for a command that must succeed.
func (m *Machine) Run(args ...string) string {
	m.t.Helper()
	out, err := m.Try(args...)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// Sh is Run for a shell's script.
func (m *Machine) Sh(script string) string {
	m.t.Helper()
	return m.Run("sh", "-euc", script)
}

// Await polls until ok.
func (m *Machine) Await(what string, ok func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("%s did not come within %v", what, patience)
		}
	}
}

// Signal sends a signal to a process, by its pid inside.
func (m *Machine) Signal(pid string, sig syscall.Signal) {
	m.t.Helper()
	m.Run("kill", "-"+strconv.Itoa(int(sig)), pid)
}

// Property asks a unit's manager for one property of it; flags are systemctl's.
func (m *Machine) Property(unit, name string, flags ...string) string {
	m.t.Helper()
	out := m.Run(append(append([]string{"systemctl"}, flags...), "show", "--property="+name, "--value", unit)...)
	return string(bytes.TrimSpace([]byte(out)))
}

// awaitManager waits until a manager has done what it starts with.
func (m *Machine) awaitManager(flags ...string) {
	m.t.Helper()
	m.Await("a running systemd", func() bool {
		out, _ := m.Try(append(append([]string{"systemctl"}, flags...), "is-system-running")...)
		return out == "running" || out == "degraded"
	})
}
