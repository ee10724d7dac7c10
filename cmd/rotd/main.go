// Command rotd is the daemon: it keeps npm accounts and their tokens, rotates
// the tokens when they are due, and serves their present values over a Unix
// socket. Its other commands look after what it keeps.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"rotd/ipc"
)

func main() {
	if err := keepPrivate(); err != nil {
		os.Exit(fail(os.Stderr, ipc.ExitFailed, err, ""))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run runs rotd with the arguments after its name and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := &call{command: command{name: "help"}, all: commands, stdout: stdout, stderr: stderr}
	return c.status(c.dispatch(ctx, args))
}
