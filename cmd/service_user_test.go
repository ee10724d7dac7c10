package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// exits runs a program and wants an exit status.
func (e *estate) exits(status int, args ...string) string {
	e.t.Helper()
	out, err := e.Try(args...)
	got := 0
	if exit, ok := err.(*exec.ExitError); ok {
		got = exit.ExitCode()
	} else if err != nil {
		e.t.Fatal(err)
	}
	if got != status {
		e.t.Fatalf("%s: exit status %d, want %d\n%s", strings.Join(args, " "), got, status, out)
	}
	return out
}

func (e *estate) says(out, want string) {
	e.t.Helper()
	if !regexp.MustCompile(want).MatchString(out) {
		e.t.Errorf("no %q in\n%s", want, out)
	}
}

func TestAUsersService(t *testing.T) {
	e := newEstate(t)
	units := filepath.Join(e.home, ".config/systemd/user")
	e.says(e.exits(4, e.rotd, "status"), "not installed as a service of yours\n.*hint: rotd install")
	e.says(e.exits(1, e.rotd, "start"), "not installed")
	e.says(e.exits(1, e.rotd, "uninstall"), "not installed")

	e.says(e.install(), `^✔ installed\n.*rotd.service\n.*rotd.socket\n.*enable-linger\n.*next: rotd start`)
	for _, name := range []string{"rotd.service", "rotd.socket"} {
		if fi, err := os.Stat(filepath.Join(units, name)); err != nil || fi.Mode() != 0o644 {
			t.Errorf("%s: %v, %v", name, fi.Mode(), err)
		}
		if got := e.Property(name, "UnitFileState", "--user"); got != "enabled" {
			t.Errorf("%s is %s", name, got)
		}
	}
	e.says(e.exits(3, e.rotd, "status"), `^rotd  inactive`)
	e.says(e.Run("env", "XDG_CONFIG_HOME=/another/than/systemd's", e.rotd, "install", "--key", "file:"+e.home+"/key"), `^✔ installed already; nothing has changed`)

	e.Run(e.rotd, "start")
	e.Run(e.rotd, "start") // again
	e.says(e.Run(e.rotd, "status"), `^rotd  active \(running\), process [0-9]+, since 20.*\n  at      nothing to rotate yet: rot connect npm\n`)
	first := e.connect()
	e.Await("the next rotation in the status", func() bool {
		return regexp.MustCompile(`^next rotation 20[0-9-]+ [0-9:]+ UTC \(ci\)$`).MatchString(e.property("StatusText"))
	})

	t.Log("a stopped one is started by the first rot get")
	e.says(e.Run(e.rotd, "stop"), "stopped")
	e.says(e.exits(3, e.rotd, "status"), "inactive")
	if got := e.value(); got != first {
		t.Errorf("got %s, want %s", got, first)
	}
	e.says(e.Run(e.rotd, "status"), `active \(running\)`)

	t.Log("uninstalled, its state stays")
	pid := e.property("MainPID")
	e.says(e.Run(e.rotd, "uninstall"), "(?s)removed .*rotd.service\n.*uninstalled")
	if _, err := e.Try("kill", "-0", pid); err == nil {
		t.Error("it runs")
	}
	e.says(e.exits(3, e.rot, "get", "ci"), "not running")
	if left, _ := filepath.Glob(units + "/*.*"); len(left) != 1 { // the test's own drop-in
		t.Errorf("left: %q", left)
	}
	e.install()
	e.Run(e.rotd, "start")
	if got := e.value(); got != first {
		t.Errorf("got %s, want %s", got, first)
	}
	e.says(e.Run(e.rotd, "uninstall", "--purge"), "removed .*/.local/state/rotd\n")
	if _, err := os.Stat(filepath.Join(e.home, ".local/state/rotd")); !os.IsNotExist(err) {
		t.Errorf("the state is still there: %v", err)
	}
}

