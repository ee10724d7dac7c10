package helper

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"rotd/ipc/fmt"
)

// terminal is where a person is asked: /dev/tty, so that questions work while
// stdin and stdout are used for something else.
type terminal struct{ f *os.File }

// person opens the terminal, or tells that nobody is there to be asked: in a
// script, with the standard error in a file, with </dev/null.
func (c *call) person() (*terminal, bool) {
	if !c.StderrTTY || !c.StdinTTY && !c.stdinUsed || c.OpenTTY == nil {
		return nil, false
	}
	f, err := c.OpenTTY()
	if err != nil {
		return nil, false
	}
	return &terminal{f}, true
}

func (t *terminal) close() { _ = t.f.Close() }

// say writes a line.
func (t *terminal) say(line string) { _, _ = io.WriteString(t.f, line+"\n") }

// ask prompts for a line; a secret one is not shown while it is typed. When ctx
// ends first the terminal is as it was before.
func (t *terminal) ask(ctx context.Context, prompt string, secret bool) (string, error) {
	fd := int(t.f.Fd())
	if secret {
		show, err := hideTyping(fd)
		if err != nil {
			return "", fmt.Errorf("turn the terminal's echo off: %w", err)
		}
		defer func() { show(); t.say("") }()
	}
	_, _ = io.WriteString(t.f, prompt)
	type line struct {
		text string
		err  error
	}
	got := make(chan line, 1)
	go func() { // it stays behind when ctx ends, as nothing ends a read
		text, err := readLine(fd)
		got <- line{text, err}
	}()
	select {
	case l := <-got:
		if errors.Is(l.err, io.EOF) {
			return "", local("type an answer, or run rot in a script with flags instead", "nothing was answered to: %s", clean(prompt))
		}
		return l.text, l.err
	case <-ctx.Done():
		if !secret {
			t.say("")
		}
		return "", context.Cause(ctx)
	}
}

// hideTyping turns the echo off and returns how to turn it on again.
func hideTyping(fd int) (show func(), err error) {
	old, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, err
	}
	hidden := *old
	hidden.Lflag &^= unix.ECHO
	hidden.Lflag |= unix.ICANON | unix.ISIG
	hidden.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, setTermios, &hidden); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(fd, setTermios, old) }, nil
}

// readLine reads a byte at a time, to leave the next line to the next question.
func readLine(fd int) (string, error) {
	var line []byte
	b := make([]byte, 1)
	for {
		n, err := unix.Read(fd, b)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return "", err
		case n == 0:
			return "", io.EOF
		case b[0] == '\n':
			return string(line), nil
		case b[0] != '\r':
			line = append(line, b[0])
		}
	}
}

// IsTerminal tells whether f is one, and how many columns it has (0: not
// known).
func IsTerminal(f *os.File) (ok bool, width int) {
	fd := int(f.Fd())
	if _, err := unix.IoctlGetTermios(fd, getTermios); err != nil {
		return false, 0
	}
	if size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ); err == nil {
		width = int(size.Col)
	}
	return true, width
}
