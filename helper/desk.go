package helper

import (
	"context"
	"os"
	"path/filepath"
	"slices"
)

// The desk is where commands are done that are used seldom or need large
// libraries: package helper/desk, which the program rotd links and rot does not.
// rot has their names. Where one of them is asked for, or its help, or what
// completes it, rot becomes "rotd rot" with the same command line.
var (
	connectNPM    = command{name: "connect npm", line: "connect an npm account: makes its passcard"}
	completion    = command{name: "completion", line: "print a script that completes rot's command line in a shell"}
	passkeyAdd    = command{name: "passkey add", line: "add a software security key, which passes npm's checks"}
	passkeyRemove = command{name: "passkey remove", line: "forget that key"}
	export        = command{name: "export", line: "pack a passcard into a file, for another machine"}
	importCommand = command{name: "import", line: "take a passcard that rot export packed elsewhere"}
	adopt         = command{name: "adopt", line: "have a ROT take the place of tokens that stand in files"}
	pnpm          = command{name: "pnpm", line: "have pnpm ask rot for the token"}
	yarn          = command{name: "yarn", line: "write the present value into a .yarnrc.yml"}
	doctor        = command{name: "doctor", line: "look for what is wrong, and say what to do"}
)

// atDesk tells whether a command is done there.
func (cmd command) atDesk() bool { return cmd.run == nil }

// The program with the desk in it, and the command of it that rot's command line
// follows.
const (
	deskProgram = "rotd"
	deskWord    = "rot"
)

// goToDesk puts rotd in the place of rot, to do a command. It returns only where
// that fails.
func (c *call) goToDesk(cmd command) error {
	program := c.findProgram(deskProgram)
	if program == "" || c.Exec == nil {
		return local("install rotd beside rot, or have its directory in PATH: the packages have both",
			"rot %s is done by the program rotd, which is neither beside rot nor in PATH", cmd.name)
	}
	err := c.Exec(program, append([]string{deskProgram, deskWord}, c.args...), c.Environ)
	return local("see what that file is", "run %s: %v", program, err)
}

// findProgram is the path of rotd or rot, "" where there is none.
func (c *call) findProgram(name string) string {
	for _, dir := range append([]string{filepath.Dir(c.Executable())}, filepath.SplitList(c.Getenv("PATH"))...) {
		path := filepath.Join(dir, name)
		fi, err := os.Stat(path)
		if err == nil && filepath.IsAbs(path) && fi.Mode().IsRegular() && fi.Mode().Perm()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// partAtDesk does that part of the present command that is done there.
func (c *call) partAtDesk(ctx context.Context, args []string) error {
	if c.command.part == nil {
		return c.goToDesk(c.command)
	}
	return c.command.part(ctx, c, args)
}

// Command is one that is done at the desk, or a part of one that rot does.
type Command struct {
	Name string // as rot's overview has it
	Help string // what --help prints; "": it is a part, and Run is to do that
	Run  func(ctx context.Context, c *Call, args []string) error
}

// OwnDesk are those of the desk's commands that are written here, of what other
// commands are made of, too. As rot does not call it, it does not link them.
func OwnDesk() []Command {
	own := func(name, help string, run func(ctx context.Context, c *call, args []string) error) Command {
		return Command{name, help, func(ctx context.Context, c *Call, args []string) error { return run(ctx, c.c, args) }}
	}
	return []Command{
		own("connect npm", connectHelp, runConnect),
		own("completion", completionHelp, runCompletion),
	}
}

// RunDesk is Run for the program that has the desk.
func RunDesk(ctx context.Context, env *Env, desk []Command, args []string) int {
	return run(ctx, env, withDesk(desk), args)
}

// withDesk are all commands, those of the desk with what they do.
func withDesk(desk []Command) []command {
	all := slices.Clone(commands)
	for _, d := range desk {
		i := slices.IndexFunc(all, func(cmd command) bool { return cmd.name == d.Name })
		run := func(ctx context.Context, c *call, args []string) error { return d.Run(ctx, &Call{c.Env, c}, args) }
		if d.Help == "" {
			all[i].part = run
			continue
		}
		all[i].help, all[i].run = d.Help, run
	}
	return all
}
