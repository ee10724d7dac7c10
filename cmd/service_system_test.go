package cmd_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"rotd/daemon/service/systemdtest"
)

// station is a machine with rotd's programs and npm-sandbox on it. Chromium runs
// there with its own sandbox, as everywhere but in the tests' other places.
type station struct {
	*systemdtest.Machine
	t *testing.T
}

const stationRegistry = "http://localhost:4899"

func newStation(t *testing.T) *station {
	t.Helper()
	if err := os.Chmod(bin, 0o755); err != nil { // for every user of the machine
		t.Fatal(err)
	}
	s := &station{systemdtest.Boot(t, bin), t}
	s.Sh("install -m 755 /mnt/rotd /mnt/rot /mnt/npm-sandbox /usr/local/bin")
	s.Run("systemd-run", "--quiet", "--unit=npm-sandbox", "npm-sandbox", "--listen", "127.0.0.1:4899", "--user", "ada", "--password", "pw", "--security-key")
	s.Await("the registry", func() bool {
		_, err := s.Try("curl", "--silent", "--fail", stationRegistry+"/-/ping")
		return err == nil
	})
	s.Sh("umask 022; mkdir /etc/in; printf pw > /etc/in/pw; curl --silent " + stationRegistry + "/-/sandbox/security-key > /etc/in/key")
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := s.Try("journalctl", "--no-pager", "--lines=60", "--output=short-precise")
			t.Logf("the machine's journal:\n%s", out)
		}
	})
	return s
}

const connectByKey = "rot connect npm --name ada --terminal --registry " + stationRegistry +
	" --username ada --password-file /etc/in/pw --passkey-file /etc/in/key --remember password,passkey"

// as is a shell's script as another user with his own manager.
func (s *station) as(user, script string) (string, error) {
	return s.Try("runuser", "-u", user, "--", "sh", "-euc", "cd; export HOME=$PWD XDG_RUNTIME_DIR=/run/user/$(id -u); "+script)
}

func (s *station) says(out, want string) {
	s.t.Helper()
	if !regexp.MustCompile(want).MatchString(out) {
		s.t.Errorf("no %q in\n%s", want, out)
	}
}

// sandboxed checks that a browser that runs now, somewhere below a unit's control
// group, has its own walls within the unit's.
func (s *station) sandboxed(group, begin string, flags ...string) {
	s.t.Helper()
	s.Sh(`curl --silent --fail ` + stationRegistry + `/-/sandbox/switches -d '{"faults":[{"path":"/escalate","count":-1,"kind":"slow","delay_ms":60000},{"path":"/auth/cli","count":-1,"kind":"slow","delay_ms":60000},{"path":"/login","count":-1,"kind":"slow","delay_ms":60000}]}'`)
	s.Run("systemd-run", "--quiet", "--unit=rotating", "sh", "-c", begin)
	var renderers string
	s.Await("a browser", func() bool {
		renderers, _ = s.Try("sh", "-c", "for p in $(cat $(find /sys/fs/cgroup"+group+" -name cgroup.procs)); do "+
			`cat /proc/$p/cmdline 2>/dev/null | tr '\0' ' ' | grep -e '--type=renderer' | sed "s/^/$p /"; done 2>/dev/null`)
		return renderers != ""
	})
	if strings.Contains(renderers, "--no-sandbox") {
		s.t.Errorf("it has no sandbox: %s", renderers)
	}
	pid, _, _ := strings.Cut(renderers, " ")
	main := s.Property("rotd.service", "MainPID", flags...)
	for _, ns := range []string{"user", "pid", "net"} {
		if in, out := s.Run("readlink", "/proc/"+pid+"/ns/"+ns), s.Run("readlink", "/proc/"+main+"/ns/"+ns); in == out {
			s.t.Errorf("its pages are in the %s namespace of rotd", ns)
		}
	}
	s.Sh(`curl --silent --fail ` + stationRegistry + `/-/sandbox/switches -d '{"faults":[]}'; systemctl stop rotating`)
}

