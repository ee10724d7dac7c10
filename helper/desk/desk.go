// Package desk is where commands of rot are done that are used seldom, or need
// large libraries. The program rotd links it, and is what rot becomes for one of
// them; rot itself, whose size is a promise, has only their names.
//
// They are commands of rot all the same: they do everything through rotd's
// socket as the user who called, and know nothing of the daemon in the program.
package desk

import (
	"context"
	"slices"

	"rotd/helper"
)

// commands are all that are done here. rot's overview has the rest.
var commands = []helper.Command{passkeyAdd, passkeyRemove, export, importCommand, adopt, pnpm, yarn, doctor}

// parts are done here of commands that rot itself does.
var parts = []helper.Command{npmrcCheck}

// Run runs rot with the arguments after its name, these commands among the
// others, and returns the exit status.
func Run(ctx context.Context, env *helper.Env, args []string) int {
	return helper.RunDesk(ctx, env, slices.Concat(helper.OwnDesk(), commands, parts), args)
}
