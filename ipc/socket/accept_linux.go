package socket

import "golang.org/x/sys/unix"

func accept(sock int) (fd int, from unix.Sockaddr, err error) {
	return unix.Accept4(sock, unix.SOCK_CLOEXEC)
}
