//go:build !race

package ipc

import (
	"syscall"
	"unsafe"
)

// readBusily is a read that the runtime knows nothing of: it takes the thread for
// running, and does not look for other work for it. Nothing else of the program
// may have to wait for that, so it is for moments.
func readBusily(fd int, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
