package browser

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// profilePrefix begins the name of every profile directory, so that Sweep
// touches nothing else.
const profilePrefix = "browser-"

// removalPatience is how long a removal is tried again: a browser that has
// just been killed may have a child that still writes.
const removalPatience = 3 * time.Second

// Chromium puts a socket below its temporary directory, whose path a kernel
// bounds: 103 bytes on macOS, 107 on Linux.
const (
	tmpPrefix = "rotd-"
	tmpMax    = 103 - len("/org.chromium.Chromium.XXXXXX/SingletonSocket")
)

// profile is a browser's private directory, made for one run. Its lock is held
// by this process: whoever gets the lock knows that the run is over.
type profile struct {
	dir  string
	tmp  string // dir/tmp, or where that is a link to
	lock *os.File
}

// newProfile makes a profile directory below parent, of mode 0700.
func newProfile(parent string) (*profile, error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, fmt.Errorf("make the browser's profile: %w", err)
	}
	// A Sweep may take a new directory before it is locked: then make another.
	for range 10 {
		dir, err := os.MkdirTemp(parent, profilePrefix)
		if err != nil {
			return nil, fmt.Errorf("make the browser's profile: %w", err)
		}
		lock, err := lockDir(dir)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EWOULDBLOCK) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("lock the browser's profile: %w", err)
		}
		if st, err := os.Stat(dir); err == nil && sameFile(st, lock) {
			p := &profile{dir: dir, lock: lock}
			if p.tmp, err = makeTmp(dir); err != nil {
				_ = p.remove()
				return nil, fmt.Errorf("make the browser's profile: %w", err)
			}
			return p, nil
		}
		_ = lock.Close()
	}
	return nil, fmt.Errorf("make the browser's profile: %s is being swept again and again", parent)
}

// makeTmp makes the browser's temporary directory in its profile, or, where
// the path would be too long, in /tmp, with a link to find it by.
func makeTmp(dir string) (string, error) {
	tmp := filepath.Join(dir, "tmp")
	if len(tmp) <= tmpMax {
		return tmp, os.Mkdir(tmp, 0o700)
	}
	short, err := os.MkdirTemp("/tmp", tmpPrefix)
	if err != nil {
		return "", err
	}
	return short, os.Symlink(short, tmp)
}

// remove deletes the profile, then lets go of the lock.
func (p *profile) remove() error {
	defer p.lock.Close()
	return removeProfile(p.dir)
}

func removeProfile(dir string) error {
	short, err := os.Readlink(filepath.Join(dir, "tmp"))
	if err == nil && strings.HasPrefix(filepath.Base(short), tmpPrefix) {
		if err := removeAll(short); err != nil {
			return err
		}
	}
	return removeAll(dir)
}

// Sweep removes the profiles that dead runs have left in dir: a crash or a
// SIGKILL leaves one, with the cookies of a session in it. Profiles of living
// runs stay. Call it when the daemon starts.
func Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep browser profiles: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), profilePrefix) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		lock, err := lockDir(path)
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, removeProfile(path))
		_ = lock.Close()
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sweep browser profiles: %w", err)
	}
	return nil
}

// lockDir opens a directory and takes its lock; it does not wait.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func sameFile(st fs.FileInfo, f *os.File) bool {
	other, err := f.Stat()
	return err == nil && os.SameFile(st, other)
}

// removeAll is os.RemoveAll that outlasts a child of the browser which writes
// a last file while the tree is removed.
func removeAll(dir string) error {
	deadline := time.Now().Add(removalPatience)
	for {
		err := os.RemoveAll(dir)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
