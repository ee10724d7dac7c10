package daemon

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"

	"rotd/ipc"
	"rotd/ipc/socket"
)

// access says who may call a path.
type access int

const (
	// accessOwner: the daemon's own user and root.
	accessOwner access = iota + 1
	// accessReader: whoever may read the ROT that the path names: the owner, and
	// whom a grant names.
	accessReader
	// accessAnyone: every user who can reach the socket.
	accessAnyone
)

type peerKey struct{}

// withPeer puts the peer of a connection into the context of its requests.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	if fair, ok := c.(*fairConn); ok {
		c = fair.Conn
	}
	if p, ok := socket.PeerOf(c); ok {
		return context.WithValue(ctx, peerKey{}, p)
	}
	return ctx
}

// peerOf is the caller of a request; false where it is not known, which no
// access allows.
func peerOf(ctx context.Context) (socket.Peer, bool) {
	p, ok := ctx.Value(peerKey{}).(socket.Peer)
	return p, ok
}

// uidOf is the caller's uid; nil where it is not known.
func uidOf(r *http.Request) *uint32 {
	p, ok := peerOf(r.Context())
	if !ok {
		return nil
	}
	return &p.UID
}

// ownUID is the daemon's. To ask for it each time would be a tenth of a get.
var ownUID = uint32(os.Getuid())

// isOwner: the daemon's own user and root may do everything.
func isOwner(p socket.Peer) bool { return p.UID == ownUID || p.UID == 0 }

// admit decides whether the caller of r may have what is behind need. Where
// that is a ROT's value, read decides.
func admit(r *http.Request, need access) *ipc.Error {
	p, ok := peerOf(r.Context())
	if !ok {
		return &ipc.Error{Code: ipc.CodeNotAllowed, Message: "the kernel does not say who you are"}
	}
	if isOwner(p) || need != accessOwner {
		return nil
	}
	return &ipc.Error{
		Code:    ipc.CodeNotAllowed,
		Message: fmt.Sprintf("uid %d may not do this: it is for the user who runs rotd (uid %d) and for root", p.UID, os.Getuid()),
		Hint:    "ask that user, or run a rotd of your own: rotd run",
	}
}

// fromBrowser tells a request that a web page could have caused. No program of
// ours sends these headers, and rotd is never far from a browser.
func fromBrowser(r *http.Request) bool {
	if r.Header.Get("Origin") != "" || r.Header.Get("Referer") != "" {
		return true
	}
	switch r.Host {
	case "rotd", "localhost", "": // "" is HTTP/1.0 without a Host
		return false
	}
	return true
}
