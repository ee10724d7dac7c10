package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	kservice "github.com/kardianos/service"
)

// The names of what is installed. label is launchd's.
const (
	label      = "rotd"
	unitName   = "rotd.service"
	socketName = "rotd.socket"
	// credentialName is the socket that other units' credentials come from; the
	// system's service alone has it.
	credentialName = "rotd-credential.socket"
	systemUnits    = "/etc/systemd/system"
	sysusersFile   = "/etc/sysusers.d/rotd.conf"
	tmpfilesFile   = "/etc/tmpfiles.d/rotd.conf"
)

const (
	systemd = "linux-systemd"
	launchd = "darwin-launchd"
)

// Control installs, starts and stops the service of one manager: the machine's,
// or that of the present user.
type Control struct {
	system   bool
	platform string
	svc      kservice.Service
	unitDir  string // systemd's
	home     string
}

// Open finds the manager. It refuses, with a hint, where there is none that it
// knows, or where it cannot be reached.
func Open(ctx context.Context, system bool) (*Control, error) {
	svc, err := kservice.New(nil, &kservice.Config{Name: label, Option: kservice.KeyValue{"UserService": !system}})
	if err != nil {
		return nil, fmt.Errorf("find the service manager: %w", err)
	}
	c := &Control{system: system, platform: svc.Platform(), svc: svc}
	switch c.platform {
	case systemd:
		err = c.findSystemd(ctx)
	case launchd:
		c.home, err = os.UserHomeDir()
	default:
		err = &Error{message: fmt.Sprintf("this machine is not run by systemd or launchd (but by %s)", c.platform),
			hint: "have your own service manager run: rotd run"}
	}
	if err != nil {
		return nil, err
	}
	if system && os.Getuid() != 0 {
		return nil, &Error{message: "the system's service is root's to change", hint: "run it with sudo, or leave out --system for a service of your own"}
	}
	return c, nil
}

// findSystemd asks the manager where it reads units.
func (c *Control) findSystemd(ctx context.Context) error {
	if !c.system && os.Getenv("XDG_RUNTIME_DIR") == "" {
		// A cron job or a su session has the directory and not the variable.
		if dir := fmt.Sprintf("/run/user/%d", os.Getuid()); isDir(dir) {
			_ = os.Setenv("XDG_RUNTIME_DIR", dir)
		}
	}
	out, err := c.systemctl(ctx, "show", "--property=UnitPath", "--value")
	if err != nil {
		hint := "log in as this user, at the console or by ssh (sudo and su do not); for a service of the whole machine: --system"
		if c.system {
			hint = "see what systemctl status says"
		}
		return &Error{message: "systemd cannot be reached: " + err.Error(), hint: hint, cause: err}
	}
	if c.unitDir = systemUnits; c.system {
		return nil
	}
	if c.home, err = os.UserHomeDir(); err != nil {
		return err
	}
	// The manager was started with an environment of its own: it decides.
	read := strings.Fields(out)
	for _, config := range []string{os.Getenv("XDG_CONFIG_HOME"), filepath.Join(c.home, ".config")} {
		c.unitDir = filepath.Join(config, "systemd", "user")
		if filepath.IsAbs(config) && slices.Contains(read, c.unitDir) {
			return nil
		}
	}
	return &Error{message: fmt.Sprintf("your systemd does not read units in %s", c.unitDir),
		hint: "it was started with another HOME or XDG_CONFIG_HOME: set them as they were then"}
}

func isDir(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}

// systemctl runs it for this manager and returns its output. The error says
// what it printed.
func (c *Control) systemctl(ctx context.Context, args ...string) (string, error) {
	if !c.system {
		args = append([]string{"--user"}, args...)
	}
	return output(ctx, "systemctl", append([]string{"--no-pager", "--no-ask-password"}, args...)...)
}

// output runs a program. Where it fails, its last words are the error.
func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	text := strings.TrimSpace(string(out))
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if words := strings.TrimSpace(string(exit.Stderr)); words != "" {
			return text, fmt.Errorf("%s: %s", name, words)
		}
		return text, fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return text, err
}

// Start starts the service, and its socket with it.
func (c *Control) Start(ctx context.Context) error {
	if err := c.mustBeInstalled(ctx); err != nil {
		return err
	}
	c.forgetFailures(ctx)
	return c.explain(ctx, "start", c.svc.Start())
}

// sockets are the units of the service's sockets.
func (c *Control) sockets() []string {
	if c.system {
		return []string{socketName, credentialName}
	}
	return []string{socketName}
}

// forgetFailures lets systemd try again: after too many failures it would not.
func (c *Control) forgetFailures(ctx context.Context) {
	if c.platform == systemd {
		_, _ = c.systemctl(ctx, append([]string{"reset-failed", unitName}, c.sockets()...)...)
	}
}

// Restart stops the service and starts it.
func (c *Control) Restart(ctx context.Context) error {
	if err := c.mustBeInstalled(ctx); err != nil {
		return err
	}
	c.forgetFailures(ctx)
	return c.explain(ctx, "start again", c.svc.Restart())
}

// Stop stops the service when what it is doing has reached a safe point. Its
// socket stays: whoever connects to it starts the service again.
func (c *Control) Stop(ctx context.Context) error {
	if err := c.mustBeInstalled(ctx); err != nil {
		return err
	}
	return c.explain(ctx, "stop", c.svc.Stop())
}

// ErrNotInstalled says that there is no service.
var ErrNotInstalled = errors.New("rotd is not installed as a service")

func (c *Control) mustBeInstalled(ctx context.Context) error {
	installed, err := c.Installed(ctx)
	if err == nil && !installed {
		return c.NotInstalled()
	}
	return err
}

// NotInstalled is the error that says so, with what to do.
func (c *Control) NotInstalled() error {
	if c.system {
		return &Error{message: ErrNotInstalled.Error() + " of this machine", hint: "rotd install --system", cause: ErrNotInstalled}
	}
	return &Error{message: ErrNotInstalled.Error() + " of yours", hint: "rotd install; the machine's own needs --system here, too", cause: ErrNotInstalled}
}

// Installed reports whether the manager knows the service, be it from us or
// from a package.
func (c *Control) Installed(ctx context.Context) (bool, error) {
	if c.platform == launchd {
		f, err := Spec{System: c.system, Home: c.home}.Launchd()
		if err != nil {
			return false, err
		}
		_, err = os.Stat(f.Path)
		return err == nil, nil
	}
	state, err := c.systemctl(ctx, "show", "--property=LoadState", "--value", unitName)
	return state != "not-found", err
}

// explain adds to a failure of the manager what rotd itself has said.
func (c *Control) explain(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	message := fmt.Sprintf("rotd does not %s: %v", what, err)
	if c.platform == systemd {
		if words, err := c.systemctl(ctx, "show", "--property=StatusText", "--value", unitName); err == nil && words != "" {
			message = fmt.Sprintf("rotd does not %s: %s", what, words)
		}
	}
	return &Error{message: message, hint: "its log says more: " + c.LogCommand(), cause: err}
}

// LogCommand shows the service's log.
func (c *Control) LogCommand() string {
	switch {
	case c.platform == launchd && c.system:
		return "tail -n 50 /Library/Logs/rotd.log"
	case c.platform == launchd:
		return "tail -n 50 ~/Library/Logs/rotd.log"
	case c.system:
		return "journalctl --unit rotd"
	}
	return "journalctl --user --unit rotd"
}
