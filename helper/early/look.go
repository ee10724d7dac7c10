//go:build linux && (amd64 || arm64)

package early

import (
	"io"
	"syscall"
	"unsafe"

	"rotd/ipc"
)

// stack is where the kernel left the number of arguments, their addresses, a nil,
// and those of the environment's entries.
var stack *uintptr

// first is what entry calls.
//
//lint:ignore U1000 entry is written in assembly
var first = look

// entry is where the program begins; see entry_linux_amd64.s.
//
//lint:ignore U1000 the linker is told of it
func entry()

// What the look has done so far. There is no heap to keep it in, and what the kernel
// writes to may not be on a stack that moves, as those of tests do.
var (
	fd      int // the connection; 0: there is none
	request buffer
	address sockaddr
	answer  [4096]byte
	got     int // bytes of answer
	line    buffer

	clock syscall.Timespec
	limit = syscall.Timeval{Usec: patience}
	file  syscall.Stat_t
)

const (
	// patience is how long connecting, and each read, may take here, in microseconds.
	patience = 5000
	// reads are enough for an answer that comes as rotd's do, in one piece.
	reads = 4
)

// look asks rotd, prints the value, and ends the process. It returns where that is
// not what is wanted, or cannot be done so simply.
//
//go:nosplit
//go:norace
func look() {
	ref, prefix := asked()
	if ref == "" || !chooseSocket() || !ask(ref) {
		return
	}
	for range reads {
		n := call(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&answer))+uintptr(got), uintptr(len(answer)-got))
		if n <= 0 {
			return
		}
		got += n
		if value := served(unsafe.String(&answer[0], got), now()); value != "" {
			show(prefix, value)
			return
		}
	}
}

// show prints a line and ends the process. It returns where nothing was printed.
//
//go:nosplit
//go:norace
func show(prefix, value string) {
	line.n = 0
	line.add(prefix)
	line.add(value)
	line.add("\n")
	if line.n > len(line.b) {
		return
	}
	for done := 0; done < line.n; {
		n := call(syscall.SYS_WRITE, 1, uintptr(unsafe.Pointer(&line.b))+uintptr(done), uintptr(line.n-done))
		if n <= 0 && done > 0 {
			call(syscall.SYS_EXIT_GROUP, ipc.ExitFailed, 0, 0) // who reads it has a part, and must not take it
		}
		if n <= 0 {
			return
		}
		done += n
	}
	call(syscall.SYS_EXIT_GROUP, ipc.ExitOK, 0, 0)
}

// Connection is one to rotd on which what a plain rot get asks has been asked, for
// whoever would ask that now, once; nil where there is none.
func Connection() io.ReadWriteCloser {
	if fd == 0 {
		return nil
	}
	conn := ipc.Asked(fd, request.b[:request.n], answer[:got])
	fd = 0
	return conn
}

// call makes a system call, and returns -1 where it fails.
//
//go:nosplit
//go:norace
func call(number, a, b, c uintptr) int { return call6(number, a, b, c, 0, 0) }

//go:nosplit
//go:norace
func call6(number, a, b, c, d, e uintptr) int {
	r, _, errno := syscall.RawSyscall6(number, a, b, c, d, e, 0)
	if errno != 0 {
		return -1
	}
	return int(r)
}

// now is the wall clock, in seconds since 1970.
//
//go:nosplit
//go:norace
func now() int64 {
	call(syscall.SYS_CLOCK_GETTIME, 0, uintptr(unsafe.Pointer(&clock)), 0)
	return clock.Sec
}
