package service

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAGivenDirectoryIsNoLink: what lies in a directory of the service's user is
// his to replace, and no other directory is given to him for it.
func TestAGivenDirectoryIsNoLink(t *testing.T) {
	dir := t.TempDir()
	others := filepath.Join(dir, "others")
	if err := os.Mkdir(others, 0o755); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "state")
	if err := os.Symlink(others, state); err != nil {
		t.Fatal(err)
	}
	if err := give(state, 0o700, os.Getuid(), os.Getgid()); err == nil {
		t.Error("a link is followed")
	}
	if fi, err := os.Stat(others); err != nil || fi.Mode().Perm() != 0o755 {
		t.Errorf("what it leads to: %v, %v", fi.Mode(), err)
	}
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := give(state, 0o700, os.Getuid(), os.Getgid()); err != nil {
			t.Fatal(err)
		}
	}
	if fi, err := os.Lstat(state); err != nil || fi.Mode() != os.ModeDir|0o700 {
		t.Errorf("it is %v, %v", fi.Mode(), err)
	}
}
