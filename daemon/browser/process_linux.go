package browser

import (
	"os/exec"
	"syscall"
)

// ownGroup gives the browser a process group, so that a terminal's Ctrl-C
// reaches only the daemon and so that all of it can be killed at once. It dies
// with the daemon, however that ends.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return killGroup(cmd) }
}
