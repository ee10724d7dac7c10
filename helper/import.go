package helper

import (
	"context"
	"strings"

	"rotd/ipc"
)

var importCommand = command{
	name: "import",
	line: "unpack a passcard that another machine has packed",
	run:  runImport,
	help: `rot import ada.age
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

func runImport(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	var (
		req                  ipc.Import
		identity, passphrase string
	)
	fs.StringVar(&identity, "identity", "", "")
	fs.StringVar(&passphrase, "passphrase-file", "", "")
	fs.StringVar(&req.Name, "name", "", "")
	if err := c.parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() != 1 {
		return c.usage("it takes one file")
	}
	if identity != "" && passphrase != "" {
		return c.usage("a file opens by --identity or by --passphrase-file, not by both")
	}
	err := c.secretFile("identity", identity, &req.Identity)
	if err == nil {
		err = c.secretFile("passphrase-file", passphrase, &req.Passphrase)
	}
	if err == nil {
		req.File, err = c.readInput("import", fs.Arg(0), maxFile, "is too large for a file of rot export")
	}
	if err != nil {
		return err
	}
	person, ok := c.person()
	if ok {
		defer person.close()
	}
	req.Interactive = ok
	result, err := c.follow(ctx, "importing…", ipc.PathImport, req, person)
	if err != nil {
		return err
	}
	if e := result.Import.Trouble; e != nil {
		c.warn(e.Message)
		if e.Hint != "" {
			c.note("  hint: " + clean(e.Hint))
		}
	}
	if c.json {
		return c.printJSON(map[string]string{"passcard": result.Passcard})
	}
	what := "imported "
	if result.Import.Renewed {
		what = "renewed "
	}
	c.done(what + result.Passcard + ", the account of " + result.Username + ": " + strings.Join(result.Import.Kept, ", "))
	if result.Import.Trouble == nil {
		c.note("rot: npm takes its session")
	}
	return nil
}

// maxFile is more than rot export writes.
const maxFile = 512 << 10
