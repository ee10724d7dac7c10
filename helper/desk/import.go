package desk

import (
	"context"
	"strings"

	"rotd/helper"
	"rotd/ipc"
)

var importCommand = helper.Command{
	Name: "import",
	Run:  runImport,
	Help: `rot import ada.age
rot import ada.age --identity ~/.config/age/key.txt
ssh desktop rot export … | rot import - --identity ~/.ssh/id_ed25519

usage: rot import FILE [flags]

Makes a passcard of a file that rot export wrote on another machine, or renews
the one that the account has here, and asks npm whether it takes the session.

  --identity F         the private key that opens the file: of age-keygen, or an
                       SSH key without a passphrase of its own
  --passphrase-file F  the file with the passphrase; else it is asked for
  --name NAME          a name for the passcard (else the one it had there)
  --json               {"passcard":"rot://pas_…"}
  --socket PATH        rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

func runImport(ctx context.Context, c *helper.Call, args []string) error {
	fs := c.Flags()
	var (
		req                  ipc.Import
		identity, passphrase string
	)
	fs.StringVar(&identity, "identity", "", "")
	fs.StringVar(&passphrase, "passphrase-file", "", "")
	fs.StringVar(&req.Name, "name", "", "")
	if err := c.Parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() != 1 {
		return c.Usage("it takes one file")
	}
	if identity != "" && passphrase != "" {
		return c.Usage("a file opens by --identity or by --passphrase-file, not by both")
	}
	err := c.SecretFile("identity", identity, &req.Identity)
	if err == nil {
		err = c.SecretFile("passphrase-file", passphrase, &req.Passphrase)
	}
	if err == nil {
		req.File, err = c.ReadInput("import", fs.Arg(0), maxFile, "is too large for a file of rot export")
	}
	if err != nil {
		return err
	}
	person, hangUp := c.Person()
	defer hangUp()
	req.Interactive = person != nil
	result, err := c.Follow(ctx, "importing…", ipc.PathImport, req, person)
	if err != nil {
		return err
	}
	if e := result.Import.Trouble; e != nil {
		c.Warn(e.Message)
		if e.Hint != "" {
			c.Note("  hint: " + helper.Clean(e.Hint))
		}
	}
	if c.JSON() {
		return c.PrintJSON(map[string]string{"passcard": result.Passcard})
	}
	what := "imported "
	if result.Import.Renewed {
		what = "renewed "
	}
	c.Done(what + result.Passcard + ", the account of " + result.Username + ": " + strings.Join(result.Import.Kept, ", "))
	if result.Import.Trouble == nil {
		c.Note("rot: npm takes its session")
	}
	return nil
}

// maxFile is more than rot export writes.
const maxFile = 512 << 10
