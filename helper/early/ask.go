//go:build linux && (amd64 || arm64)

package early

import (
	"syscall"
	"unsafe"

	"rotd/ipc"
)

// buffer is a text of limited length.
type buffer struct {
	b [512]byte
	n int // more than there is room for: it was too long
}

//go:nosplit
//go:norace
func (t *buffer) add(s string) {
	for i := 0; i < len(s); i++ {
		if 0 <= t.n && t.n < len(t.b) {
			t.b[t.n] = s[i]
		}
		t.n++
	}
}

// sockaddr is the address of a Unix socket.
type sockaddr struct {
	family uint16
	path   [108]byte
	n      int // of path, without the NUL
}

// set makes it that of a path, which fits or is refused.
//
//go:nosplit
//go:norace
func (a *sockaddr) set(dir, name string) (ok bool) {
	a.family, a.n = syscall.AF_UNIX, 0
	for i := 0; i < len(dir)+len(name); i++ {
		if i >= len(a.path)-1 {
			return false
		}
		if i < len(dir) {
			a.path[i] = dir[i]
		} else {
			a.path[i] = name[i-len(dir)]
		}
		a.n++
	}
	a.path[a.n] = 0
	return true
}

// exists reports whether there is anything at the path.
//
//go:nosplit
//go:norace
func (a *sockaddr) exists() bool {
	const (
		here     = ^uintptr(99) // AT_FDCWD, -100
		noFollow = 0x100        // AT_SYMLINK_NOFOLLOW
	)
	return call6(sysStat, here, uintptr(unsafe.Pointer(&a.path)), uintptr(unsafe.Pointer(&file)), noFollow, 0) >= 0
}

// chooseSocket sets address to where ipc.FindSocket finds rotd, in the usual cases,
// and reports whether this is one.
//
//go:nosplit
//go:norace
func chooseSocket() bool {
	if path := variable("ROTD_SOCKET"); path != "" {
		return path[0] != '@' && address.set(path, "")
	}
	dir := variable("XDG_RUNTIME_DIR")
	switch {
	case dir == "":
		if call(syscall.SYS_GETUID, 0, 0, 0) != 0 {
			return false
		}
		dir = "/run/user/0"
	case dir[0] != '/' || hasWayUp(dir):
		return false
	}
	if !address.set(dir, "/rotd/rotd.sock") {
		return false
	}
	return address.exists() || address.set(ipc.SystemSocket, "")
}

// hasWayUp reports whether a path may have a "..", which the kernel and package
// filepath follow in different ways.
//
//go:nosplit
//go:norace
func hasWayUp(path string) bool {
	for i := 0; i+1 < len(path); i++ {
		if path[i] == '.' && path[i+1] == '.' {
			return true
		}
	}
	return false
}

// ask connects to address and sends the request. Where it fails nothing was asked.
//
//go:nosplit
//go:norace
func ask(ref string) bool {
	if !compose(ref) {
		return false
	}
	s := call(syscall.SYS_SOCKET, syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if s < 0 {
		return false
	}
	// A low number is that of a standard stream which is closed.
	if s > 2 && connect(uintptr(s)) && send(uintptr(s)) {
		fd = s
		return true
	}
	call(syscall.SYS_CLOSE, uintptr(s), 0, 0)
	return false
}

//go:nosplit
//go:norace
func connect(s uintptr) bool {
	for option := uintptr(syscall.SO_RCVTIMEO); option <= syscall.SO_SNDTIMEO; option++ {
		if call6(syscall.SYS_SETSOCKOPT, s, syscall.SOL_SOCKET, option, uintptr(unsafe.Pointer(&limit)), unsafe.Sizeof(limit)) < 0 {
			return false
		}
	}
	return call(syscall.SYS_CONNECT, s, uintptr(unsafe.Pointer(&address)), unsafe.Offsetof(address.path)+uintptr(address.n)+1) >= 0
}

// send sends the request, whole.
//
//go:nosplit
//go:norace
func send(s uintptr) bool {
	return call6(syscall.SYS_SENDTO, s, uintptr(unsafe.Pointer(&request.b)), uintptr(request.n), syscall.MSG_NOSIGNAL, 0) == request.n
}

// compose makes the request that ipc.Client would, and reports whether it can.
//
//go:nosplit
//go:norace
func compose(ref string) bool {
	request.n = 0
	request.add("GET " + pathBefore)
	request.add(ref)
	request.add(pathAfter + " HTTP/1.0\r\nHost: rotd\r\nUser-Agent: rot/")
	request.add(ipc.BuildVersion)
	if token := variable("ROT_ACCESS_TOKEN"); token != "" {
		request.add("\r\nAuthorization: Bearer ")
		request.add(token)
		for i := 0; i < len(token); i++ {
			if !isWord(token[i]) {
				return false // it is none, which is said later
			}
		}
	}
	request.add("\r\n\r\n")
	return request.n <= len(request.b)
}

// What stands before and after the reference in ipc.PathToken.
const (
	pathBefore = "/v1/rots/"
	pathAfter  = "/token"
)
