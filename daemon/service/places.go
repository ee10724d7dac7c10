package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// checkOwn refuses places of the system's service in directories that have other
// things in them: an installation gives the directory of the state to the user
// rotd, and that of the socket to its group, and closes them to everybody else.
func (s Spec) checkOwn() error {
	state, socket := SystemPlaces(runtime.GOOS)
	if s.StateDir != state {
		if err := checkOwnDir("the state directory", s.StateDir, func(fs.DirEntry) bool { return belongsToRotd(s.StateDir) }); err != nil {
			return err
		}
	}
	if dir := filepath.Dir(s.Socket); dir != filepath.Dir(socket) {
		return checkOwnDir("the socket's directory", dir, func(e fs.DirEntry) bool { return e.Type() == fs.ModeSocket })
	}
	return nil
}

// checkOwnDir wants a directory that is absent, or has nothing in it but what is
// ours. One that lies in / is the system's, be it empty.
func checkOwnDir(what, dir string, ours func(fs.DirEntry) bool) error {
	refused := &Error{message: fmt.Sprintf("%s, %s, is not rotd's alone, and would be closed to everybody else", what, dir),
		hint: "choose a directory for rotd: " + filepath.Join(dir, "rotd")}
	if filepath.Dir(dir) == "/" {
		return refused
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look into %s: %w", what, err)
	}
	for _, e := range entries {
		if !ours(e) {
			return refused
		}
	}
	return nil
}

// belongsToRotd reports whether an earlier installation has given dir to rotd.
func belongsToRotd(dir string) bool {
	u, err := user.Lookup("rotd")
	if err != nil {
		return false
	}
	fi, err := os.Stat(dir)
	if err != nil {
		return false
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && strconv.FormatUint(uint64(st.Uid), 10) == u.Uid
}

// checkProgram refuses a program that the user rotd cannot reach, and one that
// others than root could put another in the place of: it will hold everybody's
// secrets.
func checkProgram(program string) error {
	for p := program; ; p = filepath.Dir(p) {
		fi, err := os.Stat(p)
		if err != nil {
			return fmt.Errorf("the program: %w", err)
		}
		mode := fi.Mode()
		if mode.Perm()&0o001 == 0 {
			return &Error{message: fmt.Sprintf("%s cannot be run by the user rotd: %s has mode %04o", program, p, mode.Perm()),
				hint: "chmod o+rx " + p + ", or put the program elsewhere: /usr/local/bin"}
		}
		if st, ok := fi.Sys().(*syscall.Stat_t); !ok || st.Uid != 0 || mode.Perm()&0o002 != 0 && mode&fs.ModeSticky == 0 {
			return &Error{message: fmt.Sprintf("%s is not safe from others than root: see who has %s, and its mode, %04o", program, p, mode.Perm()),
				hint: "install -o root -m 755 " + program + " /usr/local/bin; then install by that"}
		}
		if p == filepath.Dir(p) {
			return nil
		}
	}
}
