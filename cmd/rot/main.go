// Command rot asks rotd for npm tokens by references that do not change.
// Package helper is what it does.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"rotd/helper"
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return helper.Run(ctx, helper.Process(), helper.Arguments(os.Args))
}
