package helper

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"rotd/ipc"
	"rotd/ipc/fmt"
	"rotd/ipc/json"
	"rotd/ipc/secret"
)

const connectHelp = `rot connect npm
rot connect npm --registry http://localhost:4873
rot connect npm --username ada --password-file pw.txt \
    --totp-secret-file totp.txt --remember password,totp --json
pass npm | rot connect npm --username ada --password-file - --remember password
rot connect npm --via website

usage: rot connect npm [flags]

Signs in to npm and keeps the session, sealed, in rotd: a passcard. It prints
the passcard's reference, which rot rotate takes. Connecting the same account
again renews its passcard, and the reference stays.

Where you have a display, npm's own page opens in a browser window: sign in
there. With --terminal, a password file, or no display rotd asks for what the
flags do not say; in a script rot ends with status 6 and names the flag.

There are two ways to npm. By the registry's API, the usual one, npm wants the
password with every new token. By the website rotd operates npm's settings pages
for you, in a Chromium of its own: it keeps npm's session and no password. npm's
terms of use let software use the public API, and forbid automating the website
with a program that is not a web browser, and getting around its restrictions:
whether they allow this way is yours to judge. rotd asks once.

  --username U           the npm user name, not the e-mail address
  --password-file F      the file with the password; - is the standard input
  --totp-secret-file F   the file with the authenticator's secret: base32, or
                         an otpauth:// address
  --passkey-file F       the file with a software security key, in JSON:
                         {"rpId","credentialId","userHandle","privateKey",
                         "signCount","isResidentCredential"}
  --remember WHAT,…      what rotd keeps, sealed, to rotate without you:
                         password, totp, passkey
  --via WAY              registry or website; else that of the passcard which is
                         renewed, or registry
  --site URL             the website, where it is not the registry's own
  --accept-terms         you have read the above of npm's terms, and say yes
  --terminal             ask here rather than in a browser window
  --registry URL         another registry than npm's public one
  --name NAME            a name for the passcard, usable as a reference
  --json                 {"passcard":"rot://pas_…"}
  --socket PATH          rotd's socket (else ROTD_SOCKET, else the usual one)

What --remember keeps can be used by whoever runs as you on this machine.
Without it npm's second factor is yours to pass at every rotation.
Secrets are read from files, never from flags: flags show up in ps.
`

func runConnect(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	var (
		req                     ipc.Connect
		password, totp, passkey string
	)
	fs.StringVar(&req.Registry, "registry", "", "")
	fs.StringVar(&req.Username, "username", "", "")
	fs.StringVar(&req.Name, "name", "", "")
	fs.StringSliceVar(&req.Remember, "remember", nil, "")
	fs.StringVar(&req.Via, "via", "", "")
	fs.StringVar(&req.Site, "site", "", "")
	fs.BoolVar(&req.AcceptTerms, "accept-terms", false, "")
	fs.BoolVar(&req.Terminal, "terminal", false, "")
	fs.StringVar(&password, "password-file", "", "")
	fs.StringVar(&totp, "totp-secret-file", "", "")
	fs.StringVar(&passkey, "passkey-file", "", "")
	if err := c.noArgs(fs, args); err != nil {
		return err
	}
	for _, word := range req.Remember {
		if !slices.Contains([]string{"password", "totp", "passkey"}, word) {
			return c.usage(fmt.Sprintf("--remember takes password, totp and passkey, not %q", word))
		}
	}
	err := errors.Join(
		c.secretFile("password-file", password, &req.Password),
		c.secretFile("totp-secret-file", totp, &req.TOTPSecret),
		c.passkeyFile(passkey, &req.Passkey),
	)
	if err != nil {
		return err
	}
	person, ok := c.person()
	if ok {
		defer person.close()
	}
	req.Interactive = ok
	if !req.Terminal {
		req.Display = c.display()
	}
	result, err := c.follow(ctx, "connecting…", ipc.PathPasscards, req, person)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(map[string]string{"passcard": result.Passcard})
	}
	c.done("connected " + result.Passcard)
	for _, what := range result.Forgotten {
		c.note("rot: the " + what + " that was kept is forgotten: this way does without")
	}
	return nil
}

// maxSecret is far beyond any password, key or address of one.
const maxSecret = 64 << 10

// secretFile reads the file that a flag names, without one line end. No name is
// no secret.
func (c *call) secretFile(flag, name string, into *secret.Wire) error {
	if name == "" {
		return nil
	}
	text, err := c.readSecret(flag, name)
	if err != nil {
		return err
	}
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	if text == "" {
		return local("put the secret into it, or leave the flag out to be asked", "--%s: %s is empty", flag, name)
	}
	*into = secret.NewWire(text)
	return nil
}

func (c *call) passkeyFile(name string, into **ipc.Passkey) error {
	if name == "" {
		return nil
	}
	text, err := c.readSecret("passkey-file", name)
	if err != nil {
		return err
	}
	var key ipc.Passkey
	if json.Unmarshal([]byte(text), &key) != nil || key.RPID == "" || key.CredentialID == "" || key.PrivateKey.IsZero() {
		return local("rot connect npm --help names its fields", "--passkey-file: %s is not a passkey in JSON", name)
	}
	*into = &key
	return nil
}

// readSecret reads the file that a flag names.
func (c *call) readSecret(flag, name string) (string, error) {
	return c.readInput("--"+flag, name, maxSecret, "is too long for a secret")
}

// readInput reads a file, or the standard input, which has only one reader.
func (c *call) readInput(what, name string, most int, tooLong string) (string, error) {
	in := c.Stdin
	if name == "-" {
		if c.stdinUsed {
			return "", c.usage("only one file can be the standard input")
		}
		c.stdinUsed = true
	} else {
		f, err := os.Open(name)
		if err != nil {
			return "", local("name a file that is there and that you may read", "%s: %v", what, err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, int64(most)+1))
	if err != nil {
		return "", local("", "%s: %v", what, err)
	}
	if len(b) > most {
		return "", local("name another file", "%s: %s %s", what, name, tooLong)
	}
	return string(b), nil
}
