package daemon

import (
	"net"
	"sync"

	"rotd/ipc/socket"
)

// readersAtOnce is how many connections of one process are being read from.
const readersAtOnce = 2

// fairListener shares the processor out by the processes that call, and not by
// their connections: what one process sends over hundreds of them is looked at
// by readersAtOnce goroutines, while another's only request is by one.
type fairListener struct {
	net.Listener
	mu  sync.Mutex
	all map[int32]*process
}

// process is one that has connections.
type process struct {
	n     int
	turns chan struct{}
}

func newFairListener(ln net.Listener) *fairListener {
	return &fairListener{Listener: ln, all: make(map[int32]*process)}
}

// Accept returns the next connection.
func (l *fairListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	p, _ := socket.PeerOf(c)
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.all[p.PID]
	if of == nil {
		of = &process{turns: make(chan struct{}, readersAtOnce)}
		l.all[p.PID] = of
	}
	of.n++
	return &fairConn{Conn: c, of: of, closed: make(chan struct{}), leave: func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if of.n--; of.n == 0 && l.all[p.PID] == of {
			delete(l.all, p.PID)
		}
	}}, nil
}

// fairConn has a turn of its process from when something was read until the next
// Read, or the end.
type fairConn struct {
	net.Conn
	of    *process
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
