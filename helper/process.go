package helper

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"rotd/helper/early"
)

// Process is what rot has of its surroundings where it is a program.
func Process() *Env {
	env := &Env{
		Stdin:   os.Stdin,
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
		OpenTTY: func() (*os.File, error) { return os.OpenFile("/dev/tty", os.O_RDWR, 0) },
		Environ: os.Environ(),
		Dir: func() string {
			dir, _ := os.Getwd()
			return dir
		},
		UID:  os.Getuid(),
		GOOS: runtime.GOOS,
		Now:  time.Now,

		Asked: early.Connection(),

		Interruptible: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		},
		Executable: func() string {
			program, _ := os.Executable()
			return program
		},
		Exec: syscall.Exec,
	}
	env.StdinTTY, _ = IsTerminal(os.Stdin)
	env.StdoutTTY, _ = IsTerminal(os.Stdout)
	env.StderrTTY, env.Width = IsTerminal(os.Stderr)
	return env
}
