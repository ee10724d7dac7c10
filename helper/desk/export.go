package desk

import (
	"context"
	"strings"

	"rotd/helper"
	"rotd/ipc"
)

var export = helper.Command{
	Name: "export",
	Run:  runExport,
	Help: `rot export rot://pas_1234 > ada.age
rot export rot://pas_1234 --recipient age1… > ada.age
rot export rot://pas_1234 --passphrase-file pw > ada.age

usage: rot export PASSCARD [flags] > FILE

Writes what rotd keeps of an npm account into a file that rot import takes on
another machine: a build server without a display gets a passcard signed in
elsewhere. The file is encrypted by age, to a passphrase that is asked for, or
to the holders of keys. ROTs are not in it: the other machine makes its own.

Both machines can use the account then, and share npm's session until it ends.
A software security key (rot passkey add) stays here, as npm refuses one that is
used in two places: --move-passkey takes it along, and forgets it here once the
file is written.

  --recipient R        who may open it: age1…, or a public SSH key; may repeat
  --passphrase-file F  the file with the passphrase; - is the standard input
  --move-passkey       with the software security key
  --socket PATH        rotd's socket (else ROTD_SOCKET, else the usual one)

Whoever opens the file can use the account as rotd does.
`,
}

func runExport(ctx context.Context, c *helper.Call, args []string) error {
	fs := c.Flags()
	var (
		req        ipc.Export
		passphrase string
	)
	fs.StringSliceVar(&req.Recipients, "recipient", nil, "")
	fs.StringVar(&passphrase, "passphrase-file", "", "")
	fs.BoolVar(&req.Passkey, "move-passkey", false, "")
	ref, err := c.ParseRef(fs, args)
	if err != nil {
		return err
	}
	if c.StdoutTTY {
		return c.Usage("the file goes to the standard output: send it somewhere, > FILE")
	}
	if err := c.SecretFile("passphrase-file", passphrase, &req.Passphrase); err != nil {
		return err
	}
	person, hangUp := c.Person()
	defer hangUp()
	req.Interactive = person != nil
	result, err := c.Follow(ctx, "packing…", ipc.Path(ipc.PathExport, ref), req, person)
	if err != nil {
		return err
	}
	c.Print(result.Export.File)
	if err := c.Written(); err != nil {
		return err
	}
	c.Done("packed " + result.Passcard + ", the account of " + result.Username + ": " + strings.Join(result.Export.Kept, ", "))
	if result.Export.PasskeyStays {
		c.Note("rot: its software security key stays here; --move-passkey takes it along")
	}
	if !req.Passkey {
		return nil
	}
	return forgetPasskey(ctx, c, ref)
}

// forgetPasskey forgets the software security key that has moved.
func forgetPasskey(ctx context.Context, c *helper.Call, ref string) error {
	err := c.Client().Delete(ctx, ipc.Path(ipc.PathPasskey, ref), nil)
	if err != nil && helper.AsError(err).Code == ipc.CodeNotFound {
		c.Note("rot: it keeps no software security key")
		return nil
	}
	if err == nil {
		c.Done("its software security key is in the file, and forgotten here")
	}
	return err
}
