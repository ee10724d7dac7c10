package socket

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"time"
)

// Peer is the process at the other end of a connection, by the kernel's word
// at the time it connected.
type Peer struct {
	UID uint32
	GID uint32 // its primary group
	PID int32  // it may have ended since, and the number be another's: for logs only
}

// peerConn is a connection with the peer that it was accepted from. It is the file
// itself: what package net makes of a file takes a dozen system calls more.
type peerConn struct {
	file   *os.File
	peer   Peer
	remote net.Addr
}

func (c *peerConn) Read(b []byte) (int, error) {
	n, err := c.file.Read(b)
	return n, opError("read", err)
}

// writeTime is how long a peer may take nothing of what is written to it.
const writeTime = 30 * time.Second

// Write gives up on a peer that does not read.
func (c *peerConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	n, err := c.file.Write(b)
	return n, opError("write", err)
}

func (c *peerConn) Close() error { return opError("close", c.file.Close()) }

// LocalAddr is nobody's business: it is the Listener's.
func (c *peerConn) LocalAddr() net.Addr  { return new(net.UnixAddr) }
func (c *peerConn) RemoteAddr() net.Addr { return c.remote }

func (c *peerConn) SetDeadline(t time.Time) error { return opError("set", c.file.SetDeadline(t)) }

func (c *peerConn) SetReadDeadline(t time.Time) error {
	return opError("set", c.file.SetReadDeadline(t))
}

func (c *peerConn) SetWriteDeadline(t time.Time) error {
	return opError("set", c.file.SetWriteDeadline(t))
}

// opError makes a file's error that of a connection, which net/http knows.
func opError(op string, err error) error {
	e, ok := errors.AsType[*fs.PathError](err)
	switch {
	case errors.Is(err, fs.ErrClosed):
		return net.ErrClosed
	case !ok:
		return err
	}
	return &net.OpError{Op: op, Net: "unix", Err: e.Err}
}

// PeerOf tells the peer of a connection that a Listener accepted. It is false
// for every other: whoever asks must then refuse, as the zero Peer is root's.
func PeerOf(c net.Conn) (Peer, bool) {
	pc, ok := c.(*peerConn)
	if !ok {
		return Peer{}, false
	}
	return pc.peer, true
}
