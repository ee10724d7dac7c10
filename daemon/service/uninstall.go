package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"rotd/ipc"
)

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
	if !slices.ContainsFunc(paths, func(p string) bool { _, err := os.Lstat(p); return err == nil }) {
		return nil, c.notOurs(ctx)
	}
	state := installedState(paths[0])
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

// notOurs says why there is nothing to uninstall.
func (c *Control) notOurs(ctx context.Context) error {
	installed, err := c.Installed(ctx)
	switch {
	case err != nil:
		return err
	case installed:
		return &Error{message: "rotd was installed by a package", hint: "remove that: apt remove rotd, or dnf remove rotd"}
	}
	return c.NotInstalled()
}

// leaveSystemd stops the units and has systemd start them no more.
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

// stateLine begins the line of an installed unit that says where the state is.
const stateLine = "StateDir="

// installedState is the state directory of an installed service; empty where
// the file does not say.
func installedState(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	if strings.HasSuffix(path, ".plist") {
		_, after, _ := strings.Cut(string(b), "<string>--state-dir</string>")
		_, after, _ = strings.Cut(after, "<string>")
		dir, _, _ := strings.Cut(after, "</string>")
		return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&#34;", `"`, "&#39;", "'", "&amp;", "&").Replace(dir)
	}
	for line := range strings.Lines(string(b)) {
		if dir, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), stateLine); ok {
			return strings.ReplaceAll(dir, "%%", "%")
		}
	}
	return ""
}

// ofState are the names that rotd makes in its state directory, as path.Match
// has them: the database, and what rotd restore keeps and may leave.
var ofState = []string{"rotd.db", "rotd.db-wal", "rotd.db-shm", "rotd.db-journal", "rotd.lock", "leases", "reports",
	"replaced-????????T??????Z", "restore"}

// purgeState removes a state directory. One that rotd has not chosen itself may
// hold what is not rotd's: of that it removes what rotd has made there, save a
// key, and the directory where nothing else is in it.
func purgeState(dir string) (removed []string, err error) {
	if !filepath.IsAbs(dir) || filepath.Clean(dir) == "/" {
		return nil, fmt.Errorf("%q is no state directory", dir)
	}
	system, _ := SystemPlaces(runtime.GOOS)
	own, err := ipc.StateDir(os.Getenv, runtime.GOOS, os.Getuid())
	if dir == system || err == nil && dir == own {
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("purge: %w", err)
		}
		return []string{dir}, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("purge: %w", err)
	}
	for _, e := range entries {
		if !slices.ContainsFunc(ofState, func(name string) bool { ok, _ := path.Match(name, e.Name()); return ok }) {
			continue
		}
		p := filepath.Join(dir, e.Name())
		if err := os.RemoveAll(p); err != nil {
			return removed, fmt.Errorf("purge: %w", err)
		}
		removed = append(removed, p)
	}
	if os.Remove(dir) == nil {
		removed = append(removed, dir)
	}
	return removed, nil
}
