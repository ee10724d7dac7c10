package socket

import "golang.org/x/sys/unix"

func accept(sock int) (int, error) {
	fd, _, err := unix.Accept4(sock, unix.SOCK_CLOEXEC)
	return fd, err
}
