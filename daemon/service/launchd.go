package service

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// reloadLaunchd ends an installation on macOS.
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
		if err := give(dir, mode, uid, gid); err != nil {
			return fmt.Errorf("make the directories of rotd: %w", err)
		}
	}
	return nil
}

// give makes a directory and gives it to a user. The one lies in the other: so
// what is there may be the user's own work, and no link of his is followed.
func give(dir string, mode os.FileMode, uid, gid int) error {
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	d, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Chown(uid, gid); err != nil {
		return err
	}
	return d.Chmod(mode)
}