func TestAHungServiceIsRestarted(t *testing.T) {
	e := newEstate(t)
	e.dropIn("watchdog", "[Service]\nWatchdogSec=8s\n")
	e.install()
	e.Run(e.rotd, "start")
	value := e.connect()
	pid := e.property("MainPID")
	// As long as it works it is left alone.
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if now := e.property("MainPID"); now != pid {
			t.Fatalf("it was restarted while it worked: %s, %s", pid, now)
		}
	}
	e.Signal(pid, syscall.SIGSTOP)
	e.Await("another process", func() bool {
		now := e.property("MainPID")
		return now != "0" && now != pid && e.property("ActiveState") == "active"
	})
	if got := e.value(); got != value {
		t.Errorf("got %s, want %s", got, value)
	}
	e.says(e.Run(e.rotd, "status"), "failed  1×, and was started again")
}

func TestSettingsAreReadAnew(t *testing.T) {
	e := newEstate(t)
	e.install()
	e.Run(e.rotd, "start")
	first := e.connect()
	pid := e.property("MainPID")
	conf := filepath.Join(e.home, ".config/rotd/rotd.conf")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	t.Log("a rotation goes on meanwhile")
	end := e.rotateHeld(4 * time.Second)
	write("log-level = debug\n")
	e.Run("systemctl", "--user", "reload", "rotd")
	e.Await("settings that were read", func() bool { return strings.Contains(e.log(), "settings read") })
	if out, err := end(); err != nil {
		t.Errorf("the rotation failed: %v\n%s", err, out)
	}
	if second := e.value(); second == first || !e.accepted(second) {
		t.Error("no new value, or npm refuses it")
	}
	if !strings.Contains(e.log(), "level=DEBUG") {
		t.Error("it does not log more than before")
	}

	t.Log("what makes no sense changes nothing")
	write("log-level = loud\n")
	e.Run("systemctl", "--user", "reload", "rotd")
	e.Await("an error", func() bool { return strings.Contains(e.log(), "the settings stay as they were") })
	e.value()
	if now := e.property("MainPID"); now != pid || e.property("ActiveState") != "active" {
		t.Errorf("process %s and %s; it was %s", now, e.property("ActiveState"), pid)
	}

	t.Log("but it does not start with them, and says why")
	e.exits(1, e.rotd, "restart")
	e.says(e.exits(1, e.rotd, "start"), `log-level is debug, info, warn or error, not "loud"`)
}

func TestAnUpgradeInPlace(t *testing.T) {
	e := newEstate(t)
	e.install()
	e.Run(e.rotd, "start")
	e.connect()
	pid := e.property("MainPID")

	end := e.rotateHeld(time.Minute)
	e.Sh(fmt.Sprintf("cp %s/rotd ~/bin/rotd.new; mv ~/bin/rotd.new ~/bin/rotd", bin))
	e.says(e.install(), "^✔ installed, and restarted")
	if out, err := end(); err == nil {
		t.Errorf("the rotation was not cut off: %s", out)
	}
	if now := e.property("MainPID"); now == pid || now == "0" {
		t.Errorf("process %s was %s", now, pid)
	}
	if got := e.value(); !e.accepted(got) {
		t.Error("npm refuses what is served")
	}
	// What the old one had begun the new one brings to its end.
	e.Await("one live token", func() bool {
		live := 0
		for _, tk := range e.g.tokens() {
			if tk.Revoked == nil {
				live++
			}
		}
		return live == 1
	})
	if got := e.value(); !e.accepted(got) {
		t.Error("npm refuses what is served")
	}

	t.Log("again nothing, then another flag, then another socket")
	e.says(e.install(), "nothing has changed")
	e.says(e.install("--log-level", "debug"), "^✔ installed, and restarted")
	socket := filepath.Join(e.home, "s")
	e.says(e.install("--log-level", "debug", "--socket", socket), "^✔ installed, and restarted")
	e.Run(e.rot, "--socket", socket, "get", "ci")
	e.Run(e.rotd, "stop")
	e.says(e.install("--socket", socket), "^✔ installed\n")
	if got := e.property("ActiveState"); got != "inactive" {
		t.Errorf("an upgrade started what was stopped: %s", got)
	}
	e.Run(e.rot, "--socket", socket, "get", "ci")
}

