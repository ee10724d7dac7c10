package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
)

// Installed tells what an installation has found and done.
type Installed struct {
	Changed   bool // something in the files, or the program, is new
	Restarted bool // it ran, and runs anew
	Running   bool
	Files     []string
}

// Install writes the service's files, has the manager read them, and has it
// start the service at boot or at login. Done again it changes what has changed;
// a service that runs is restarted only then. It is not started otherwise.
func (c *Control) Install(ctx context.Context, s Spec) (Installed, error) {
	var done Installed
	if s.System {
		if err := s.checkSystem(); err != nil {
			return done, err
		}
	}
	files, err := c.files(s)
	if err != nil {
		return done, err
	}
	if c.platform == launchd && s.System {
		if err := prepareLaunchd(s); err != nil {
			return done, err
		}
	}
	socket := false // has a socket's unit changed?
	for _, f := range files {
		changed, err := write(f)
		if err != nil {
			return done, err
		}
		done.Files = append(done.Files, f.Path)
		done.Changed = done.Changed || changed
		socket = socket || changed && filepath.Ext(f.Path) == ".socket"
	}
	if c.platform == launchd {
		return c.reloadLaunchd(done)
	}
	if c.system {
		if err := prepareSystem(ctx); err != nil {
			return done, err
		}
	}
	if _, err := c.systemctl(ctx, "daemon-reload"); err != nil {
		return done, err
	}
	if _, err := c.systemctl(ctx, append([]string{"enable", "--quiet", unitName}, c.sockets()...)...); err != nil {
		return done, err
	}
	st, err := c.Status(ctx)
	if err != nil {
		return done, err
	}
	done.Running = st.Running
	done.Changed = done.Changed || st.Running && newer(s.Program, st.Since)
	if !done.Changed {
		return done, nil
	}
	return done, c.renew(ctx, &done, socket && st.Listening)
}

// renew restarts what runs. A socket can be made anew only without its service.
func (c *Control) renew(ctx context.Context, done *Installed, socket bool) error {
	if socket {
		if _, err := c.systemctl(ctx, append([]string{"stop", unitName}, c.sockets()...)...); err != nil {
			return err
		}
		if _, err := c.systemctl(ctx, append([]string{"start"}, c.sockets()...)...); err != nil {
			return err
		}
	}
	if !done.Running {
		return nil
	}
	done.Restarted = true
	return c.Restart(ctx)
}

func (c *Control) reloadLaunchd(done Installed) (Installed, error) {
	st, err := c.svc.Status()
	done.Running = err == nil && st == running
	if done.Running && done.Changed {
		done.Restarted = true
		return done, c.svc.Restart()
	}
	return done, nil
}

