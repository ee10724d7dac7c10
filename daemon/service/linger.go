package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"
)

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
