package daemon

import (
	"errors"
	"net"
	"slices"
	"sync"

	"rotd/ipc/socket"
)

// readersAtOnce is how many connections of one caller are being read from.
const readersAtOnce = 2

// party is by whom connections are counted, and taken in turn: a process of the
// owner's, or another user with all of his processes.
type party struct {
	uid uint32
	pid int32 // 0: all
}

func partyOf(p socket.Peer) party {
	if isOwner(p) {
		return party{p.UID, p.PID}
	}
	return party{uid: p.UID}
}

// fairListener shares the processor out by those who call, and not by their
// connections: of each caller who waits one connection is accepted in turn, and
// what one sends over hundreds of them is looked at by readersAtOnce goroutines,
// while another's only request is by one.
//
// The kernel hands connections out in the order in which they came. So whenever
// one is accepted, all that have come are taken from it, and stand in lines here:
// connsPerParty in each, where the oldest makes room for one more, as that of the
// longest line does where all are too many.
type fairListener struct {
	*socket.Listener
	most int                // in all lines
	gone chan socket.Caller // to be closed, which takes the longer the more was sent; nil: at the end

	mu      sync.Mutex
	all     map[party]*line
	lines   []*line // those with connections in them, the next one in front
	waiting int     // in all of these
}

// line is a party with connections.
type line struct {
	n       int
	turns   chan struct{}
	waiting []socket.Caller // to be accepted
}

func newFairListener(ln *socket.Listener) *fairListener {
	gone := make(chan socket.Caller, connsPerParty)
	go func() {
		for c := range gone {
			c.Close()
		}
	}()
	return &fairListener{Listener: ln, all: make(map[party]*line), most: maxConns(), gone: gone}
}

// gather has those who have come stand in line, and waits for somebody where
// nobody stands there.
func (l *fairListener) gather() error {
	for range connsPerParty { // and then one is accepted, whoever else comes
		if len(l.lines) == 0 {
			c, err := l.Next()
			if err != nil {
				return err
			}
			l.enter(c)
		} else if c, ok, err := l.Ready(); !ok {
			return err
		} else if old, full := l.enter(c); full {
			l.gone <- old
		}
	}
	return nil
}

// end hangs up on those who still wait.
func (l *fairListener) end() {
	if l.gone == nil {
		return
	}
	for _, of := range l.lines {
		for _, c := range of.waiting {
			c.Close()
		}
	}
	l.lines, l.waiting = nil, 0
	close(l.gone)
	l.gone = nil
}

// enter has a connection stand in line. Where that is full, or all are, old has to
// go.
func (l *fairListener) enter(c socket.Caller) (old socket.Caller, full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	who := partyOf(c.Peer)
	of := l.all[who]
	if of == nil {
		of = &line{turns: make(chan struct{}, readersAtOnce)}
		l.all[who] = of
	}
	if len(of.waiting) == 0 {
		l.lines = append(l.lines, of)
	}
	of.n++
	of.waiting = append(of.waiting, c)
	l.waiting++
	if len(of.waiting) <= connsPerParty {
		if l.waiting <= l.most {
			return old, false
		}
		for _, other := range l.lines {
			if len(other.waiting) > len(of.waiting) {
				of = other
			}
		}
	}
	old = l.pop(of)
	l.leaveLocked(of, partyOf(old.Peer))
	return old, true
}

// pop takes the oldest of a line.
func (l *fairListener) pop(of *line) socket.Caller {
	c := of.waiting[0]
	if of.waiting = of.waiting[1:]; len(of.waiting) == 0 {
		l.lines = slices.DeleteFunc(l.lines, func(other *line) bool { return other == of })
	}
	l.waiting--
	return c
}

// leave is called for a connection that has ended.
func (l *fairListener) leave(of *line, who party) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaveLocked(of, who)
}

func (l *fairListener) leaveLocked(of *line, who party) {
	if of.n--; of.n == 0 {
		delete(l.all, who)
	}
}

// Accept returns the next connection that still has a caller. It is for one
// goroutine.
func (l *fairListener) Accept() (net.Conn, error) {
	for {
		err := l.gather()
		if errors.Is(err, net.ErrClosed) {
			l.end()
			return nil, err
		}
		if err != nil && len(l.lines) == 0 {
			return nil, err // net/http waits, and asks again
		}
		c, of := l.next()
		who := partyOf(c.Peer)
		if c.Gone() {
			c.Close()
		} else if conn, err := c.Conn(); err == nil {
			return &fairConn{Conn: conn, of: of, closed: make(chan struct{}), leave: func() { l.leave(of, who) }}, nil
		}
		l.leave(of, who)
	}
}

// next takes one from the line in front, which goes to the end of the lines.
func (l *fairListener) next() (socket.Caller, *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.lines[0]
	c := l.pop(of)
	if len(of.waiting) > 0 {
		l.lines = append(l.lines[1:], of)
	}
	return c, of
}

// fairConn has a turn of its party from when something was read until the next
// Read, or the end.
type fairConn struct {
	net.Conn
	of    *line
	leave func()

	mu     sync.Mutex
	has    bool
	done   bool
	closed chan struct{}
}

// Read waits for a turn once there is something.
func (c *fairConn) Read(b []byte) (int, error) {
	c.yield()
	n, err := c.Conn.Read(b)
	if n == 0 {
		return n, err
	}
	select {
	case c.of.turns <- struct{}{}:
	case <-c.closed:
		return n, err
	}
	c.mu.Lock()
	c.has = true
	done := c.done
	c.mu.Unlock()
	if done {
		c.yield()
	}
	return n, err
}

func (c *fairConn) yield() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.has {
		c.has = false
		<-c.of.turns
	}
}

// Close gives the turn back.
func (c *fairConn) Close() error {
	c.mu.Lock()
	first := !c.done
	c.done = true
	c.mu.Unlock()
	if first {
		close(c.closed)
		c.leave()
	}
	c.yield()
	return c.Conn.Close()
}
