package daemon

import (
	"bytes"
	"container/list"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"rotd/ipc"
)

// What rotd has for those who talk to it. No caller is turned away for the
// connections he has open: he loses those that have waited the longest without
// a request, and no other does. So a new one is always heard.
const (
	connsPerParty = 256
	connsInAll    = 1024
	// streamsPerUID are requests that may take long, as rotations do.
	streamsPerUID = 128
	// lookersAtOnce are requests that only look, and not for a value: whoever
	// asks for a value does not stand in line behind them.
	lookersAtOnce = 2
	// visitorsAtOnce are others than the owner whose right to a value is looked
	// up: whatever they do, half of the store is his.
	visitorsAtOnce = 2
	// waitingPerUID are requests that wait for others to be done.
	waitingPerUID = 32
	// maxBody bounds a request's body, in bytes; the largest honest one holds a
	// passkey, where its route says nothing else. It has bodyTime to arrive.
	maxBody  = 64 << 10
	bodyTime = 10 * time.Second
)

// conns are the open connections.
type conns struct {
	max int

	mu   sync.Mutex
	open map[net.Conn]*conn
	of   map[party]*connsOf
}

// connsOf are those of one caller. The ones without a request wait, in front the
// one that has done so for the longest.
type connsOf struct {
	n       int
	waiting list.List // of *conn
}

type conn struct {
	net.Conn
	of   party
	wait *list.Element // nil during a request, and at the end
}

type connKey struct{}

func newConns() *conns {
	return &conns{max: maxConns(), open: make(map[net.Conn]*conn), of: make(map[party]*connsOf)}
}

// maxConns bounds the open connections, and likewise those that wait to be
// accepted. Half of the files that the process may open are left to the rest of it.
func maxConns() int {
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil {
		return int(min(uint64(connsInAll), uint64(files.Cur)/4))
	}
	return connsInAll
}

// enter is net/http's ConnContext: it takes a new connection in.
func (cs *conns) enter(ctx context.Context, nc net.Conn) context.Context {
	ctx = withPeer(ctx, nc)
	p, _ := peerOf(ctx)
	c := &conn{Conn: nc, of: partyOf(p)}
	cs.add(c)
	return context.WithValue(ctx, connKey{}, c)
}

// add counts a connection, for which one of its caller's goes where he
// has too many, or else one of whoever has the most.
func (cs *conns) add(c *conn) {
	cs.mu.Lock()
	us := cs.of[c.of]
	if us == nil {
		us = new(connsOf)
		cs.of[c.of] = us
	}
	us.n++
	cs.open[c.Conn] = c
	c.wait = us.waiting.PushBack(c)
	gone := cs.surplus(us)
	cs.mu.Unlock()
	if gone != nil {
		_ = gone.Close() // its goroutine notices and ends
		// Before the next is accepted, those that have come may begin their
		// requests, and those whose callers have left may end.
		runtime.Gosched()
	}
}

// surplus removes the connection that has to go, if one has.
func (cs *conns) surplus(us *connsOf) *conn {
	if us.n <= connsPerParty {
		if len(cs.open) <= cs.max {
			return nil
		}
		for _, other := range cs.of {
			if other.n > us.n && other.waiting.Len() > 0 {
				us = other
			}
		}
	}
	c := us.waiting.Front().Value.(*conn)
	cs.remove(c)
	return c
}

// remove forgets a connection. It may be forgotten already.
func (cs *conns) remove(c *conn) {
	if cs.open[c.Conn] != c {
		return
	}
	delete(cs.open, c.Conn)
	us := cs.of[c.of]
	if c.wait != nil {
		us.waiting.Remove(c.wait)
		c.wait = nil
	}
	if us.n--; us.n == 0 {
		delete(cs.of, c.of)
	}
}

// changed is net/http's ConnState.
func (cs *conns) changed(nc net.Conn, state http.ConnState) {
	if state != http.StateClosed {
		return
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c := cs.open[nc]; c != nil {
		cs.remove(c)
	}
}

// busy keeps the connections on which h serves a request from being closed.
func (cs *conns) busy(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(connKey{}).(*conn)
		cs.mu.Lock()
		if cs.open[c.Conn] != c { // closed in the last instant
			cs.mu.Unlock()
			return
		}
		cs.of[c.of].waiting.Remove(c.wait)
		c.wait = nil
		cs.mu.Unlock()
		defer func() {
			cs.mu.Lock()
			defer cs.mu.Unlock()
			if cs.open[c.Conn] == c {
				c.wait = cs.of[c.of].waiting.PushBack(c)
			}
		}()
		h.ServeHTTP(w, r)
	})
}

// counts are numbers of requests, by uid. The zero value counts.
type counts struct {
	mu sync.Mutex
	of map[uint32]int
}

// add counts one of what, until done is called, and refuses one beyond most.
func (s *counts) add(r *http.Request, most int, what string) (done func(), err error) {
	p, _ := peerOf(r.Context())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[p.UID] >= most {
		return nil, &ipc.Error{
			Code:    ipc.CodeBusy,
			Message: fmt.Sprintf("uid %d has %d %s, and more are not taken", p.UID, most, what),
			Hint:    "wait until some have ended, or end them",
		}
	}
	if s.of == nil {
		s.of = make(map[uint32]int)
	}
	s.of[p.UID]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.of[p.UID]--; s.of[p.UID] == 0 {
			delete(s.of, p.UID)
		}
	}, nil
}

// turns let so many requests in at a time, while some of each uid wait.
// Those of callers who have left are among them, for all that is known: so more
// than a few are not let in.
type turns struct {
	slots   chan struct{}
	waiting counts
}

func newTurns(atOnce int) *turns { return &turns{slots: make(chan struct{}, atOnce)} }

// take waits for a turn, until leave is called.
func (t *turns) take(r *http.Request) (leave func(), err error) {
	done, err := t.waiting.add(r, waitingPerUID, "requests waiting")
	if err != nil {
		return nil, err
	}
	defer done()
	select {
	case t.slots <- struct{}{}:
		return func() { <-t.slots }, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// takesLong tells a request that may hold its connection for more than moments.
func takesLong(r *http.Request) bool {
	return r.Method == http.MethodPost && r.Pattern != "POST "+ipc.PathAnswer || r.URL.RawQuery != "" && r.URL.Query().Has("follow")
}

// takeTime gives what is left of a request the time it may take, whether it is
// read or, after a refusal, discarded.
func takeTime(w http.ResponseWriter, r *http.Request) {
	if r.Body != http.NoBody {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	}
}

// takeBody reads the body, so that no handler waits for it and nothing is done
// for half a request.
func takeBody(w http.ResponseWriter, r *http.Request, most int64) error {
	if r.Body == http.NoBody {
		return nil
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		return badRequest("the request's body cannot be read: "+err.Error(), fmt.Sprintf("it has %s, and %d bytes are the most", bodyTime, most))
	}
	r.Body = io.NopCloser(bytes.NewReader(b))
	// The connection is watched for its end from here on, without a limit.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return nil
}
