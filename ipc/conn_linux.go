package ipc

import "golang.org/x/sys/unix"

// newSocket makes one that a process which is started does not get.
func newSocket() (fd int, err error) {
	return unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
}
