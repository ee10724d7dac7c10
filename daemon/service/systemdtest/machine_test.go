package systemdtest

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAUsersManager(t *testing.T) {
	m := User(t)
	m.Run("systemctl", "--user", "start", "default.target")
	m.Run("systemd-run", "--user", "--unit=x", "--service-type=exec", "sleep", "100")
	if got := m.Property("x.service", "ActiveState", "--user"); got != "active" {
		t.Errorf("the unit is %s", got)
	}
	if _, err := os.Stat("/run/user/0/systemd/private"); err == nil {
		t.Error("its /run is the host's")
	}
}

func TestAMachine(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), []byte("shown"), 0o644); err != nil {
		t.Fatal(err)
	}
	m := Boot(t, dir)
	if got := m.Run("cat", "/mnt/x"); got != "shown" {
		t.Errorf("/mnt/x is %q", got)
	}
	if got := m.Run("cat", "/proc/1/comm"); got != "systemd" {
		t.Errorf("PID 1 is %s", got)
	}
	m.Sh("useradd --create-home ada; loginctl enable-linger ada; touch /etc/rotd-test")
	m.Await("ada's manager", func() bool {
		out, _ := m.Try("sh", "-c", "systemctl is-active user@$(id -u ada)")
		return out == "active"
	})
	m.Run("journalctl", "--no-pager", "--lines=1")
	m.Run("runuser", "-u", "ada", "--", "unshare", "--user", "true")
	if _, err := os.Stat("/etc/rotd-test"); err == nil {
		t.Error("its files are the host's")
	}
}
