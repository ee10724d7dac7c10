package helper

import (
	"context"
	"errors"
	"time"

	"rotd/ipc"
)

var get = command{
	name: "get",
	line: "print the present value of a ROT",
	run:  runGet, brief: true,
	help: `rot get rot://rot_a2c4q7
rot get ci
NPM_TOKEN=$(rot get ci) ./release.sh
rot get ci --json
git config credential.helper '!rot get ci --format git'

usage: rot get REF [--format F] [--access-token-file F] [--json]

Prints the token that is valid now, and a line end: nothing else, and nothing
on stderr but a warning when it is past its expiry. Ask every time you need it
rather than keeping it: the value changes, the reference does not. From the
first rotation on there is an answer at every moment, also while a rotation
runs or after one failed.

REF is rot://rot_…, the id without rot://, the beginning of one that fits
no other (4 characters after the underscore or more), or the name you gave.
dotenvx:// works in the place of rot://.

  --json         the value with its generation, expiry and registry
  --format npm-rfc850
                 the JSON of npm's proposed credential providers (npm/rfcs#850):
                 _authToken and expiresAt
  --format docker
                 the answer of a Docker credential helper, a script that has
                 this line: exec rot get ci --format docker "$@"
  --format git   the answer of a git credential helper. Both answer when they
                 are asked for the registry's host, and for no other
  --format pnpm  what pnpm's tokenHelper prints: rot help pnpm
  --access-token-file F
                 show the access token in it (else that in ROT_ACCESS_TOKEN)
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)

A command that needs the token does not need it on your screen or in your
shell's history: rot exec REF -- CMD.
`,
}

func runGet(ctx context.Context, c *call, args []string) error {
	fs := c.readFlags()
	format, operation := fs.String("format", "", ""), ""
	if err := c.parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() == 2 && *format != "" { // as the program that asks has it
		operation, fs.args = fs.Arg(1), fs.args[:1]
	}
	ref, err := c.oneRef(fs)
	if err != nil {
		return err
	}
	if *format != "" {
		return c.getAs(ctx, ref, *format, operation)
	}
	tok, err := c.token(ctx, ref)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(tok)
	}
	c.print(tok.Value.Reveal() + "\n")
	return nil
}

// token asks rotd for the present value of a ROT.
func (c *call) token(ctx context.Context, ref string) (tok ipc.Token, err error) {
	client := c.client()
	if client.AccessToken, err = c.accessToken(); err != nil {
		return tok, err
	}
	if err = client.Get(ctx, ipc.Path(ipc.PathToken, ref), &tok); err != nil {
		return tok, err
	}
	return tok, c.check(tok)
}

// check looks at what rotd has answered.
func (c *call) check(tok ipc.Token) error {
	if tok.Value.IsZero() {
		return &ipc.ProtocolError{Socket: c.socket, Cause: errors.New("there is no value in it")}
	}
	if tok.Expires != nil && c.Now().After(*tok.Expires) {
		// Only a warning: this machine's clock may be the one that is wrong.
		c.warn("this token expired on " + tok.Expires.Format(time.DateOnly) + "; rot status says why there is no newer one")
	}
	return nil
}
