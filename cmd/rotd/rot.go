package main

import (
	"context"

	"rotd/helper"
	"rotd/helper/desk"
	"rotd/ipc"
)

// runRot is rot, with the commands that rot leaves to this program.
func runRot(ctx context.Context, args []string) error {
	if status := desk.Run(ctx, helper.Process(), args); status != ipc.ExitOK {
		return exitError{status: status}
	}
	return nil
}
