package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/pflag"

	"rotd/daemon"
	"rotd/daemon/service"
	"rotd/ipc"
)

// command is one of rotd's. A new one is a file of its own and a word in the
// table below.
type command struct {
	name string
	line string // what it does, for the overview
	help string // what --help prints, examples first
	run  func(ctx context.Context, c *call, args []string) error
}

// commands are all of rotd's but help, in the order of the overview.
var commands = []command{runCommand, installCommand, uninstallCommand, startCommand, stopCommand, restartCommand, statusCommand, backupCommand, restoreCommand, rekeyCommand, versionCommand}

var versionCommand = command{
	name: "version",
	line: "print the version",
	help: `Usage: rotd version

Prints the version of this program. rot version tells that of the daemon that
runs, too.
`,
	run: func(_ context.Context, c *call, args []string) error {
		if err := c.parse(c.flags(), args, 0); err != nil {
			return err
		}
		c.printf("rotd %s\n", ipc.BuildVersion)
		return nil
	},
}

const examples = `rotd keeps npm tokens that rotate, behind references that do not.

Examples:
  rotd install && rotd start               a service of yours
  sudo rotd install --system --key file:/var/lib/rotd/master.key
  rotd run                                 serve, with the key in the OS keyring
  rotd run --key file:$HOME/.rotd.key      a machine without a keyring
  rotd run --state-dir D --socket D/s      a second one, for trying things out

Commands:
`

// overview is what rotd help prints.
func overview(all []command) string {
	var b strings.Builder
	b.WriteString(examples)
	for _, cmd := range all {
		fmt.Fprintf(&b, "  %-10s %s\n", cmd.name, cmd.line)
	}
	fmt.Fprintf(&b, "  %-10s %s\n", "help", "print this, or a command's own help: rotd help run")
	b.WriteString("\nThe other half is rot, which talks to it: rot help\n")
	return b.String()
}

// call is one run of rotd.
type call struct {
	command        command
	all            []command
	stdout, stderr io.Writer
}

// The exit statuses of rotd status, which are systemctl's.
const (
	exitNotRunning   = 3
	exitNotInstalled = 4
)

// exitError is an error with an exit status of its own. Without an error all is
// said already.
type exitError struct {
	error
	status int
}

func (e exitError) Unwrap() error { return e.error }

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// errHelp asks for the command's help.
var errHelp = errors.New("help")

// dispatch finds the command and runs it.
func (c *call) dispatch(ctx context.Context, args []string) error {
	name := "help"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "rot": // not in the overview: rot calls it
		return runRot(ctx, args)
	case "--version":
		name = "version"
	case "help", "--help", "-h":
		if len(args) == 0 {
			c.printf("%s", overview(c.all))
			return nil
		}
		name, args = args[0], []string{"--help"}
	}
	for _, cmd := range c.all {
		if cmd.name == name {
			c.command = cmd
			return cmd.run(ctx, c, args)
		}
	}
	return usageError{fmt.Errorf("there is no command %q", name)}
}

// status says how the command went, on stderr where it went wrong, and returns
// the exit status.
func (c *call) status(err error) int {
	var usage usageError
	var exit exitError
	switch {
	case err == nil:
		return ipc.ExitOK
	case errors.Is(err, errHelp):
		c.printf("%s", c.command.help)
		return ipc.ExitOK
	case errors.As(err, &usage):
		hint := daemon.Hint(err)
		if hint == "" && c.command.name == "help" {
			hint = "rotd help lists the commands"
		} else if hint == "" {
			hint = "rotd help " + c.command.name + " lists the flags"
		}
		return fail(c.stderr, ipc.ExitUsage, err, hint)
	}
	status := ipc.ExitFailed
	if errors.As(err, &exit) {
		if status = exit.status; exit.error == nil {
			return status
		}
	}
	return fail(c.stderr, status, err, daemon.Hint(err))
}

// fail says what went wrong, and what to do, on two lines.
func fail(stderr io.Writer, status int, err error, hint string) int {
	prefix := ""
	if service.ToJournal() {
		prefix = service.ErrorPrefix
	}
	fmt.Fprintf(stderr, "%srotd: %s\n", prefix, strings.TrimSpace(err.Error()))
	if hint != "" {
		fmt.Fprintf(stderr, "%s  hint: %s\n", prefix, hint)
	}
	return status
}

func (c *call) printf(format string, args ...any) { fmt.Fprintf(c.stdout, format, args...) }

// flags makes the set of the present command.
func (c *call) flags() *pflag.FlagSet {
	fs := pflag.NewFlagSet("rotd "+c.command.name, pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	return fs
}

// parse parses the flags, and wants exactly so many arguments beside them.
func (c *call) parse(fs *pflag.FlagSet, args []string, want int) error {
	switch err := fs.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return errHelp
	case err != nil:
		return usageError{err}
	case fs.NArg() > want:
		return usageError{fmt.Errorf("unexpected argument %q", fs.Arg(want))}
	case fs.NArg() < want:
		return usageError{errors.New("an argument is missing")}
	}
	return nil
}

// stateDir is the state that a --state-dir means; empty: the user's own.
func stateDir(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	return ipc.StateDir(os.Getenv, runtime.GOOS, os.Getuid())
}
