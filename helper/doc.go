// Package helper is the command line rot: one file a command, Run for all.
//
// It does everything through rotd's socket, except editing an .npmrc and
// running a command. It keeps no state, knows no npm and stores no secret: what
// it reads from a file or a person goes to rotd, what rotd answers to stdout, to
// the .npmrc that was asked for, or to the child of rot exec.
//
// The program is to stay small and quick to start. Because of that package ipc
// has a client, a fmt and a json of its own, and this one a set of flags; a test
// names what must not be linked, and another how large the whole may be.
package helper
