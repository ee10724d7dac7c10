package main

import (
	"context"
	"fmt"
	"time"

	"rotd/daemon/service"
)

const systemFlag = `
Flags:
  --system    the service of the machine, not yours
`

var startCommand = command{
	name: "start",
	line: "start the service",
	help: `Usage: rotd start [--system]

Starts the service that rotd install has made, and returns when it answers.
` + systemFlag,
	run: func(ctx context.Context, c *call, args []string) error {
		return c.control(ctx, args, "✔ started", (*service.Control).Start)
	},
}

var stopCommand = command{
	name: "stop",
	line: "stop the service",
	help: `Usage: rotd stop [--system]

Stops the service, as soon as what it is doing has reached a step that it can be
taken up from. Under systemd the next rot get starts it again, through its
socket; to have it stay away: rotd uninstall.
` + systemFlag,
	run: func(ctx context.Context, c *call, args []string) error {
		return c.control(ctx, args, "✔ stopped", (*service.Control).Stop)
	},
}

var restartCommand = command{
	name: "restart",
	line: "stop the service and start it",
	help: `Usage: rotd restart [--system]

Stops the service, as soon as what it is doing has reached a step that it can be
taken up from, and starts it. To have it read its settings, this does, without
a stop: systemctl --user reload rotd
` + systemFlag,
	run: func(ctx context.Context, c *call, args []string) error {
		return c.control(ctx, args, "✔ started again", (*service.Control).Restart)
	},
}

// control has the service do something.
func (c *call) control(ctx context.Context, args []string, done string, do func(*service.Control, context.Context) error) error {
	ctl, err := c.service(ctx, args)
	if err != nil {
		return err
	}
	if err := do(ctl, ctx); err != nil {
		return err
	}
	c.printf("%s\n", done)
	return nil
}

// service finds the manager of the service that the flags name.
func (c *call) service(ctx context.Context, args []string) (*service.Control, error) {
	fs := c.flags()
	system := fs.Bool("system", false, "")
	if err := c.parse(fs, args, 0); err != nil {
		return nil, err
	}
	return service.Open(ctx, *system)
}

var uninstallCommand = command{
	name: "uninstall",
	line: "stop the service and take it away",
	help: `Usage: rotd uninstall [--system] [--purge]

Stops the service and removes what rotd install has made. The state stays, so
that a later rotd install goes on where this one was.

Examples:
  rotd uninstall
  rot remove rot://pas_… && rotd uninstall --purge   nothing is left, at npm too
` + systemFlag + `  --purge     remove the state, too: accounts, ROTs and the log. Tokens that
              npm still takes live on until they expire; rot remove revokes
              them. A key in the keyring, or in another directory, stays
`,
	run: func(ctx context.Context, c *call, args []string) error {
		fs := c.flags()
		system, purge := fs.Bool("system", false, ""), fs.Bool("purge", false, "")
		if err := c.parse(fs, args, 0); err != nil {
			return err
		}
		ctl, err := service.Open(ctx, *system)
		if err != nil {
			return err
		}
		removed, err := ctl.Uninstall(ctx, *purge)
		for _, path := range removed {
			c.printf("removed %s\n", path)
		}
		if err == nil {
			c.printf("✔ uninstalled\n")
		}
		return err
	},
}

var statusCommand = command{
	name: "status",
	line: "tell how the service does",
	help: `Usage: rotd status [--system]

Tells whether the service runs, what it is at, and where its socket, its state
and its log are. How the tokens do, rot status tells.

The exit status is 0 where it runs, 3 where it does not, 4 where it is not
installed.
` + systemFlag,
	run: func(ctx context.Context, c *call, args []string) error {
		ctl, err := c.service(ctx, args)
		if err != nil {
			return err
		}
		st, err := ctl.Status(ctx)
		if err != nil {
			return err
		}
		return c.tellStatus(ctl, st)
	},
}

func (c *call) tellStatus(ctl *service.Control, st service.Status) error {
	if !st.Installed {
		return exitError{ctl.NotInstalled(), exitNotInstalled}
	}
	c.printf("rotd  %s", st.State)
	if st.PID != 0 {
		c.printf(", process %d, since %s", st.PID, st.Since.Local().Format(time.DateTime))
	}
	c.printf("\n")
	line := func(name, value string) {
		if value != "" {
			c.printf("  %-7s %s\n", name, value)
		}
	}
	line("at", st.Words)
	line("start", map[bool]string{true: "by itself, and when somebody connects", false: "by hand"}[st.Enabled])
	if st.Restarts > 0 {
		line("failed", fmt.Sprintf("%d×, and was started again", st.Restarts))
	}
	line("socket", st.Socket)
	line("state", st.StateDir)
	line("unit", st.Unit)
	line("log", ctl.LogCommand())
	if !st.Running {
		return exitError{nil, exitNotRunning}
	}
	return nil
}