// prepareLaunchd makes the directories of the system's service on macOS, for the
// user that launchd is to run it as. launchd makes neither.
func prepareLaunchd(s Spec) error {
	u, err := user.Lookup("_rotd")
	if err != nil {
		return &Error{message: "there is no user _rotd for the service to run as", cause: err,
			hint: "make one: sysadminctl -addUser _rotd -UID 399 -roleAccount; then install again"}
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	for dir, mode := range map[string]os.FileMode{filepath.Dir(s.Socket): 0o755, s.StateDir: 0o700} {
		err := os.MkdirAll(dir, mode)
		if err == nil {
			err = os.Chmod(dir, mode)
		}
		if err == nil {
			err = os.Chown(dir, uid, gid)
		}
		if err != nil {
			return fmt.Errorf("make the directories of rotd: %w", err)
		}
	}
	return nil
}

// files are those of the service on this platform.
func (c *Control) files(s Spec) ([]File, error) {
	if c.platform == launchd {
		f, err := s.Launchd()
		return []File{f}, err
	}
	return s.Systemd(c.unitDir)
}

// write writes a file whole or not at all, where it holds something else.
func write(f File) (changed bool, err error) {
	was, err := os.ReadFile(f.Path)
	if err == nil && bytes.Equal(was, f.Content) {
		return false, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("read what is installed: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return false, fmt.Errorf("install: %w", err)
	}
	// Everybody may read it, whatever the umask: there is no secret in it.
	if err := renameio.WriteFile(f.Path, f.Content, 0o644, renameio.IgnoreUmask()); err != nil {
		return false, fmt.Errorf("install: %w", err)
	}
	return true, nil
}

// prepareSystem makes the user and the group that the system's service runs as,
// and the directory of its socket.
func prepareSystem(ctx context.Context) error {
	if _, err := user.Lookup("rotd"); err != nil {
		_, err := output(ctx, "systemd-sysusers", sysusersFile)
		if errors.Is(err, exec.ErrNotFound) {
			_, err = output(ctx, "useradd", "--system", "--user-group", "--home-dir", "/var/lib/rotd", "--no-create-home", "--shell", "/usr/sbin/nologin", "rotd")
		}
		if err != nil {
			return fmt.Errorf("make the user rotd: %w", err)
		}
	}
	if _, err := output(ctx, "systemd-tmpfiles", "--create", tmpfilesFile); err != nil {
		return fmt.Errorf("make the directories of rotd: %w", err)
	}
	return nil
}

// newer reports whether the program was replaced after a time: the change of its
// inode counts, which no tool sets.
func newer(program string, since time.Time) bool {
	fi, err := os.Stat(program)
	if err != nil {
		return false
	}
	return changeTime(fi).After(since)
}

// hidden is what the system's service does not see: the homes of users, and what
// other programs have put into temporary directories.
var hidden = []string{"/home", "/root", "/run/user", "/tmp", "/var/tmp"}

func checkVisible(what, path string) error {
	for _, dir := range hidden {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			return &Error{message: fmt.Sprintf("%s, %s, is in %s, which the system's service does not see", what, path, dir),
				hint: "put it elsewhere; /usr/local/bin is a place for programs"}
		}
	}
	return nil
}

// checkRunnable refuses a program that other users cannot reach.
func checkRunnable(program string) error {
	for p := program; ; p = filepath.Dir(p) {
		fi, err := os.Stat(p)
		if err != nil {
			return fmt.Errorf("the program: %w", err)
		}
		if fi.Mode().Perm()&0o001 == 0 {
			return &Error{message: fmt.Sprintf("%s cannot be run by the user rotd: %s has mode %04o", program, p, fi.Mode().Perm()),
				hint: "chmod o+rx " + p + ", or put the program elsewhere: /usr/local/bin"}
		}
		if p == filepath.Dir(p) {
			return nil
		}
	}
}

// Lingers reports whether the present user's services go on after a logout;
// false where nobody can tell.
func Lingers() bool {
	u, err := user.Current()
	if err != nil {
		return false
	}
	_, err = os.Stat(filepath.Join("/var/lib/systemd/linger", u.Username))
	return err == nil
}

// lingerWait is how long a user's manager may take to start.
const lingerWait = 10 * time.Second

// Linger has the present user's services go on after a logout, and start at boot.
// It returns when his manager runs.
func Linger(ctx context.Context) error {
	if !Lingers() {
		// Without a session it has to be told who we are.
		me := strconv.Itoa(os.Getuid())
		if _, err := output(ctx, "loginctl", "enable-linger", me); err != nil {
			return &Error{message: "your services cannot be made to outlive your logout: " + err.Error(), cause: err,
				hint: "ask an administrator: loginctl enable-linger " + me}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, lingerWait)
	defer cancel()
	for {
		if _, err := os.Lstat(fmt.Sprintf("/run/user/%d/systemd/private", os.Getuid())); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("your systemd does not start")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Uninstall stops the service and takes its files away. The state stays, unless
// purge is set. What was removed is returned.
func (c *Control) Uninstall(ctx context.Context, purge bool) (removed []string, err error) {
	files, err := c.files(Spec{System: c.system, Program: "/", StateDir: "/", Socket: "/run/rotd/rotd.sock", Home: c.home})
	if err != nil {
		return nil, err
	}
	paths := make([]string, 0, len(files))
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	own := slices.ContainsFunc(paths, func(p string) bool { _, err := os.Lstat(p); return err == nil })
	state := ""
	if own {
		state = installedState(paths[0])
	}
	if installed, err := c.Installed(ctx); err != nil || !own {
		if err == nil && installed {
			err = &Error{message: "rotd was installed by a package", hint: "remove that: apt remove rotd, or dnf remove rotd"}
		}
		if err == nil {
			err = c.NotInstalled()
		}
		return nil, err
	}
	if c.platform == launchd {
		_ = c.svc.Stop()
	} else if err := c.leaveSystemd(ctx); err != nil {
		return nil, err
	}
	for _, p := range paths {
		if err := os.Remove(p); err == nil {
			removed = append(removed, p)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return removed, fmt.Errorf("uninstall: %w", err)
		}
	}
	if c.platform == systemd {
		if _, err := c.systemctl(ctx, "daemon-reload"); err != nil {
			return removed, err
		}
		c.forgetFailures(ctx)
	}
	if purge && state != "" {
		gone, err := purgeState(state)
		return append(removed, gone...), err
	}
	return removed, nil
}

func (c *Control) leaveSystemd(ctx context.Context) error {
	// The sockets first: nobody is to start the service again.
	for _, unit := range append(c.sockets(), unitName) {
		if state, err := c.systemctl(ctx, "show", "--property=LoadState", "--value", unit); err != nil || state == "not-found" {
			continue
		}
		if _, err := c.systemctl(ctx, "stop", unit); err != nil {
			return fmt.Errorf("stop %s: %w", unit, err)
		}
		if _, err := c.systemctl(ctx, "disable", "--quiet", unit); err != nil {
			return fmt.Errorf("disable %s: %w", unit, err)
		}
	}
	return nil
}

func changeTime(fi fs.FileInfo) time.Time {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return ctime(st)
	}
	return fi.ModTime()
}
