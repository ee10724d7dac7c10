package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// undumpable also keeps other processes of the same user from attaching to this
// one and reading its memory.
func undumpable() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("close this process to others of its user: %w", err)
	}
	return nil
}
