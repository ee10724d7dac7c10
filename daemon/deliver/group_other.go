//go:build !linux

package deliver

import "syscall"

// group is a process group of a command's own, so that what it starts ends with
// it.
func group() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
