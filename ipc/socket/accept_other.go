//go:build !linux

package socket

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// accept keeps a process that is started meanwhile from getting the connection.
// As with net's, it does not block: sock does not.
func accept(sock int) (fd int, from unix.Sockaddr, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if fd, from, err = unix.Accept(sock); err == nil {
		unix.CloseOnExec(fd)
	}
	return fd, from, err
}
