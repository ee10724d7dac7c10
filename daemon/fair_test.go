package daemon

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rotd/ipc/socket"
)

// queue is a fairListener in whose lines a test has connections stand.
type queue struct {
	t  *testing.T
	ln *socket.Listener
	*fairListener
}

func newQueue(t *testing.T) *queue {
	ln, err := socket.Listen(t.Context(), filepath.Join(newPlace(t).dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	l := newFairListener(ln)
	l.most = 2 * connsPerParty
	return &queue{t, ln, l}
}

// come has somebody stand in line, who says who he is.
func (q *queue) come(uid uint32, pid int32, says string) net.Conn {
	q.t.Helper()
	conn, err := net.Dial("unix", q.ln.Addr().String())
	if err != nil {
		q.t.Fatal(err)
	}
	q.t.Cleanup(func() { conn.Close() })
	_, _ = io.WriteString(conn, says)
	c, err := q.ln.Next()
	if err != nil {
		q.t.Fatal(err)
	}
	c.Peer.UID, c.Peer.PID = uid, pid
	if old, full := q.enter(c); full {
		old.Close()
	}
	return conn
}

// take accepts the next one, and returns what he says.
func (q *queue) take() string {
	q.t.Helper()
	conn, err := q.Accept()
	if err != nil {
		q.t.Fatal(err)
	}
	defer conn.Close()
	b := make([]byte, 1)
	_, _ = conn.Read(b)
	return string(b)
}

// TestWhoWaitsIsTakenInTurn: one of each process of the owner's, one of each
// other user.
func TestWhoWaitsIsTakenInTurn(t *testing.T) {
	q := newQueue(t)
	owner := uint32(os.Getuid())
	const stranger = 64777
	for _, says := range "abc" {
		q.come(owner, 1, string(says))
	}
	for i, says := range "ABC" {
		q.come(stranger, int32(10+i), string(says)) // as many processes
	}
	q.come(owner, 2, "z")
	got := ""
	for range 7 {
		got += q.take()
	}
	if got != "aAzbBcC" {
		t.Errorf("taken in the order %s", got)
	}
	if len(q.all) != 0 || len(q.lines) != 0 {
		t.Errorf("left over: %d parties, %d lines", len(q.all), len(q.lines))
	}
}

// TestWhoHasLeftIsNotTaken: nobody would hear the answer. Who only has nothing
// more to say would.
func TestWhoHasLeftIsNotTaken(t *testing.T) {
	q := newQueue(t)
	owner := uint32(os.Getuid())
	q.come(owner, 1, "a").Close()
	_ = q.come(owner, 1, "b").(*net.UnixConn).CloseWrite()
	if got := q.take(); got != "b" || len(q.all) != 0 {
		t.Errorf("took %q, and %d parties are left", got, len(q.all))
	}
}

// TestALineHasAnEnd: the oldest makes room, and the newest is heard.
func TestALineHasAnEnd(t *testing.T) {
	q := newQueue(t)
	owner := uint32(os.Getuid())
	first := q.come(owner, 1, "a")
	q.come(owner, 1, "b")
	for range connsPerParty - 1 {
		q.come(owner, 1, "c")
	}
	_ = first.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := first.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the oldest is still there: %v", err)
	}
	if got := q.take(); got != "b" {
		t.Errorf("took %q", got)
	}
}

// TestAllLinesHaveAnEnd: where all who wait are too many, the oldest of the longest
// line makes room, and nobody of a shorter one.
func TestAllLinesHaveAnEnd(t *testing.T) {
	q := newQueue(t)
	q.most = 3
	owner := uint32(os.Getuid())
	first := q.come(owner, 1, "a")
	q.come(owner, 1, "b")
	q.come(owner, 2, "c")
	q.come(owner, 3, "d")
	_ = first.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := first.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the oldest of the longest line is still there: %v", err)
	}
	q.come(owner, 4, "e") // nobody has more than he
	got := ""
	for range q.most {
		got += q.take()
	}
	if got != "bcd" || q.waiting != 0 || len(q.all) != 0 || len(q.lines) != 0 {
		t.Errorf("taken in the order %s; %d wait, of %d parties", got, q.waiting, len(q.all))
	}
}

// TestWhoWaitsIsServedWhereNobodyElseCanBe: a process that can open no more files
// takes those first who have one.
func TestWhoWaitsIsServedWhereNobodyElseCanBe(t *testing.T) {
	q := newQueue(t)
	q.come(uint32(os.Getuid()), 1, "a")
	another, err := net.Dial("unix", q.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer another.Close()
	var files, none unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	none.Max = files.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	got := q.take()
	_, err = q.Accept()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	if got != "a" || !errors.Is(err, unix.EMFILE) {
		t.Errorf("took %q, and then: %v", got, err)
	}
	conn, err := q.Accept()
	if err != nil {
		t.Fatalf("once there are files again: %v", err)
	}
	conn.Close()
}

// TestTheEndOfTheListener: who waits then is hung up on.
func TestTheEndOfTheListener(t *testing.T) {
	q := newQueue(t)
	waiting := q.come(uint32(os.Getuid()), 1, "a")
	q.ln.Close()
	for range 2 {
		if _, err := q.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
	}
	_ = waiting.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := waiting.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("he still waits: %v", err)
	}
}
