//go:build !linux

package browser

import (
	"os/exec"
	"syscall"
)

// ownGroup gives the browser a process group, so that a terminal's Ctrl-C
// reaches only the daemon and so that all of it can be killed at once. When the
// daemon dies, the end of the pipe closes the browser.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return killGroup(cmd) }
}