// Every text of a flag comes out of the unit as it went in.
func TestUnusualNames(t *testing.T) {
	e := newEstate(t)
	const odd = `a b%h $HOME ${HOME} "q" 'q' \n;#é`
	dir := filepath.Join(e.home, odd)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(e.home, "a b%h $HOME ;#é") // systemd runs none with quotation marks
	e.Run("cp", e.rotd, program)
	state, key := filepath.Join(dir, "state"), filepath.Join(dir, "key")
	socket := filepath.Join(e.home, "s% $x")
	e.Run(program, "install", "--state-dir", state, "--key", "file:"+key, "--socket", socket, "--browser", dir+"/;", "--notify", "/bin/true $x %n ; \\")
	e.says(e.Run(program, "start"), "started")
	argv := e.Run("cat", "/proc/"+e.property("MainPID")+"/cmdline")
	want := []string{"run", "--state-dir", state, "--socket", socket, "--notify", "/bin/true $x %n ; \\", "--browser", dir + "/;", "--key", "file:" + key}
	for _, w := range want {
		if !strings.Contains(argv, w+"\x00") {
			t.Errorf("no %q in %q", w, argv)
		}
	}
	e.says(e.Run(e.rot, "--socket", socket, "status"), regexp.QuoteMeta(state))
	out := e.Run(program, "uninstall", "--purge")
	if _, err := os.Stat(filepath.Join(state, "rotd.db")); !os.IsNotExist(err) {
		t.Errorf("the state is still there: %v\n%s", err, out)
	}
	if _, err := os.Stat(key); err != nil {
		t.Errorf("the key is gone: %v", err)
	}
}

func TestWhereNoServiceCanBe(t *testing.T) {
	e := newEstate(t)
	t.Log("no systemd")
	e.says(e.exits(1, "unshare", "--mount", "sh", "-c", "mount -t tmpfs none /run; exec "+e.rotd+" install"), `not run by systemd or launchd.*\n.*hint: .*rotd run`)
	if left, _ := filepath.Glob("/etc/init.d/rotd"); left != nil {
		t.Error("it fell back on something else")
	}
	t.Log("no manager of this user")
	e.says(e.exits(1, "env", "XDG_RUNTIME_DIR=/run/user/1", e.rotd, "install"), `systemd cannot be reached.*\n.*hint: log in as this user`)
	t.Log("another home than its manager's")
	e.says(e.exits(1, "env", "HOME="+e.home+"/x", e.rotd, "install"), `does not read units in .*/x/.config/systemd/user`)
	t.Log("flags that make no sense")
	e.says(e.exits(2, e.rotd, "install", "--log-level", "loud"), "--log-level is")
	e.says(e.exits(2, e.rotd, "install", "--key", "file:"), "--key")
	e.says(e.exits(2, e.rotd, "install", "--system"), "must be told where its key is\n.*hint: --key file:")
	e.says(e.exits(2, e.rotd, "install", "--system", "--linger", "--key", "file:/k"), "--linger")
	e.says(e.exits(2, e.rotd, "install", "--socket", "/"+strings.Repeat("x", 120)), "bytes long")
	e.says(e.exits(2, e.rotd, "status", "now"), "unexpected argument")
	if left, _ := filepath.Glob(e.home + "/.config/systemd/user/rotd.*"); len(left) != 1 {
		t.Errorf("left: %q", left)
	}

	t.Log("a service that cannot start says why")
	e.Run(e.rotd, "install", "--key", "credential:none")
	e.says(e.exits(1, e.rotd, "start"), `(?s)rotd does not start: .*hint: its log says more: journalctl --user --unit rotd`)
}