func TestTheSystemsService(t *testing.T) {
	s := newStation(t)
	out, err := s.Try("/mnt/rotd", "install", "--system", "--key", "file:/home/key")
	if err == nil {
		t.Error("a key in a home is taken")
	}
	s.says(out, "the key's directory, /home, is in /home, which the system's service does not see\n.*hint: ")

	const install = "rotd install --system --key file:/var/lib/rotd/master.key"
	s.says(s.Sh(install), "^✔ installed\n(  /etc/.*\n){5}⮕ next: rotd start --system$")
	s.says(s.Sh(install), "nothing has changed")
	s.says(s.Run("getent", "passwd", "rotd"), `^rotd:x:[1-9][0-9]{1,2}:[0-9]+:.*:/var/lib/rotd:/usr/sbin/nologin$`)
	if out, err := s.Try("systemd-analyze", "verify", "--man=no", "rotd.service", "rotd.socket", "rotd-credential.socket"); err != nil || strings.Contains(out, "rotd") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	s.Run("rotd", "start", "--system")
	s.says(s.Run("rotd", "status", "--system"), `^rotd  active \(running\)(?s:.*)socket  /run/rotd/rotd.sock\n  state   /var/lib/rotd\n(?s:.*)journalctl --unit rotd`)
	s.says(s.Run("stat", "--format=%n %U %G %a", "/run/rotd", "/run/rotd/rotd.sock", "/run/rotd/credential.sock", "/run/rotd/private", "/var/lib/rotd", "/var/lib/rotd/master.key", "/var/lib/rotd/rotd.db"),
		`^/run/rotd root rotd 750\n/run/rotd/rotd.sock root rotd 660\n/run/rotd/credential.sock root root 600\n/run/rotd/private rotd rotd 700\n/var/lib/rotd rotd rotd 700\n/var/lib/rotd/master.key rotd rotd 600\n/var/lib/rotd/rotd.db rotd rotd 600$`)
	s.says(s.Sh("ps -o user= -p "+s.Property("rotd.service", "MainPID")), "^rotd$")

	t.Log("Chromium with its own sandbox passes npm's check, within the unit's walls")
	s.Sh(connectByKey)
	s.Sh("rot rotate ada --name ci --for stage; rot get ci")
	s.says(s.Property("rotd.service", "StatusText"), `^next rotation .* \(ci\)`)
	s.sandboxed("/system.slice/rotd.service", "rot rotate ci")
	s.Run("systemctl", "reset-failed")

	t.Log("members of its group reach its socket, and get what was granted; others do not reach it")
	s.Sh("useradd --system --user-group --groups rotd runner; useradd --system --user-group stranger")
	for _, user := range []string{"runner", "stranger"} {
		if out, err := s.Try("runuser", "-u", user, "--", "rot", "get", "ci"); err == nil {
			t.Errorf("%s got %s", user, out)
		} else {
			s.says(out, map[string]string{"runner": "may not", "stranger": "not use its socket|not running"}[user])
		}
	}
	s.Sh("rot grant ci --uid $(id -u runner)")
	s.says(s.Run("runuser", "-u", "runner", "--", "rot", "get", "ci"), "^npm_")

	t.Log("the first of a unit's credentials starts a stopped rotd")
	s.Run("rotd", "stop", "--system")
	s.Run("rot", "grant", "ci", "--unit", "job.service") // which starts it, too
	s.Run("rotd", "stop", "--system")
	got := s.Run("systemd-run", "--quiet", "--unit=job", "--wait", "--pipe", "--property=LoadCredential=token:/run/rotd/credential.sock", "sh", "-c", "cat $CREDENTIALS_DIRECTORY/token")
	if value := s.Run("rot", "get", "ci"); got != value {
		t.Errorf("the unit got %q, not %q", got, value)
	}

	t.Log("the journal has priorities")
	s.Sh("mkdir -p /etc/rotd; echo nonsense > /etc/rotd/rotd.conf; systemctl reload rotd")
	s.Await("an error in the journal", func() bool {
		return strings.Contains(s.Run("journalctl", "--unit=rotd", "--no-pager", "--priority=err"), "the settings stay as they were")
	})
	s.Sh("echo log-level=debug > /etc/rotd/rotd.conf; systemctl reload rotd; rot rotate ci || :")
	var entry struct{ Priority, Message string }
	line := s.Run("journalctl", "--unit=rotd", "--no-pager", "--output=json", "--priority=debug..debug", "--lines=1")
	if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Priority != "7" || !strings.HasPrefix(entry.Message, "msg=") {
		t.Errorf("%v: %s", err, line)
	}

	t.Log("another flag, and away")
	s.says(s.Sh(install+" --log-level warn"), "^✔ installed, and restarted")
	s.says(s.Run("rot", "get", "ci"), "^npm_")
	s.says(s.Run("rotd", "uninstall", "--system"), "(removed /etc/.*\n){5}✔ uninstalled")
	s.Sh("test -e /var/lib/rotd/rotd.db; test ! -e /run/rotd/rotd.sock; ! pgrep -u rotd")
	s.Sh(install + "; rotd start --system")
	s.says(s.Run("rot", "get", "ci"), "^npm_")
	left := s.Run("ls", "-A", "/var/lib/rotd")
	s.says(left, `^master.key\n(reports\n)?rotd.db\n(rotd.db-shm\nrotd.db-wal\n)?rotd.lock$`)
	s.Run("rotd", "uninstall", "--system", "--purge")
	s.Sh("test ! -e /var/lib/rotd")

	t.Log("a key that systemd keeps sealed to this machine")
	s.Sh("mkdir -p -m 700 /etc/credstore.encrypted; head -c 32 /dev/urandom | base64 | systemd-creds encrypt --name=rotd-key - /etc/credstore.encrypted/rotd-key")
	s.Sh("rotd install --system --key credential:rotd-key; rotd start --system")
	s.says(s.Run("rot", "status"), "key    credential:rotd-key")
}

