package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// keepPrivate sees to it that nothing of this process's memory, which holds
// keys, gets to the disk as a core file. The processes it starts inherit that.
func keepPrivate() error {
	unix.Umask(0o077)
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("switch core files off: %w", err)
	}
	return undumpable()
}
