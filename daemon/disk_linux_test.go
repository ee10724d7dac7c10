package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rotd/daemon/npm/sandbox"
	"rotd/ipc"
	"rotd/store"
)

// ownDisk marks the copy of this test binary that has a small disk of its own.
const ownDisk = "ROTD_TEST_OWN_DISK"

// onOwnDisk runs the calling test once more, in a process whose temporary
// directory is a tmpfs of 4 MB in a mount namespace of its own. It is true in
// there. Where the system lets nobody mount, it is true in this process, and
// mounted is false.
func onOwnDisk(t *testing.T) (inside, mounted bool) {
	t.Helper()
	if dir := os.Getenv(ownDisk); dir != "" {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("none", dir, "tmpfs", 0, "size=4m"); err != nil {
			t.Fatal(err)
		}
		return true, true
	}
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), ownDisk+"="+dir, "TMPDIR="+dir, "GORACE=atexit_sleep_ms=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		t.Logf("%s", out)
		return false, true
	case !errors.As(err, &exit): // it did not start
		t.Logf("no disk of its own can be had: %v", err)
		return true, false
	}
	t.Errorf("%s", out)
	return false, true
}

// disk is one that can be filled up to the last byte.
type disk struct {
	t       *testing.T
	mounted bool
}

// fill leaves no room. Without a disk of its own no file of this process may
// grow, which fails like a full one.
func (d disk) fill() {
	d.t.Helper()
	if !d.mounted {
		signal.Ignore(unix.SIGXFSZ)
		d.limit(1)
		return
	}
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); err == nil {
			continue
		} else if !errors.Is(err, unix.ENOSPC) {
			d.t.Fatal(err)
		}
		size /= 2
	}
}

func (d disk) free() {
	d.t.Helper()
	if !d.mounted {
		d.limit(unix.RLIM_INFINITY)
	} else if err := os.Remove(d.filler()); err != nil {
		d.t.Fatal(err)
	}
}

func (d disk) filler() string { return filepath.Join(os.TempDir(), "filler") }

func (d disk) limit(size uint64) {
	d.t.Helper()
	var now unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_FSIZE, &now)
	if err == nil {
		err = unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: min(size, now.Max), Max: now.Max})
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// TestTheDiskFillsUp fills it before a rotation and during each of its calls.
func TestTheDiskFillsUp(t *testing.T) {
	inside, mounted := onOwnDisk(t)
	if !inside {
		return
	}
	d := disk{t, mounted}
	r := newRig(t)
	_, rot := r.first()
	calls, told := r.callsOf(rot), 0
	for i := -1; i < calls; i++ {
		var werr *ipc.Error
		if i < 0 {
			d.fill()
			_, werr = r.stream("/v1/rotations/"+rot, ipc.Rotate{})
		} else {
			werr = r.rotateAnd(rot, i, d.fill)
		}
		r.serves(rot)
		if werr != nil {
			told++
			if !isStorage(werr) || mounted && !strings.Contains(werr.Hint, "free some space") {
				t.Errorf("full at call %d: %+v", i+1, werr)
			}
		}
		d.free()
		r.comesClean(rot)
	}
	if told < 2 { // nothing can be planned, and no value be kept
		t.Errorf("of %d rotations on a full disk %d fail", calls+1, told)
	}
	if _, werr := r.stream("/v1/rotations/"+rot, ipc.Rotate{}); werr != nil {
		t.Errorf("with room again: %+v", werr)
	}
	r.comesClean(rot)
}

// TestAStartOnAFullDisk either works or says what to do, and loses nothing.
func TestAStartOnAFullDisk(t *testing.T) {
	inside, mounted := onOwnDisk(t)
	if !inside {
		return
	}
	d := disk{t, mounted}
	cfg := newPlace(t).config(t)
	if err := run(t, cfg)(); err != nil {
		t.Fatal(err)
	}
	d.fill()
	if err := startAndStop(t, cfg); err != nil && (!errors.Is(err, store.ErrStorage) || mounted && !strings.Contains(Hint(err), "free some space")) {
		t.Errorf("%v (hint: %s)", err, Hint(err))
	}
	d.free()
	if err := startAndStop(t, cfg); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// TestAStartOnAReadOnlyDisk says what is wrong, and loses nothing.
func TestAStartOnAReadOnlyDisk(t *testing.T) {
	inside, mounted := onOwnDisk(t)
	if !inside {
		return
	}
	cfg := newPlace(t).config(t)
	if err := run(t, cfg)(); err != nil {
		t.Fatal(err)
	}
	readOnly := func(on bool) error {
		if !mounted { // and so not root either
			return os.Chmod(cfg.StateDir, map[bool]os.FileMode{true: 0o500, false: 0o700}[on])
		}
		flags := uintptr(unix.MS_REMOUNT)
		if on {
			flags |= unix.MS_RDONLY
		}
		return unix.Mount("none", os.Getenv(ownDisk), "", flags, "")
	}
	// The last connection to the database may close a moment after Run's end.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := readOnly(true)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	err := startAndStop(t, cfg)
	if mounted && (err == nil || !errors.Is(err, unix.EROFS) || Hint(err) == "") {
		t.Errorf("got %v (hint %q)", err, Hint(err))
	}
	if err := readOnly(false); err != nil {
		t.Fatal(err)
	}
	if err := startAndStop(t, cfg); err != nil {
		t.Errorf("writable again: %v", err)
	}
}

// startAndStop returns what Run says of a daemon that is stopped as soon as it
// is ready.
func startAndStop(t *testing.T, cfg Config) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg.Ready = cancel
	return Run(ctx, cfg)
}

