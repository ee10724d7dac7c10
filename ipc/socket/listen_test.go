package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// dialEnv makes this test binary the peer: it connects to the socket, prints
// what it is told and ends.
const dialEnv = "ROTD_TEST_DIAL"

func TestMain(m *testing.M) {
	if path := os.Getenv(dialEnv); path != "" {
		if _, err := net.Dial("unix", path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the test closes it
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// socketDir is short enough for a socket's path, which t.TempDir is not.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func listen(t *testing.T, path string) *Listener {
	t.Helper()
	ln, err := Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func TestPeerIsTheProcessThatConnected(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	ln := listen(t, path)

	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), dialEnv+"="+path)
	if os.Getuid() == 0 {
		// Another user may connect only where we let it: here we do.
		for _, p := range []string{filepath.Dir(path), path} {
			if err := os.Chmod(p, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		cmd.Path = copyForAll(t, os.Args[0])
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65533}}
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, ok := PeerOf(conn)
	want := Peer{UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), PID: int32(cmd.Process.Pid)}
	if cmd.SysProcAttr != nil {
		want.UID, want.GID = 65534, 65533
	}
	if !ok || got != want {
		t.Errorf("PeerOf = %+v, %v, want %+v", got, ok, want)
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// copyForAll copies the program to where every user may run it.
func copyForAll(t *testing.T, program string) string {
	t.Helper()
	dir := socketDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(dir, "peer")
	if err := os.WriteFile(dst, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return dst
}

func TestAnyOtherConnectionHasNoPeer(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if peer, ok := PeerOf(a); ok {
		t.Errorf("PeerOf(pipe) = %+v", peer)
	}
}

func TestSocketIsPrivateWhateverTheUmask(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o077} {
		old := syscall.Umask(mask)
		dir := filepath.Join(socketDir(t), "rotd")
		ln, err := Listen(t.Context(), filepath.Join(dir, "s"))
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]os.FileMode{
			dir:                               os.ModeDir | 0o700,
			filepath.Join(dir, "s"):           os.ModeSocket | 0o600,
			filepath.Join(dir, "s") + ".lock": 0o600,
		} {
			fi, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			if fi.Mode() != want {
				t.Errorf("umask %03o: %s has mode %v, want %v", mask, path, fi.Mode(), want)
			}
		}
		ln.Close()
	}
}

// TestSocketIsPrivateFromItsFirstMoment has somebody look at the path all the
// time while sockets come and go there.
func TestSocketIsPrivateFromItsFirstMoment(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	path := filepath.Join(socketDir(t), "s")
	var seen, open atomic.Int64
	ctx, end := context.WithCancel(t.Context())
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for ctx.Err() == nil {
			if fi, err := os.Lstat(path); err == nil {
				seen.Add(1)
				if fi.Mode().Perm() != 0o600 {
					open.Add(1)
				}
			}
		}
	})
	for range 500 {
		ln, err := bind(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		ln.Close()
	}
	end()
	if watcher.Wait(); seen.Load() == 0 || open.Load() > 0 {
		t.Errorf("of %d looks at a socket %d saw one that was open to others", seen.Load(), open.Load())
	}
}

func TestSecondDaemonIsKeptOut(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	first := listen(t, path)
	if _, err := Listen(t.Context(), path); !errors.Is(err, ErrInUse) {
		t.Fatalf("second Listen: %v, want ErrInUse", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("the first one's socket is gone: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there after Close: %v", err)
	}
	listen(t, path)
}

func TestLiveSocketWithoutALockIsKept(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	other, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := Listen(t.Context(), path); !errors.Is(err, ErrInUse) {
		t.Errorf("Listen: %v, want ErrInUse", err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	listen(t, path)
}

func TestListenLeavesAloneWhatIsNotItsOwn(t *testing.T) {
	dir := socketDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link+".lock"); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file:                                  "not a socket",
		filepath.Join(open, "s"):              "others may write",
		filepath.Join(dir, "no", "such", "s"): "no such file",
		filepath.Join(file, "s"):              "not a directory",
		link:                                  "lock file",
		filepath.Join(dir, strings.Repeat("x", 108)): "bytes long",
	} {
		ln, err := Listen(t.Context(), path)
		if err == nil {
			ln.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Listen(%s): %v, want %q", path, err, want)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file is now %q, %v", b, err)
	}
}

func TestAcceptGoesOnAfterABadPeer(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	ln := listen(t, path)
	var refused []error
	ln.Refused = func(err error) { refused = append(refused, err) }
	asked := 0
	ln.peer = func(fd int) (Peer, error) {
		if asked++; asked < 3 {
			return Peer{}, errors.New("no credentials")
		}
		return peerCred(fd)
	}
	for range 3 {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, ok := PeerOf(c); !ok || len(refused) != 2 {
		t.Errorf("peer known: %v; refused: %v", ok, refused)
	}
	ln.Close()
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
}

func TestSocketOfAGroup(t *testing.T) {
	gid := os.Getgid()
	if os.Getuid() == 0 {
		gid = 65533
	}
	dir := filepath.Join(socketDir(t), "rotd")
	ln, err := ListenFor(t.Context(), filepath.Join(dir, "s"), gid)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for path, want := range map[string]os.FileMode{
		dir:                               os.ModeDir | 0o750,
		filepath.Join(dir, "s"):           os.ModeSocket | 0o660,
		filepath.Join(dir, "s") + ".lock": 0o600,
	} {
		fi, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := fi.Sys().(*syscall.Stat_t).Gid; fi.Mode() != want || path != dir+"/s.lock" && got != uint32(gid) {
			t.Errorf("%s has mode %v and group %d, want %v and %d", path, fi.Mode(), got, want, gid)
		}
	}
	if os.Getuid() == 0 {
		return // who may give to any group
	}
	if ln, err := ListenFor(t.Context(), filepath.Join(socketDir(t), "s"), 0); err == nil {
		ln.Close()
		t.Error("a socket for a group that we are not in")
	}
}
