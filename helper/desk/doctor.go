package desk

import (
	"context"
	"strconv"
	"strings"

	"rotd/helper"
	"rotd/ipc"
)

var doctor = helper.Command{
	Name: "doctor",
	Run:  runDoctor,
	Help: `rot doctor
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
	*helper.Call
	checks []ipc.Check
}

func (x *examination) found(name string, ok bool, text, hint string) {
	x.checks = append(x.checks, ipc.Check{Name: name, OK: ok, Text: text, Hint: hint})
}

func runDoctor(ctx context.Context, c *helper.Call, args []string) error {
	if err := c.NoArgs(c.Flags(), args); err != nil {
		return err
	}
	x := &examination{Call: c}
	all := x.daemon(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	x.display()
	x.npmrcs(all)
	x.publishing()
	status := ipc.ExitOK
	for _, check := range x.checks {
		if !check.OK {
			status = ipc.ExitFailed
		}
		if !c.JSON() {
			x.show(check)
		}
	}
	if c.JSON() {
		if err := c.PrintJSON(ipc.Doctor{Checks: x.checks}); err != nil {
			return err
		}
	}
	if status != ipc.ExitOK {
		return helper.Exit(status)
	}
	return nil
}

// daemon is what it takes to reach rotd, and what rotd finds. It returns what
// there is of passcards and ROTs.
func (x *examination) daemon(ctx context.Context) (s ipc.Status) {
	client := x.Client()
	var v ipc.Version
	if err := client.Get(ctx, ipc.PathVersion, &v); err != nil {
		e := helper.AsError(err)
		x.found("socket", false, e.Message, e.Hint)
		return s
	}
	x.found("socket", true, client.Socket, "")
	if what, do := helper.VersionTrouble(v); what != "" {
		x.found("version", v.API == ipc.APIVersion, what+": rot "+ipc.BuildVersion+", rotd "+v.Version, do)
	}
	if err := client.Get(ctx, ipc.PathStatus, &s); err != nil {
		e := helper.AsError(err)
		x.found("daemon", e.Code == ipc.CodeNotAllowed, e.Message, e.Hint)
		return s
	}
	x.found("daemon", true, "rotd "+s.Version+", process "+strconv.Itoa(s.PID)+", running for "+helper.Span(x.Now().Sub(s.Started)), "")
	var theirs ipc.Doctor
	if err := client.Get(ctx, ipc.PathDoctor, &theirs); err != nil {
		e := helper.AsError(err)
		x.found("daemon", false, e.Message, e.Hint)
	}
	x.checks = append(x.checks, theirs.Checks...)
	return s
}

// display is where npm's pages would open.
func (x *examination) display() {
	switch d := x.Display(); {
	case d == nil:
		x.found("display", true, "none here: what npm asks for is asked on the terminal", "")
	default:
		x.found("display", true, strings.TrimSpace("npm's pages open in a window here "+d.X11+" "+d.Wayland), "")
	}
}

// nameColumn is the room for the name of a check.
const nameColumn = 11

// show prints a check within columns, its hint below it.
func (x *examination) show(check ipc.Check) {
	word, colour := "ok   ", helper.Green
	switch {
	case !check.OK:
		word, colour = "wrong", helper.Red
	case check.Hint != "":
		word, colour = "note ", helper.Yellow
	}
	if x.StdoutTTY {
		word = x.Paint(colour, word)
	}
	name := helper.Clean(check.Name)
	indent := strings.Repeat(" ", len("wrong  ")+nameColumn)
	x.Print(word + "  " + name + strings.Repeat(" ", max(1, nameColumn-len(name))) + fold(helper.Clean(check.Text), indent) + "\n")
	if check.Hint != "" {
		x.Print(indent + fold("hint: "+helper.Clean(check.Hint), indent) + "\n")
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
		case width+1+n > helper.Columns:
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
