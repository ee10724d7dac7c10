package ipc

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// dialed is a connection as rot has it, and its other end.
func dialed(t *testing.T) (near *conn, far net.Conn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "t") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ln, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if near, err = connect(t.Context(), ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	return near, far
}

// TestCloseEndsARead that waits, whoever closes.
func TestCloseEndsARead(t *testing.T) {
	near, _ := dialed(t)
	ended := make(chan error, 1)
	go func() {
		_, err := near.Read(make([]byte, 1))
		ended <- err
	}()
	for busy := false; !busy; time.Sleep(time.Millisecond) {
		near.mu.Lock()
		busy = near.using > 0
		near.mu.Unlock()
	}
	if err := near.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the read ended with something to read")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the read goes on")
	}
	_, read := near.Read(make([]byte, 1))
	_, written := near.Write([]byte("x"))
	for _, err := range []error{near.Close(), read, written} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("once it is closed: %v", err)
		}
	}
}

func TestConnCarriesAll(t *testing.T) {
	near, far := dialed(t)
	const much = 1 << 20 // more than fits into the socket
	go func() {
		_, _ = near.Write(make([]byte, much))
		_ = near.Close()
	}()
	if b, err := io.ReadAll(far); err != nil || len(b) != much {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestConnReadsToTheEnd(t *testing.T) {
	near, far := dialed(t)
	if _, err := far.Write([]byte("all")); err != nil {
		t.Fatal(err)
	}
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(near); err != nil || string(b) != "all" {
		t.Errorf("%q, %v", b, err)
	}
	if err := near.Close(); err != nil {
		t.Error(err)
	}
}

// TestDeadlines: nobody waits longer for a rotd that neither reads nor answers, and
// without a deadline he waits on.
func TestDeadlines(t *testing.T) {
	near, far := dialed(t)
	defer near.Close()
	const patience = 4 * soon
	start := time.Now()
	_ = near.SetDeadline(start.Add(patience))
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) < patience {
		t.Errorf("a read ended after %v: %v", time.Since(start), err)
	}
	_ = near.SetDeadline(time.Time{})
	go func() {
		time.Sleep(patience)
		_, _ = far.Write([]byte("late"))
	}()
	if n, err := near.Read(make([]byte, 9)); n != 4 || err != nil {
		t.Errorf("without a deadline: %d bytes, %v", n, err)
	}
	_ = near.SetDeadline(time.Now().Add(patience))
	if n, err := near.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n == 1<<20 {
		t.Errorf("a write ended after %d bytes: %v", n, err)
	}
}

// TestAFullQueueIsWaitedFor: more have come than rotd has let in.
func TestAFullQueueIsWaitedFor(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	fd, err := newSocket()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	first, err := connect(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	stop := errors.New("that is enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(2*connectPause, func() { cancel(stop) })
	if _, err := connect(ctx, path); !errors.Is(err, stop) {
		t.Errorf("whoever did not want to wait any more: %v", err)
	}
	time.AfterFunc(2*connectPause, func() {
		if conn, _, err := unix.Accept(fd); err == nil {
			_ = unix.Close(conn)
		}
	})
	second, err := connect(t.Context(), path)
	if err != nil {
		t.Fatalf("once there was room: %v", err)
	}
	_ = second.Close()
}

// TestAsked: a connection on which something was asked is for whoever asks that.
func TestAsked(t *testing.T) {
	ours := func() (rotd int, conn io.ReadWriteCloser) {
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Close(fds[1]) })
		return fds[1], Asked(fds[0], []byte("GET /"), []byte("HTTP/"))
	}
	rotd, conn := ours()
	if n, err := conn.Write([]byte("GET /")); n != 5 || err != nil {
		t.Errorf("the same again: %d, %v", n, err)
	}
	if _, err := syscall.Write(rotd, []byte("1.0")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 8)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "HTTP/1.0" {
		t.Errorf("the answer is %q, %v", got, err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	_, conn = ours()
	if _, err := conn.Write([]byte("GET /x")); err == nil {
		t.Error("something else can be asked")
	}
	if n, err := conn.Read(got); err == nil {
		t.Errorf("it is answered: %q", got[:n])
	}
}
