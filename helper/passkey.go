package helper

import (
	"context"

	"rotd/ipc"
)

var passkeyAdd = command{
	name: "passkey add",
	line: "add a software security key, which passes npm's checks",
	run:  runPasskeyAdd,
	help: `rot passkey add rot://pas_1234
rot passkey add rot://pas_1234 --replace

usage: rot passkey add PASSCARD [--replace] [--json]

Opens npm's settings of two-factor authentication in a browser window. Sign in
there, and pass npm's checks: rotd sees nothing of that. On the settings page
add a security key and call it rotd. It needs no touch, as rotd is the key; when
npm has taken it the window closes by itself, and from then on rotations pass
npm's check without you.

The key is kept sealed, and can be used by whoever runs as you on this machine.
A window that is closed, or left alone for ten minutes, changes nothing.

  --replace      in place of the one that is kept already
  --json         {"passcard":"rot://pas_…"}
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

func runPasskeyAdd(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	var req ipc.AddPasskey
	fs.BoolVar(&req.Replace, "replace", false, "")
	ref, err := c.parseRef(fs, args)
	if err != nil {
		return err
	}
	req.Display = c.display()
	person, ok := c.person()
	if ok {
		defer person.close()
	}
	req.Interactive = ok
	result, err := c.follow(ctx, "adding…", ipc.Path(ipc.PathPasskey, ref), req, person)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(map[string]string{"passcard": result.Passcard})
	}
	c.done("added a security key to the account of " + result.Username)
	return nil
}

var passkeyRemove = command{
	name: "passkey remove",
	line: "forget that key",
	run:  runPasskeyRemove,
	help: `rot passkey remove rot://pas_1234

usage: rot passkey remove PASSCARD [--json]

rotd forgets the software security key, and says where to delete it at npm,
which only you can do. From then on npm's check is yours to pass: rot approve.

  --json         {"name","at"}
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

func runPasskeyRemove(ctx context.Context, c *call, args []string) error {
	ref, err := c.parseRef(c.flags(), args)
	if err != nil {
		return err
	}
	var gone ipc.PasskeyGone
	if err := c.client().Delete(ctx, ipc.Path(ipc.PathPasskey, ref), &gone); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(gone)
	}
	c.done("forgot the security key")
	c.note("rot: delete the key " + clean(gone.Name) + " at npm, too: " + clean(gone.At))
	return nil
}
