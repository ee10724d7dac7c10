//go:build !linux

package ipc

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// newSocket makes one that a process which is started does not get.
func newSocket() (fd int, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); err == nil {
		unix.CloseOnExec(fd)
	}
	return fd, err
}
