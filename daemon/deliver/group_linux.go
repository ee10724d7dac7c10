package deliver

import "syscall"

// group is a process group of a command's own, so that what it starts ends with
// it. The command dies with the daemon, however that ends: one that came in
// late, after the next value was delivered, would leave a dead one behind. What
// it has started itself is not reached by that.
func group() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
