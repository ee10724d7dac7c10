package systemdtest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// userScript is PID 1 around a user's manager: it has the host's files, but a
// /run and control groups of its own.
const userScript = `
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd/system /run/user/0
chmod 700 /run/user/0
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --make-rshared /
mkdir -m 700 "$1/home"
env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$1/home" XDG_RUNTIME_DIR=/run/user/0 \
	/lib/systemd/systemd --user --log-target=console --log-level=notice &
wait
`

// Home is the home of the manager's user.
func (m *Machine) Home() string { return filepath.Join(filepath.Dir(m.log), "home") }

// User starts the manager of a user, root, with a home of its own. The host's
// files are there, the test's own among them; /run is not the host's.
func User(t *testing.T) *Machine {
	t.Helper()
	m := boot(t, userScript)
	m.enter = []string{"nsenter", "--target", fmt.Sprint(m.leader), "--pid", "--mount", "--cgroup", "--root"}
	m.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + m.Home(), "XDG_RUNTIME_DIR=/run/user/0", "LANG=C.UTF-8"}
	m.awaitManager("--user")
	return m
}
