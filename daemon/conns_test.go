package daemon

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"rotd/ipc"
)

// dial connects to the daemon behind c.
func dial(t *testing.T, c *ipc.Client) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", c.Socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestClientsThatNeverComeToAnEnd: each of them is let go in time.
func TestClientsThatNeverComeToAnEnd(t *testing.T) {
	r := newRig(t)
	srv := r.listen()
	clients := map[string]struct{ begin, drip string }{
		"says nothing":    {"", ""},
		"drips a header":  {"GET /v1/version HTTP/1.1\r\nHost: rotd\r\n", "X-More: and more\r\n"},
		"drips a body":    {"POST /v1/approvals HTTP/1.1\r\nHost: rotd\r\nContent-Length: 60000\r\n\r\n", " "},
		"keeps a promise": {"PUT /v1/rots/ci/schedule HTTP/1.1\r\nHost: rotd\r\nOrigin: null\r\nContent-Length: 60000\r\n\r\n", " "},
	}
	var all sync.WaitGroup
	for name, c := range clients {
		conn := dial(t, srv)
		all.Go(func() {
			_, _ = io.WriteString(conn, c.begin)
			go func() {
				for c.drip != "" {
					if _, err := io.WriteString(conn, c.drip); err != nil {
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			}()
			_ = conn.SetReadDeadline(time.Now().Add(3 * bodyTime))
			if _, err := io.Copy(io.Discard, conn); isTimeout(err) {
				t.Errorf("a client that %s is still there", name)
			}
		})
	}
	all.Wait()
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

func TestAGigabyteIsNotTaken(t *testing.T) {
	r := newRig(t)
	srv := r.listen()
	for _, path := range []string{"POST /v1/approvals", "PUT /v1/rots/ci/schedule", "POST /nowhere"} {
		conn := dial(t, srv)
		fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: rotd\r\nContent-Length: %d\r\n\r\n", path, 1<<30)
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		sent := 0
		chunk := []byte(strings.Repeat(" ", 64<<10))
		for sent < 1<<30 {
			n, err := conn.Write(chunk)
			if sent += n; err != nil {
				break
			}
		}
		if sent > 8<<20 {
			t.Errorf("%s: %d bytes were taken", path, sent)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			continue // the answer was lost with the connection
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

func TestTheOwnerIsHeardAmongMany(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	srv := r.listen()
	idle := make([]net.Conn, 1000)
	for i := range idle {
		idle[i] = dial(t, srv)
	}
	for range 20 {
		if err := srv.Get(t.Context(), ipc.Path(ipc.PathToken, rot), new(ipc.Token)); err != nil {
			t.Fatal(err)
		}
	}
	r.await("the closing of those that were too many", func() bool {
		open := 0
		for _, c := range idle {
			_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err := c.Read(make([]byte, 1)); isTimeout(err) {
				open++
			}
		}
		return open <= connsPerParty
	})
	_ = idle[len(idle)-1].SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprint(idle[len(idle)-1], "GET /v1/version HTTP/1.0\r\n\r\n")
	if b, err := io.ReadAll(idle[len(idle)-1]); !strings.Contains(string(b), `"api":`) {
		t.Errorf("the newest of them was closed too: %q, %v", b, err)
	}
}

func TestStreamsLeaveRoomForTheRest(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	srv := r.listen()
	for range streamsPerUID {
		conn := dial(t, srv)
		fmt.Fprint(conn, "GET /v1/log?follow=1 HTTP/1.1\r\nHost: rotd\r\n\r\n")
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	var last error
	for _, err := range srv.Lines(t.Context(), ipc.PathLog+"?follow=1") {
		last = err
		break
	}
	if e, ok := last.(*ipc.Error); !ok || e.Code != ipc.CodeBusy || e.Hint == "" {
		t.Errorf("one stream more: %v", last)
	}
	if err := srv.Get(t.Context(), ipc.Path(ipc.PathToken, rot), new(ipc.Token)); err != nil {
		t.Errorf("a value: %v", err)
	}
	var e *ipc.Error
	if err := srv.Post(t.Context(), ipc.Path(ipc.PathAnswer, "none"), ipc.Answer{}, nil); err != nil {
		e, _ = err.(*ipc.Error)
	}
	if e == nil || e.Code != ipc.CodeNotFound {
		t.Errorf("an answer to a question: %v", e)
	}
}

// TestWhoHasTheMostLoses: the connections of one caller never cost another
// his own, while the first has more.
func TestWhoHasTheMostLoses(t *testing.T) {
	cs := newConns()
	cs.max = 10
	conns := make(map[int32][]*pipe)
	open := func(pid int32, n int) {
		for range n {
			p := &pipe{}
			conns[pid] = append(conns[pid], p)
			cs.add(&conn{Conn: p, of: party{7, pid}})
		}
	}
	open(1, 2)
	open(2, 8)
	open(1, 3)
	for i, p := range conns[2] {
		if p.closed != (i < 3) {
			t.Errorf("connection %d of the one with the most: closed %v", i, p.closed)
		}
	}
	for i, p := range conns[1] {
		if p.closed {
			t.Errorf("connection %d of the other was closed", i)
		}
	}
	for _, ps := range conns {
		for _, p := range ps {
			cs.changed(p, http.StateClosed)
		}
	}
	if len(cs.open) != 0 || len(cs.of) != 0 {
		t.Errorf("left over: %d connections, %d processes", len(cs.open), len(cs.of))
	}
}

type pipe struct {
	net.Conn
	closed bool
}

func (p *pipe) Close() error { p.closed = true; return nil }
