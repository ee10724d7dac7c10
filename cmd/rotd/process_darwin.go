package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// undumpable keeps debuggers, and what reads memory as they do, from attaching
// to this process. It has been compiled and not run.
func undumpable() error {
	if err := unix.PtraceDenyAttach(); err != nil {
		return fmt.Errorf("close this process to others of its user: %w", err)
	}
	return nil
}
