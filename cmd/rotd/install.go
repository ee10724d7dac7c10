package main

import (
	"context"
	"errors"
	"runtime"

	"rotd/daemon/service"
)

var installCommand = command{
	name: "install",
	line: "make rotd a service, of yours or of the machine",
	run:  runInstall,
	help: `Usage: rotd install [flags]

Makes rotd a service: a unit of your own systemd, or an agent of launchd on
macOS, that starts when you log in. It then starts with rotd start, or when
somebody first asks for a token. Done again, also by a newer rotd, it changes
what has changed, and restarts the service if that runs.

Examples:
  rotd install && rotd start
  rotd install --linger --key file:$HOME/.rotd.key   a machine without a desktop
  sudo rotd install --system --key file:/var/lib/rotd/master.key
  rotd install --print                               only show the files

Flags:
  --system    a service of the machine, with a user of its own: rotd. Members
              of the group rotd reach its socket, /run/rotd/rotd.sock
  --linger    your services start at boot, and outlive your logout
  --print     print the files, and change nothing

All flags of rotd run can be given, and the service runs with them: rotd help
run. Where its key is, a service of the machine must be told: it has no keyring.
`,
}

func runInstall(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	f := addRunFlags(fs)
	system, linger, show := fs.Bool("system", false, ""), fs.Bool("linger", false, ""), fs.Bool("print", false, "")
	if err := c.parse(fs, args, 0); err != nil {
		return err
	}
	if *linger && runtime.GOOS != "linux" {
		return usageError{errors.New("--linger is systemd's: here your services run while you are logged in")}
	}
	if *system && *linger {
		return usageError{errors.New("--linger is for a service of your own, not with --system")}
	}
	spec, err := f.spec(*system)
	if err != nil {
		return usageError{err}
	}
	if *show {
		return c.printFiles(spec)
	}
	if *linger { // first: it starts the manager of a user who is not logged in
		if err := service.Linger(ctx); err != nil {
			return err
		}
	}
	ctl, err := service.Open(ctx, *system)
	if err != nil {
		return err
	}
	done, err := ctl.Install(ctx, spec)
	if err != nil {
		return err
	}
	c.tellInstalled(done, *system)
	return nil
}

func (c *call) printFiles(spec service.Spec) error {
	files, err := spec.Files(runtime.GOOS)
	for _, f := range files {
		c.printf("# %s\n%s\n", f.Path, f.Content)
	}
	return err
}

// tellInstalled says what was done, and what to do next.
func (c *call) tellInstalled(done service.Installed, system bool) {
	switch {
	case done.Restarted:
		c.printf("✔ installed, and restarted\n")
	case !done.Changed:
		c.printf("✔ installed already; nothing has changed\n")
	default:
		c.printf("✔ installed\n")
	}
	for _, path := range done.Files {
		c.printf("  %s\n", path)
	}
	if !system && runtime.GOOS == "linux" && !service.Lingers() {
		c.printf("it runs while you are logged in; to have it run always: loginctl enable-linger\n")
	}
	if !done.Running {
		c.printf("⮕ next: rotd start%s\n", map[bool]string{true: " --system"}[system])
	}
}
