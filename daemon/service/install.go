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
	// Files that are new since its start, too: an installation may have been cut off.
	if done.Changed = done.Changed || st.Running && newer(append(done.Files, s.Program), st.Since); done.Changed {
		err = c.renew(ctx, &done, socket && st.Listening)
	}
	return done, err
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
	if err := makeOpen(filepath.Dir(f.Path)); err != nil {
		return false, fmt.Errorf("install: %w", err)
	}
	// Everybody may read it, whatever the umask: there is no secret in it.
	if err := renameio.WriteFile(f.Path, f.Content, 0o644, renameio.IgnoreUmask()); err != nil {
		return false, fmt.Errorf("install: %w", err)
	}
	return true, nil
}

// makeOpen makes a directory that everybody may look into, whatever the umask.
func makeOpen(dir string) error {
	if isDir(dir) {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
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

// newer reports whether one of the files was replaced after a time: the change of
// its inode counts, which no tool sets.
func newer(files []string, since time.Time) bool {
	return slices.ContainsFunc(files, func(path string) bool {
		fi, err := os.Stat(path)
		return err == nil && changeTime(fi).After(since)
	})
}

func changeTime(fi fs.FileInfo) time.Time {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return ctime(st)
	}
	return fi.ModTime()
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
