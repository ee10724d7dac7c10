package npmrc

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rotd/ipc/fmt"
	"rotd/ipc/secret"
)

// ErrBusy says that somebody else kept changing the file.
var ErrBusy = errors.New("something else keeps changing it")

const tempPrefix = ".npmrc-rot-"

// maxSize is far beyond any .npmrc.
const maxSize = 1 << 20

// lockTime is how long Update waits for another Update, which takes no time. Who
// keeps the lock for longer hangs, or wants to be in the way, as whoever may list
// the directory can: then Update goes on, and noticing a change has to do.
var lockTime = 5 * time.Second

// Update edits the file at path, which need not exist; its directory must. A
// symbolic link is followed and stays one. A reader sees the old file or the
// new one, whole. The file keeps its owner and its mode, but loses what lets
// others read it, as it now holds a token; a new one has mode 0600. A file that
// is right already is not written.
//
// The packages of the scopes come from the registry then, too.
//
// Two Updates wait for each other. Programs that do not lock, as npm, are
// noticed when they write between our reading and our writing, and the edit is
// done again on what they wrote.
func Update(path, registry string, value secret.Text, scopes ...string) (Report, error) {
	return change(path, func(src []byte) ([]byte, Report, error) { return editAll(src, registry, value, scopes) })
}

// Remove takes a registry's token out of the file at path, as Cut does, what
// Update has written for the scopes, too, and with the care of Update. A file in
// which nothing is left is removed, as npm does it; one that is not there is
// right already.
func Remove(path, registry string, scopes ...string) (Report, error) {
	return change(path, func(src []byte) ([]byte, Report, error) { return cutAll(src, registry, scopes) })
}

// ErrAnother says that a setting has another value than the one that was meant.
var ErrAnother = errors.New("there is another token by now")

// RemoveAll takes every line of a key out of the file at path, also those that
// a later one hides, in one step, if npm reads the value was there. An error,
// ErrAnother or one for a placeholder or a list, leaves all of them.
func RemoveAll(path, key string, was secret.Text) (Report, error) {
	return change(path, func(src []byte) ([]byte, Report, error) {
		rep := Report{Key: key}
		if _, is, ok := Value(src, key); ok && !is.Equal(was) {
			return src, rep, ErrAnother
		}
		for {
			out, once, err := cut(src, key, func(string) bool { return true })
			if err != nil || !once.Changed {
				return src, rep, err
			}
			src, rep.Changed = out, true
		}
	})
}

// Change has edit make of another program's file what it is to be, with the care
// of Update.
func Change(path string, edit func(src []byte) ([]byte, Report, error)) (Report, error) {
	return change(path, edit)
}

// editor makes of a file what it is to be.
type editor func(src []byte) ([]byte, Report, error)

func change(path string, edit editor) (Report, error) {
	real, err := Resolve(path)
	if err != nil {
		return Report{}, err
	}
	unlock, locked, err := lock(filepath.Dir(real))
	if err != nil {
		return Report{}, err
	}
	defer unlock()
	if locked {
		sweep(filepath.Dir(real))
	}
	for range 10 {
		rep, again, err := updateOnce(real, edit)
		if err != nil {
			return Report{}, err
		}
		if !again {
			rep.Path = real
			return rep, nil
		}
	}
	return Report{}, ErrBusy
}

// beforeRename lets a test change the file at the last moment.
var beforeRename = func() {}

func updateOnce(path string, edit editor) (rep Report, again bool, err error) {
	src, fi, err := read(path)
	if err != nil {
		return rep, false, err
	}
	out, rep, err := edit(src)
	if err != nil {
		return rep, false, err
	}
	mode := fs.FileMode(0o600)
	if fi != nil {
		mode = fi.Mode().Perm() &^ 0o077
		rep.Tightened = mode != fi.Mode().Perm()
	}
	if !rep.Changed {
		if rep.Tightened {
			err = os.Chmod(path, mode)
		}
		return rep, false, err
	}
	tmp, err := writeBeside(path, out, mode, fi)
	if err != nil {
		return rep, false, err
	}
	beforeRename()
	now, nowInfo, err := read(path)
	if err == nil && (!bytes.Equal(now, src) || (fi == nil) != (nowInfo == nil)) {
		return rep, true, os.Remove(tmp)
	}
	switch {
	case err != nil:
	case len(out) == 0:
		err = errors.Join(os.Remove(path), os.Remove(tmp))
	default:
		err = os.Rename(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp)
		return rep, false, err
	}
	syncDir(filepath.Dir(path))
	return rep, false, nil
}

// read returns the file and what it is; nothing of both when it is not there.
func read(path string) ([]byte, fs.FileInfo, error) {
	// O_NONBLOCK: not to hang on a named pipe.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is not a regular file", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(b) > maxSize {
		err = fmt.Errorf("%s is too large for an .npmrc", path)
	}
	return b, fi, err
}

// writeBeside writes b to a new file in the directory of path and returns its
// name. It has the mode, and the owner that old has.
func writeBeside(path string, b []byte, mode fs.FileMode, old fs.FileInfo) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), tempPrefix+"*") // mode 0600
	if err != nil {
		return "", err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if old != nil {
		if st, ok := old.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
			if err := f.Chown(int(st.Uid), int(st.Gid)); err != nil {
				return "", fmt.Errorf("keep the file's owner: %w", err)
			}
		}
	}
	if err := f.Chmod(mode); err != nil {
		return "", err
	}
	if _, err := f.Write(b); err != nil {
		return "", err
	}
	return f.Name(), f.Sync()
}

// Resolve follows symbolic links, to a file that is not there yet too. It is the
// path of what Update would write.
func Resolve(path string) (string, error) {
	for range 40 {
		real, err := filepath.EvalSymlinks(path)
		if err == nil {
			return filepath.Abs(real)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		target, lerr := os.Readlink(path)
		if lerr != nil { // path itself is what is missing
			return filepath.Abs(path)
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", fmt.Errorf("%s: too many symbolic links", path)
}

// lock locks the directory, so that no lock file stays behind in it. It tells
// false where it waited in vain, or the file system has no such locks, as some of
// the network's.
func lock(dir string) (unlock func(), locked bool, err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, false, err
	}
	for end := time.Now().Add(lockTime); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		held := errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR)
		if !held || time.Now().After(end) {
			return func() { _ = d.Close() }, err == nil, nil
		}
	}
}

// sweep removes what an Update that was killed left in dir, which is locked.
func sweep(dir string) {
	all, _ := os.ReadDir(dir) // no pattern: dir may have any name
	for _, e := range all {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// syncDir makes the new name last through a power cut, where the file system
// can.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}