// TestTheStateBecomesReadOnly makes the files of a running daemon immutable,
// as an ext4 that found an error does with a whole disk.
func TestTheStateBecomesReadOnly(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	old := r.serves(rot)
	files, err := filepath.Glob(filepath.Join(r.d.cfg.StateDir, "rotd.db*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	freeze := func(on bool) (err error) {
		for _, f := range files {
			err = errors.Join(err, setImmutable(f, on))
		}
		return err
	}
	t.Cleanup(func() { _ = freeze(false) })
	if err := freeze(true); err != nil {
		_ = freeze(false)
		t.Skipf("this user or this file system cannot make a file immutable: %v", err)
	}
	if writesThroughFreeze(t, r.d.cfg.StateDir) {
		t.Skip("this file system (tmpfs is one) lets a file that was open before it was made immutable be written")
	}
	_, werr := r.stream("/v1/rotations/"+rot, ipc.Rotate{})
	if werr == nil || !isStorage(werr) {
		t.Errorf("rotating: %+v", werr)
	}
	if r.serves(rot).Generation != old.Generation {
		t.Error("it rotated")
	}
	if err := freeze(false); err != nil {
		t.Fatal(err)
	}
	if _, werr := r.stream("/v1/rotations/"+rot, ipc.Rotate{}); werr != nil {
		t.Errorf("writable again: %+v", werr)
	}
	r.comesClean(rot)
}

// writesThroughFreeze tells whether an open file in dir can be written though it
// has been made immutable since, as the database's files are open here.
func writesThroughFreeze(t *testing.T, dir string) bool {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "probe"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := setImmutable(f.Name(), true); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = setImmutable(f.Name(), false) }()
	_, err = f.WriteString("x")
	return err == nil
}

// immutable is FS_IMMUTABLE_FL of linux/fs.h.
const immutable = 0x10

func setImmutable(path string, on bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return fmt.Errorf("read the flags of %s: %w", path, err)
	}
	flags &^= immutable
	if on {
		flags |= immutable
	}
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags)); err != nil {
		return fmt.Errorf("set the flags of %s: %w", path, err)
	}
	return nil
}

// callsOf are the registry's requests of one undisturbed rotation.
func (r *rig) callsOf(rot string) int {
	r.t.Helper()
	before := len(r.npm.Requests())
	if _, werr := r.stream("/v1/rotations/"+rot, ipc.Rotate{}); werr != nil {
		r.t.Fatal(werr)
	}
	return len(r.npm.Requests()) - before
}

// rotateAnd rotates, and calls f while the request number i is in flight.
func (r *rig) rotateAnd(rot string, i int, f func()) *ipc.Error {
	r.t.Helper()
	b, err := json.Marshal(map[string]any{"faults": []sandbox.Fault{
		{Path: "/", Count: i, Kind: sandbox.FaultSlow}, // these pass
		{Path: "/", Count: 1, Kind: sandbox.FaultSlow, DelayMS: 500},
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.switches(string(b))
	done := make(chan *ipc.Error, 1)
	go func() { _, werr := r.stream("/v1/rotations/"+rot, ipc.Rotate{}); done <- werr }()
	r.await("the request", func() bool { return r.npm.Switches().Faults[1].Count == 0 })
	f()
	return <-done
}

// isStorage reports whether an error tells of the disk and what to do.
func isStorage(err *ipc.Error) bool {
	return err.Code == ipc.CodeStorage && err.Hint != "" && strings.Contains(err.Message, store.ErrStorage.Error())
}
