package npmrc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rotd/ipc/secret"
)

func update(t *testing.T, path, value string) Report {
	t.Helper()
	rep, err := Update(path, registry, secret.New(value))
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func write(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, path, want string, mode fs.FileMode) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != want || fi.Mode() != mode {
		t.Errorf("%s is %q with mode %v, want %q with %v", path, b, fi.Mode(), want, mode)
	}
}

// onlyFile fails when something is left beside the file.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("the directory has %v, %v", entries, err)
	}
}

func TestUpdateMakesTheFile(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), ".npmrc")
	rep := update(t, path, value)
	check(t, path, key+"="+value+"\n", 0o600)
	onlyFile(t, path)
	if !rep.Added || rep.Path != path {
		t.Errorf("report %+v", rep)
	}
}

func TestUpdateTakesReadingFromOthers(t *testing.T) {
	for mode, want := range map[fs.FileMode]fs.FileMode{0o644: 0o600, 0o600: 0o600, 0o400: 0o400, 0o755: 0o700} {
		path := filepath.Join(t.TempDir(), ".npmrc")
		write(t, path, "a=1\n", mode)
		if rep := update(t, path, value); rep.Tightened != (mode != want) {
			t.Errorf("%v: report %+v", mode, rep)
		}
		check(t, path, "a=1\n"+key+"="+value+"\n", want)
		// Also where the value is there already.
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		update(t, path, value)
		check(t, path, "a=1\n"+key+"="+value+"\n", want)
	}
}

func TestUpdateDoesNotWriteWhatIsRight(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".npmrc")
	update(t, path, value)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if rep := update(t, path, value); rep.Changed {
		t.Errorf("report %+v", rep)
	}
	after, err := os.Stat(path)
	if err != nil || !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Errorf("the file was written: %v, %v", after, err)
	}
}

func TestUpdateFollowsSymbolicLinks(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"home", "dotfiles"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	real := filepath.Join(dir, "dotfiles", "npmrc")
	middle := filepath.Join(dir, "home", "middle")
	link := filepath.Join(dir, "home", ".npmrc")
	err := errors.Join(os.Symlink("../dotfiles/npmrc", middle), os.Symlink(middle, link))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"npm_1EXAMPLE", "npm_2EXAMPLE"} { // not there yet, then there
		if rep := update(t, link, v); rep.Path != real {
			t.Errorf("report %+v", rep)
		}
		check(t, real, key+"="+v+"\n", 0o600)
	}
	if target, err := os.Readlink(link); err != nil || target != middle {
		t.Errorf("the link is %q, %v", target, err)
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	if _, err := Update(loop, registry, secret.New(value)); err == nil {
		t.Error("a loop of links was written to")
	}
}

func TestUpdateKeepsTheOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("only root can write somebody else's file and keep it his")
		return
	}
	path := filepath.Join(t.TempDir(), ".npmrc")
	write(t, path, "", 0o600)
	if err := os.Chown(path, 65534, 65533); err != nil {
		t.Fatal(err)
	}
	update(t, path, value)
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if st := fi.Sys().(*syscall.Stat_t); st.Uid != 65534 || st.Gid != 65533 {
		t.Errorf("it belongs to %d:%d now", st.Uid, st.Gid)
	}
}

func TestUpdateLeavesAlone(t *testing.T) {
	dir := t.TempDir()
	fifo, big, placeholder := filepath.Join(dir, "fifo"), filepath.Join(dir, "big"), filepath.Join(dir, "placeholder")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, big, strings.Repeat("#\n", maxSize), 0o644)
	write(t, placeholder, key+"=${NPM_TOKEN}\n", 0o644)
	for path, want := range map[string]string{
		fifo:                               "not a regular file",
		dir:                                "not a regular file",
		"/dev/null":                        "not a regular file",
		big:                                "too large",
		placeholder:                        "from the environment",
		filepath.Join(dir, "no", ".npmrc"): "no such file",
	} {
		if _, err := Update(path, registry, secret.New(value)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	check(t, placeholder, key+"=${NPM_TOKEN}\n", 0o644)
}

func TestUpdateSeesAChangeAtTheLastMoment(t *testing.T) {
	for name, first := range map[string]string{"changed": "a=1\n", "made": ""} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), ".npmrc")
			if first != "" {
				write(t, path, first, 0o600)
			}
			times := 0
			beforeRename = func() {
				if times++; times == 1 {
					write(t, path, "a=1\nb=2\n", 0o600) // as npm config set does
				}
			}
			defer func() { beforeRename = func() {} }()
			update(t, path, value)
			check(t, path, "a=1\nb=2\n"+key+"="+value+"\n", 0o600)
			onlyFile(t, path)
		})
	}
}

func TestUpdateGivesUpOnAFileThatNeverRests(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".npmrc")
	n := 0
	beforeRename = func() { n++; write(t, path, fmt.Sprintf("n=%d\n", n), 0o600) }
	defer func() { beforeRename = func() {} }()
	if _, err := Update(path, registry, secret.New(value)); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	onlyFile(t, path)
}

func TestUpdateRemovesWhatAKilledOneLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[a") // no pattern
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, ".npmrc")
	write(t, filepath.Join(filepath.Dir(path), tempPrefix+"1"), "npm_leftEXAMPLE", 0o600)
	update(t, path, value)
	onlyFile(t, path)
}

// TestUpdateIsNotLockedOut: whoever may list the directory can lock it.
func TestUpdateIsNotLockedOut(t *testing.T) {
	defer func(was time.Duration) { lockTime = was }(lockTime)
	lockTime = 20 * time.Millisecond
	path := filepath.Join(t.TempDir(), ".npmrc")
	unlock, locked, err := lock(filepath.Dir(path))
	if err != nil || !locked {
		t.Fatal(locked, err)
	}
	defer unlock()
	left := filepath.Join(filepath.Dir(path), tempPrefix+"1")
	write(t, left, "", 0o600)
	update(t, path, value)
	if _, err := os.Stat(left); err != nil {
		t.Errorf("what another one writes is gone: %v", err)
	}
}

func TestUpdatesAtOnceAllLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".npmrc")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := Update(path, fmt.Sprintf("http://localhost:%d", 4000+i), secret.New(value)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b, err := os.ReadFile(path)
	if err != nil || strings.Count(string(b), value) != 20 {
		t.Errorf("%d of 20 are there, %v:\n%s", strings.Count(string(b), value), err, b)
	}
	onlyFile(t, path)
}
