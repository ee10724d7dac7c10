// Package socket is rotd's end of the socket: the listener (listen.go,
// accept.go) and the credentials of whoever connects (peer.go, peer_*.go).
//
// It promises that a socket made by Listen is never open to another user, on
// Linux not even between bind and chmod (elsewhere its private directory sees to
// that), one made by ListenFor only to its group, and that a peer whose user cannot be told is refused rather than taken
// for root.
package socket
