// Package ipc is what rotd and rot say to each other, and how.
//
// The API is HTTP/1.1 and JSON over a Unix socket, under /v1/. This package
// holds its messages (messages.go), its errors (errors.go), where the socket is
// (paths.go), the listener with the peer's credentials (listen.go, peer_*.go)
// and the small HTTP/1.0 client that keeps net/http out of the helper
// (client.go, http10.go, dial.go). The handlers are in package daemon.
//
// It promises that a socket made by Listen is never open to another user, on
// Linux not even between bind and chmod (elsewhere its private directory sees to
// that), and that a peer whose user cannot be told is refused rather than taken
// for root.
package ipc
