package helper

import (
	"context"
	"strings"

	"rotd/ipc/fmt"
)

var help = command{
	name: "help",
	line: "print this, or what a command has to say: rot help rotate",
	run:  runHelp,
}

func runHelp(_ context.Context, c *call, args []string) error {
	fs := c.flags()
	if err := c.parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		cmd, _, err := c.find(append(fs.Args(), "--help"))
		if err != nil {
			return err
		}
		if cmd.atDesk() {
			return c.goToDesk(cmd)
		}
		c.command = cmd
	}
	return errHelp
}

func overview(all []command) string {
	var b strings.Builder
	b.WriteString(`rot keeps npm tokens fresh behind references that do not change.

  rot connect npm                        connect your npm account, once
  rot rotate rot://pas_… --for publish   make a token; later, make a new one
  rot get rot://rot_…                    print the token that is valid now
  rot exec rot://rot_… -- npm publish    give it to one command

A passcard (rot://pas_…) is a connected npm account. A ROT (rot://rot_…) is a
rotation token: it stays the same, its value changes.

commands:
`)
	for _, cmd := range all {
		fmt.Fprintf(&b, "  %-14s %s\n", cmd.name, cmd.line)
	}
	b.WriteString(`
flags of every command:
  --json         answer in JSON, for scripts
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
  --help         examples, and everything the command takes

The exit status says what happened: 0 done, 1 failed, 2 the command line makes
no sense, 3 rotd is not reached, 4 no such reference, 5 not allowed, 6 a person
is needed. rot is the small half: the work is done by rotd, so start that first:
rotd run.
`)
	return b.String()
}
