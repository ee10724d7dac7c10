package helper

import (
	"context"

	"rotd/ipc"
)

var approve = command{
	name: "approve",
	line: "pass npm's check where rotd needs you",
	run:  runApprove,
	help: `rot approve              everything that waits for you
rot approve ci           one ROT, or one account
rot approve --terminal   asked here, rather than in a browser window

usage: rot approve [REF] [flags]

Where npm wants a second factor that rotd does not keep, a rotation waits for
you, and the old token stays. rot approve opens npm's own page in a browser
window. What you type there rotd does not see; the window closes by itself when
npm is content, and one check serves everything due for the account. Without a
display, or with --terminal, the code is asked for here. So is the password,
which npm wants with every new token, unless rotd keeps it.

It is the same where npm has ended the session of an account that goes by the
website (needs sign-in): you sign in again, and what has waited goes on.

A window that is closed, or left alone for ten minutes, changes nothing.

  --terminal     no window
  --json         a line for each ROT: {"rot","generation","expires"},
                 {"rot","revoked_old"}, or {"signed_in":"rot://pas_…"}
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

func runApprove(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	var req ipc.Approve
	here := fs.Bool("terminal", false, "")
	if err := c.parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		var err error
		if req.Ref, err = c.parseRef(fs, args); err != nil {
			return err
		}
	}
	if !*here {
		req.Display = c.display()
	}
	person, ok := c.person()
	if ok {
		defer person.close()
	}
	req.Interactive = ok
	result, err := c.follow(ctx, "approving…", ipc.PathApprove, req, person)
	if err != nil {
		return err
	}
	for _, passcard := range result.SignedIn {
		if err := c.tellDone(map[string]any{"signed_in": passcard}, "signed in again: "+passcard); err != nil {
			return err
		}
	}
	for _, rot := range result.Settled {
		if err := c.tellDone(map[string]any{"rot": rot, "revoked_old": true}, "revoked the old token of "+rot); err != nil {
			return err
		}
	}
	if len(result.SignedIn)+len(result.Settled)+len(result.Rotations) == 0 {
		c.note("rot: nothing waits for you")
	}
	return c.showRotations(result.Rotations)
}

// tellDone says that something is done, in the form that the user asked for.
func (c *call) tellDone(fields map[string]any, line string) error {
	if c.json {
		return c.printJSON(fields)
	}
	c.done(line)
	return nil
}

// display is the user's, nil where a window cannot be opened.
func (c *call) display() *ipc.Display {
	d := ipc.Display{X11: c.Getenv("DISPLAY"), Wayland: c.Getenv("WAYLAND_DISPLAY")}
	if d.X11 == "" && d.Wayland == "" && (c.GOOS != "darwin" || c.Getenv("SSH_CONNECTION") != "") {
		return nil
	}
	if d.X11 != "" {
		d.XAuthority = c.Getenv("XAUTHORITY")
	}
	if d.Wayland != "" {
		d.RuntimeDir = c.Getenv("XDG_RUNTIME_DIR")
	}
	return &d
}