// A user who is not root, with a manager of his own that outlives his logout.
func TestTheServiceOfAUserWithoutASession(t *testing.T) {
	s := newStation(t)
	s.Sh("useradd --create-home ada; useradd --create-home bob")
	out, err := s.as("ada", "rotd install --key file:key")
	if err == nil {
		t.Error("a user without a manager installed a service")
	}
	s.says(out, "systemd cannot be reached.*\n.*hint: log in")
	s.Run("loginctl", "enable-linger", "ada")
	s.Await("ada's manager", func() bool { _, err := s.as("ada", "systemctl --user is-active basic.target"); return err == nil })
	run := func(script string) string {
		t.Helper()
		out, err := s.as("ada", script)
		if err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		return out
	}
	out = run("rotd install --linger --key file:key --log-level debug")
	s.says(out, "✔ installed")
	if strings.Contains(out, "enable-linger") {
		t.Errorf("it speaks of what is so already: %s", out)
	}
	run("rotd start")
	s.says(run("rotd status"), `^rotd  active \(running\)`)

	t.Log("Chromium with its own sandbox passes npm's check in the unit of a user")
	run(connectByKey + "; rot rotate ada --name ci --for stage; rot get ci")
	uid := s.Run("id", "-u", "ada")
	s.sandboxed(fmt.Sprintf("/user.slice/user-%s.slice/user@%[1]s.service", uid),
		"runuser -u ada -- env XDG_RUNTIME_DIR=/run/user/"+uid+" rot rotate ci", "--user", "--machine=ada@")

	t.Log("root may look, others may not")
	s.says(s.Sh("XDG_RUNTIME_DIR=/run/user/"+uid+" rot get ci"), "^npm_")
	if out, err := s.Try("runuser", "-u", "bob", "--", "rot", "--socket", "/run/user/"+uid+"/rotd/rotd.sock", "get", "ci"); err == nil {
		t.Errorf("bob got %s", out)
	}
	s.Await("its journal", func() bool {
		out, _ := s.as("ada", "journalctl --user --unit rotd --no-pager")
		return strings.Contains(out, "msg=ready")
	})
	run("rotd uninstall --purge")
}
