// Package private tells whether a directory or a file is this process's user's
// alone, and what to run where it is not.
//
// What it promises: of a path that passes, nobody but that user and root can
// put another file, directory or link in the place of what was checked. So the
// checks hold after them as well, and need no race to be won.
//
// What it does not know: access control lists, and file systems that keep no
// owners. On systems that give every user a group of the same number, what that
// group may do counts as the user's own.
package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Error says who else can get at a path.
type Error struct{ message, hint string }

func (e *Error) Error() string { return e.message }

// Hint is the command that ends it.
func (e *Error) Hint() string { return e.hint }

func refuse(hint, format string, args ...any) error {
	return &Error{fmt.Sprintf(format, args...), hint}
}

// What others may do with a directory that Dir lets pass.
const (
	Closed = fs.FileMode(0o077) // nothing
	Listed = fs.FileMode(0o022) // whatever changes nothing in it
)

// Dir checks a directory, which the errors call what ("the state directory"),
// and the way to it: every directory and link on it belongs to this user or to
// root, and nobody else may write there. Sticky directories, as /tmp, are fine
// on the way. Denied is Closed or Listed.
func Dir(what, path string, denied fs.FileMode) error {
	at, err := Way(path)
	if err != nil {
		return fmt.Errorf("check %s: %w", what, err)
	}
	info, err := os.Stat(at)
	if err != nil {
		return fmt.Errorf("check %s: %w", what, err)
	}
	if !info.IsDir() {
		return refuse("move it away, or name another one", "%s %s is not a directory", what, path)
	}
	return check(what, path, info, denied)
}

// Make makes a directory, and those on the way that are absent, of mode 0700,
// and checks it as Dir does. Nothing is made on a way that does not pass.
func Make(what, path string, denied fs.FileMode) error {
	_, err := Way(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.MkdirAll(path, 0o700)
	}
	if err != nil {
		return fmt.Errorf("make %s: %w", what, err)
	}
	return Dir(what, path, denied)
}

// File checks a file by what was found at path: a regular one, of this user,
// closed to everybody else, and with no second name under which somebody could
// have put it there.
func File(what, path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return refuse("move it away, or name another one", "%s %s is not a regular file", what, path)
	}
	st := stat(info)
	if int(st.Uid) != os.Geteuid() {
		return refuse(fmt.Sprintf("see how it came there, then: chown %d %s", os.Geteuid(), path),
			"%s %s belongs to another user (uid %d)", what, path, st.Uid)
	}
	if st.Nlink > 1 {
		return refuse(fmt.Sprintf("see which: find / -xdev -inum %d; then give it a copy: cp -p %[2]s %[2]s.new && mv %[2]s.new %[2]s", st.Ino, path),
			"%s %s has %d names: another one leads to it as well", what, path, st.Nlink)
	}
	return check(what, path, info, 0o177)
}

// Source checks a file that is read and obeyed, by what was found at path: it
// belongs to this user or to root, and nobody else may change it.
func Source(what, path string, info fs.FileInfo) error {
	if _, err := Way(path); err != nil {
		return fmt.Errorf("check %s: %w", what, err)
	}
	return check(what, path, info, Listed)
}

// check looks at the owner and the mode.
func check(what, path string, info fs.FileInfo, denied fs.FileMode) error {
	st := stat(info)
	if int(st.Uid) != os.Geteuid() && (denied != Listed || st.Uid != 0) {
		return refuse(fmt.Sprintf("run rotd as its owner (sudo -u '#%d' rotd …), name another one, or: chown %d %s", st.Uid, os.Geteuid(), path),
			"%s %s belongs to another user (uid %d)", what, path, st.Uid)
	}
	mode := info.Mode().Perm()
	switch {
	case mode&denied == 0:
		return nil
	case mode&denied&0o022 != 0 && denied == Listed:
		return refuse("chmod go-w "+path, "others may write to %s %s (mode %04o)", what, path, mode)
	case info.IsDir():
		return refuse("chmod 700 "+path, "%s %s has mode %04o: others may %s", what, path, mode, verb(mode))
	}
	return refuse("chmod 600 "+path, "%s %s has mode %04o: others than its owner could use it", what, path, mode)
}

func verb(mode fs.FileMode) string {
	if mode&0o022 != 0 {
		return "write to it"
	}
	return "look into it"
}

// maxLinks is how many links a way may have; more are a circle.
const maxLinks = 40

// Way follows path, link by link, and returns where it ends. Its error is an
// *Error where somebody else could lead it elsewhere, and fs.ErrNotExist where
// it ends before its end.
func Way(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	at, links := "/", 0
	for rest := split(path); len(rest) > 0; {
		if err := guarded(at); err != nil {
			return "", err
		}
		name := rest[0]
		rest = rest[1:]
		switch name {
		case ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		if err != nil {
			return "", err
		}
		if info.Mode().Type() != fs.ModeSymlink {
			at = next
			continue
		}
		if st := stat(info); !trusted(st.Uid) {
			return "", refuse("rm "+next, "the link %s on the way belongs to another user (uid %d)", next, st.Uid)
		}
		target, err := os.Readlink(next)
		if err != nil {
			return "", err
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "follow", Path: path, Err: syscall.ELOOP}
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(split(target), rest...)
	}
	return at, nil
}

func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// guarded refuses a directory on the way in which somebody else can rename or
// remove what is not his.
func guarded(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	st := stat(info)
	if !trusted(st.Uid) {
		return refuse("choose a place that only you and root can change", "the directory %s on the way belongs to another user (uid %d)", dir, st.Uid)
	}
	mode := info.Mode()
	switch {
	case mode&fs.ModeSticky != 0, mode&0o022 == 0:
		return nil
	case mode&0o002 == 0 && (st.Gid == 0 || int(st.Gid) == os.Geteuid()):
		return nil
	}
	return refuse("chmod go-w "+dir, "others may write to the directory %s on the way (mode %04o)", dir, mode.Perm())
}

// stat is what the system says of a file; of one that it says nothing of, that
// it is nobody's we trust.
func stat(info fs.FileInfo) syscall.Stat_t {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return *st
	}
	return syscall.Stat_t{Uid: ^uint32(0)}
}

// trusted tells whose directories and links may lead to ours: root's and our
// own. In a user namespace without root, as systemd's PrivateUsers= makes for a
// user's units, root's bear the number of those who are not there.
func trusted(uid uint32) bool {
	return int(uid) == os.Geteuid() || uid == 0 || uid == overflow && !rootIsMapped()
}

// overflow is the uid that Linux shows for one that a namespace does not have.
const overflow = 65534

func rootIsMapped() bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return true
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[1] == "0" {
			return true
		}
	}
	return false
}
