package systemdtest

import (
	"fmt"
	"os"
	"testing"
)

// bootScript makes a machine out of the host's files: an overlay that forgets,
// fresh /run, /tmp, /dev and /proc, and systemd as PID 1. What the host starts
// at boot is not started.
const bootScript = `
mount -t tmpfs tmpfs "$1/m"
mkdir "$1/m/up" "$1/m/work" "$1/m/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/m/up,workdir=$1/m/work" "$1/m/root"
cd "$1/m/root"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for n in null zero full random urandom tty; do : > dev/$n; mount --bind /dev/$n dev/$n; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount --bind "$2" mnt
rm -f etc/machine-id etc/resolv.conf
: > etc/machine-id
mkdir -p var/log/journal
hostname machine
# It goes on top of the namespace's own root, which nsenter leads to even where
# the test runs in a chroot: the kernel lets nobody in a chroot make user
# namespaces, which Chromium's sandbox takes.
exec 9<.
exec nsenter --mount=/proc/self/ns/mnt sh -euc 'cd /proc/self/fd/9
mount --move . /
exec chroot . sh -euc "$0"' '
exec 9<&-
cd /
mount --make-rshared /
exec setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio env -i container=rotd-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --system --unit=basic.target systemd.log_target=console
'
`

// Boot starts systemd as PID 1 of a machine of its own, with its own network
// (loopback alone), users, journal and logind. Its files are the host's as they
// are now, and what it changes is forgotten. The host's folder show is at /mnt.
func Boot(t *testing.T, show string) *Machine {
	t.Helper()
	fi, err := os.Stat(show)
	if err != nil || !fi.IsDir() {
		t.Fatalf("%s is no folder: %v", show, err)
	}
	m := boot(t, `mkdir "$1/m"; set -- "$1" '`+show+`';`+bootScript, "--uts", "--ipc", "--net")
	m.enter = []string{"nsenter", "--target", fmt.Sprint(m.leader), "--pid", "--mount", "--cgroup", "--uts", "--ipc", "--net", "--root"}
	m.env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}
	m.awaitManager()
	return m
}
