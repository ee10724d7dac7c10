package socket

import (
	"net"
	"time"
)

// Peer is the process at the other end of a connection, by the kernel's word
// at the time it connected.
type Peer struct {
	UID uint32
	GID uint32 // its primary group
	PID int32  // it may have ended since, and the number be another's: for logs only
}

// peerConn is a connection with the peer that it was accepted from.
type peerConn struct {
	*net.UnixConn
	peer Peer
}

// writeTime is how long a peer may take nothing of what is written to it.
const writeTime = 30 * time.Second

// Write gives up on a peer that does not read.
func (c *peerConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	return c.UnixConn.Write(b)
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
