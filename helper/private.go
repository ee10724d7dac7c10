package helper

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"rotd/helper/npmrc"
	"rotd/ipc"
	"rotd/ipc/fmt"
)

// privateConfig writes the user's own config with the token in it to a file for
// one child, in memory, and returns how to remove it.
func (c *call) privateConfig(tok ipc.Token, names []string) (path string, remove func(), err error) {
	text, own, err := c.configWith(tok)
	if err != nil {
		return "", nil, err
	}
	c.warnShadows(tok.Registry, own, names)
	base, err := c.runtimeDir()
	if err != nil {
		return "", nil, err
	}
	sweep(base)
	dir, err := os.MkdirTemp(base, fmt.Sprintf("%s%d-", runPrefix, os.Getpid())) // mode 0700
	if err != nil {
		return "", nil, local("", "make a private directory: %v", err)
	}
	remove = func() { _ = os.RemoveAll(dir) }
	path = filepath.Join(dir, "npmrc")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		remove()
		return "", nil, local("", "write the private .npmrc: %v", err)
	}
	return path, remove, nil
}

// configWith is the text of the private file, and the path of the user's own.
func (c *call) configWith(tok ipc.Token) (text []byte, own string, err error) {
	own, err = c.userConfig()
	if err == nil {
		text, err = os.ReadFile(own)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && own != "" {
		return nil, "", local("make it readable, or name another by NPM_CONFIG_USERCONFIG", "read your own .npmrc: %v", err)
	}
	text, _, err = npmrc.Override(text, tok.Registry, tok.Value.Text)
	if err != nil {
		return nil, "", local("see what is in that file, or name another by NPM_CONFIG_USERCONFIG", "put the token into a copy of %s: %v", own, err)
	}
	if !tok.DefaultRegistry && c.npmConfig("registry") == "" {
		text = npmrc.AddRegistry(text, tok.Registry)
	}
	return text, own, nil
}

// runPrefix begins the name of a run's directory; the number of the process
// that made it follows.
const runPrefix = "exec-"

// runtimeDir is a directory of the user's own that is in memory: the first of
// the usual places that is there.
func (c *call) runtimeDir() (string, error) {
	shared := fmt.Sprintf("rot-%d", c.UID)
	var places []string
	if dir := c.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		places = append(places, filepath.Join(dir, "rotd"))
	}
	if c.GOOS == "darwin" {
		places = append(places, filepath.Join(os.TempDir(), shared)) // the user's own there
	} else {
		places = append(places, fmt.Sprintf("/run/user/%d/rotd", c.UID), filepath.Join("/dev/shm", shared))
	}
	for _, dir := range places {
		if ownDir(dir, c.UID) {
			return dir, nil
		}
	}
	return "", local("set XDG_RUNTIME_DIR to a directory of yours, best one in memory",
		"there is no private place for the token: tried %s", strings.Join(places, ", "))
}

// ownDir makes dir where its parent is there, and tells whether it is the
// user's and nobody else can put something into it.
func ownDir(dir string, uid int) bool {
	_ = os.Mkdir(dir, 0o700)
	fi, err := os.Lstat(dir)
	if err != nil || !fi.IsDir() || fi.Mode().Perm()&0o022 != 0 {
		return false
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == uid
}

// sweep removes what a rot that was killed has left.
func sweep(base string) {
	all, _ := os.ReadDir(base)
	for _, e := range all {
		rest, ours := strings.CutPrefix(e.Name(), runPrefix)
		number, _, _ := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(number)
		if ours && err == nil && pid > 0 && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			_ = os.RemoveAll(filepath.Join(base, e.Name()))
		}
	}
}
