package desk

import (
	"context"

	"rotd/helper"
	"rotd/ipc"
)

var passkeyAdd = helper.Command{
	Name: "passkey add",
	Run:  runPasskeyAdd,
	Help: `rot passkey add rot://pas_1234
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

func runPasskeyAdd(ctx context.Context, c *helper.Call, args []string) error {
	fs := c.Flags()
	var req ipc.AddPasskey
	fs.BoolVar(&req.Replace, "replace", false, "")
	ref, err := c.ParseRef(fs, args)
	if err != nil {
		return err
	}
	req.Display = c.Display()
	person, hangUp := c.Person()
	defer hangUp()
	req.Interactive = person != nil
	result, err := c.Follow(ctx, "adding…", ipc.Path(ipc.PathPasskey, ref), req, person)
	if err != nil {
		return err
	}
	if c.JSON() {
		return c.PrintJSON(map[string]string{"passcard": result.Passcard})
	}
	c.Done("added a security key to the account of " + result.Username)
	return nil
}

var passkeyRemove = helper.Command{
	Name: "passkey remove",
	Run:  runPasskeyRemove,
	Help: `rot passkey remove rot://pas_1234

usage: rot passkey remove PASSCARD [--json]

rotd forgets the software security key, and says where to delete it at npm,
which only you can do. From then on npm's check is yours to pass: rot approve.

  --json         {"name","at"}
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

func runPasskeyRemove(ctx context.Context, c *helper.Call, args []string) error {
	ref, err := c.ParseRef(c.Flags(), args)
	if err != nil {
		return err
	}
	var gone ipc.PasskeyGone
	if err := c.Client().Delete(ctx, ipc.Path(ipc.PathPasskey, ref), &gone); err != nil {
		return err
	}
	if c.JSON() {
		return c.PrintJSON(gone)
	}
	c.Done("forgot the security key")
	c.Note("rot: delete the key " + helper.Clean(gone.Name) + " at npm, too: " + helper.Clean(gone.At))
	return nil
}
