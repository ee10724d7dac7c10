package helper

import (
	"io"
	"strings"

	"rotd/ipc"
	"rotd/ipc/json"
)

// How rot speaks:
//
//   - What a script may want goes to stdout: a value, a list, with --json
//     everything. All else goes to stderr.
//   - An error is one line, "rot: " and a sentence without a capital and a full
//     stop, and below it "  hint: " and what to do now. With --json it is one
//     line of JSON on stderr, {"error":{"code","message","hint"}}.
//   - Steps are shown on one line that is drawn again, with a spinner, where
//     stderr is a terminal; else a line each, "rot: " before it.
//   - What went well begins with ✔, what to do next with ⮕.
//   - Questions are asked on the terminal itself, never on stdin or stdout.
//   - Colour only on a terminal, and not with NO_COLOR or TERM=dumb.
type tui struct {
	stdout   *output
	stderr   io.Writer
	colour   bool
	moving   bool // the terminal can draw a line again
	width    int
	progress progress
}

func newTUI(e *Env) tui {
	smart := e.StderrTTY && e.Getenv("TERM") != "dumb"
	return tui{
		stdout: &output{w: e.Stdout},
		stderr: e.Stderr,
		colour: smart && e.Getenv("NO_COLOR") == "",
		moving: smart,
		width:  e.Width,
	}
}

// output remembers that a write failed: a value that did not arrive whole must
// not end in status 0.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.w.Write(b)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	bold   = "1"
)

func (t *tui) paint(colour, s string) string {
	if !t.colour {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

// print writes to stdout.
func (t *tui) print(s string) { _, _ = io.WriteString(t.stdout, s) }

// printJSON writes v to stdout, on a line.
func (t *tui) printJSON(v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		t.print(string(b) + "\n")
	}
	return err
}

// note writes a line to stderr, out of the way of the spinner.
func (t *tui) note(line string) {
	t.progress.hide()
	_, _ = io.WriteString(t.stderr, line+"\n")
}

func (t *tui) done(line string) { t.note(t.paint(green, "✔") + " " + clean(line)) }
func (t *tui) next(line string) { t.note(t.paint(bold, "⮕") + " next: " + clean(line)) }
func (t *tui) warn(line string) { t.note(t.paint(yellow, "rot: warning:") + " " + clean(line)) }

func (t *tui) errorf(e *ipc.Error) {
	t.note(t.paint(red, "rot:") + " " + clean(e.Message))
	if e.Hint != "" {
		t.note("  hint: " + clean(e.Hint))
	}
}

func (t *tui) printError(e *ipc.Error) {
	t.progress.hide()
	b, err := json.Marshal(ipc.ErrorBody{Error: e})
	if err != nil {
		t.errorf(e)
		return
	}
	_, _ = io.WriteString(t.stderr, string(b)+"\n")
}

// clean takes out of a line what could move the cursor: it may hold words of a
// registry.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
