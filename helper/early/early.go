// Package early is rot get REF before Go's runtime has started.
//
// Starting the runtime takes a Go program longer than all that rot get does: its
// threads, its heap and its signal handlers are half of the process's time. So the
// linker is told (-E, in the Makefile) that rot begins at entry, which looks whether
// this is a plain rot get of the user's own, asks rotd, prints the value, and ends.
// In every other case it goes on to where Go's programs begin, and nothing is lost:
// what was asked by then Connection hands over, with what has been answered. The
// look waits some milliseconds at most. Built without -E rot does all the same, and
// later.
//
// What runs there has no heap, no panics and no goroutines: every function is nosplit
// and calls nothing but others here, syscall.RawSyscall6 and runtime.memequal, which
// a test of cmd/rot sees to; the linker, that a few hundred bytes of stack are enough.
// It judges nothing itself. Whatever is not as
// it nearly always is, a flag, an access token, an error, a value past its expiry,
// is left to the program that follows, so that each of these is dealt with once.
package early

// LinkPrefix begins the name of a link to rot that pnpm runs to get a token
// (tokenHelper), without arguments: the reference follows in the name.
const LinkPrefix = "rot-helper-"
