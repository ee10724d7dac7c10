// Package ipc is what rotd and rot say to each other, and how.
//
// The API is HTTP/1.1 and JSON over a Unix socket, under /v1/. This package
// holds its messages (messages.go), its errors (errors.go), where the socket is
// (paths.go) and the small HTTP/1.0 client that keeps net/http out of the helper
// (client.go, http10.go, dial.go). The listener is in package socket, the
// handlers are in package daemon.
//
// Nothing here imports net, which is a part of the helper's size that it can do
// without.
package ipc
