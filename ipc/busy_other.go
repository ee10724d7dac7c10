//go:build !linux || race

package ipc

import "syscall"

// readBusily is an ordinary read. The race detector has to know of it, as of every
// other by which one goroutine learns from another.
func readBusily(fd int, b []byte) (int, error) { return syscall.Read(fd, b) }
