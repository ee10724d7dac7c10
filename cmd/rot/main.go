// Command rot asks rotd for npm tokens by references that do not change.
// Package helper is what it does.
package main

import (
	"context"
	"os"

	"rotd/helper"
)

func main() {
	os.Exit(run())
}

func run() int {
	return helper.Run(context.Background(), helper.Process(), helper.Arguments(os.Args))
}
