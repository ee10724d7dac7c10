// Command rot asks rotd for npm tokens by references that do not change.
// Package helper is what it does.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"rotd/helper"
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, _ := os.Getwd() // "" where it is gone: then there is no project either
	env := &helper.Env{
		Stdin:   os.Stdin,
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
		OpenTTY: func() (*os.File, error) { return os.OpenFile("/dev/tty", os.O_RDWR, 0) },
		Environ: os.Environ(),
		Dir:     dir,
		UID:     os.Getuid(),
		GOOS:    runtime.GOOS,
		Now:     time.Now,
	}
	env.StdinTTY, _ = helper.IsTerminal(os.Stdin)
	env.StdoutTTY, _ = helper.IsTerminal(os.Stdout)
	env.StderrTTY, env.Width = helper.IsTerminal(os.Stderr)
	return helper.Run(ctx, env, os.Args[1:])
}
