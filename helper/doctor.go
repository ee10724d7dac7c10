package helper

import (
	"context"
	"strconv"
	"strings"

	"rotd/ipc"
)

var doctor = command{
	name: "doctor",
	line: "look for what is wrong, and say what to do",
	run:  runDoctor,
	help: `rot doctor
rot doctor --json

usage: rot doctor [--json]

Looks at the socket, rotd and its version, the master key, the browser, the
registries and the clock, the accounts and ROTs, the display, what an .npmrc or
the environment would have npm take instead of the fresh token, and whether
npm's trusted publishing, which needs no token, would serve you better here.

It prints a line for each: "ok", "note" where something could be better, or
"wrong"; below it what to do. It changes nothing. Exit status 0: nothing is
wrong, 1: something is.

  --json         {"checks":[{"name","ok","text","hint"}]}
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

// examination gathers what is found.
type examination struct {
	*call
	checks []ipc.Check
}

func (x *examination) found(name string, ok bool, text, hint string) {
	x.checks = append(x.checks, ipc.Check{Name: name, OK: ok, Text: text, Hint: hint})
}

func runDoctor(ctx context.Context, c *call, args []string) error {
	if err := c.noArgs(c.flags(), args); err != nil {
		return err
	}
	x := &examination{call: c}
	all := x.daemon(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	x.display()
	x.npmrcs(all)
	x.publishing()
	status := exitStatus(ipc.ExitOK)
	for _, check := range x.checks {
		if !check.OK {
			status = ipc.ExitFailed
		}
		if !c.json {
			c.showCheck(check)
		}
	}
	if c.json {
		if err := c.printJSON(ipc.Doctor{Checks: x.checks}); err != nil {
			return err
		}
	}
	if status != ipc.ExitOK {
		return status
	}
	return nil
}

// daemon is what it takes to reach rotd, and what rotd finds. It returns what
// there is of passcards and ROTs.
func (x *examination) daemon(ctx context.Context) (s ipc.Status) {
	client := x.client()
	var v ipc.Version
	if err := client.Get(ctx, ipc.PathVersion, &v); err != nil {
		e := asError(err)
		x.found("socket", false, e.Message, e.Hint)
		return s
	}
	x.found("socket", true, x.socket, "")
	if what, do := versionTrouble(v); what != "" {
		x.found("version", v.API == ipc.APIVersion, what+": rot "+ipc.BuildVersion+", rotd "+v.Version, do)
	}
	if err := client.Get(ctx, ipc.PathStatus, &s); err != nil {
		e := asError(err)
		x.found("daemon", e.Code == ipc.CodeNotAllowed, e.Message, e.Hint)
		return s
	}
	x.found("daemon", true, "rotd "+s.Version+", process "+strconv.Itoa(s.PID)+", running for "+span(x.Now().Sub(s.Started)), "")
	var theirs ipc.Doctor
	if err := client.Get(ctx, ipc.PathDoctor, &theirs); err != nil {
		e := asError(err)
		x.found("daemon", false, e.Message, e.Hint)
	}
	x.checks = append(x.checks, theirs.Checks...)
	return s
}

// display is where npm's pages would open.
func (x *examination) display() {
	switch d := x.call.display(); {
	case d == nil:
		x.found("display", true, "none here: what npm asks for is asked on the terminal", "")
	default:
		x.found("display", true, strings.TrimSpace("npm's pages open in a window here "+d.X11+" "+d.Wayland), "")
	}
}

// nameColumn is the room for the name of a check.
const nameColumn = 11

// showCheck prints a check within columns, its hint below it.
func (c *call) showCheck(check ipc.Check) {
	word, colour := "ok   ", green
	switch {
	case !check.OK:
		word, colour = "wrong", red
	case check.Hint != "":
		word, colour = "note ", yellow
	}
	if c.StdoutTTY {
		word = c.paint(colour, word)
	}
	name := clean(check.Name)
	indent := strings.Repeat(" ", len("wrong  ")+nameColumn)
	c.print(word + "  " + name + strings.Repeat(" ", max(1, nameColumn-len(name))) + fold(clean(check.Text), indent) + "\n")
	if check.Hint != "" {
		c.print(indent + fold("hint: "+clean(check.Hint), indent) + "\n")
	}
}

// fold breaks a text that follows an indent into lines of columns.
func fold(text, indent string) string {
	var b strings.Builder
	width := len(indent)
	for i, word := range strings.Fields(text) {
		n := len([]rune(word))
		switch {
		case i == 0:
		case width+1+n > columns:
			b.WriteString("\n" + indent)
			width = len(indent)
		default:
			b.WriteString(" ")
			width++
		}
		b.WriteString(word)
		width += n
	}
	return b.String()
}
