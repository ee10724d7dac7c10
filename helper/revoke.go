package helper

import (
	"context"

	"rotd/ipc"
)

var revoke = command{
	name: "revoke",
	line: "revoke the present token at once, after a leak",
	run:  runRevoke,
	help: `rot revoke ci
rot revoke rot://pas_1234     every token of an account
rot revoke ci --json

usage: rot revoke REF [--json]

The token leaked and nothing may use it any more: rotd stops serving it at once
and has npm revoke it, and whatever older one still lives. Nothing is served
then, and nothing is made by the timer, until the next rotation: rot rotate.
To replace a leaked token in one go: rot rotate REF --revoke-now.

Where npm cannot be reached rotd serves nothing all the same and keeps at it
until npm refuses the token; that is a warning, and status 0. Status 6: npm
wants its second factor from a person: rot approve REF.

  --json         a line for each ROT: {"rot","confirmed","error"}
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

func runRevoke(ctx context.Context, c *call, args []string) error {
	ref, err := c.parseRef(c.flags(), args)
	if err != nil {
		return err
	}
	person, ok := c.person()
	if ok {
		defer person.close()
	}
	result, err := c.follow(ctx, "revoking…", ipc.Path(ipc.PathRevoke, ref), ipc.Revoke{Interactive: ok}, person)
	if err != nil {
		return c.goesOn(ctx, err)
	}
	var failed error
	for _, v := range result.Revocations {
		if v.Error != nil && v.Error.Code.Exit() == ipc.ExitPerson {
			failed = exitStatus(ipc.ExitPerson)
		}
		if err := c.showRevocation(v); err != nil {
			return err
		}
	}
	if !c.json {
		c.next("rot rotate " + ref + ": until then nothing is served")
	}
	return failed
}

// goesOn says that an interrupted rot does not call off what rotd has begun.
func (c *call) goesOn(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		c.note("rot: rotd goes on with what it has begun: rot log tells how it ends")
	}
	return err
}

func (c *call) showRevocation(v ipc.Revocation) error {
	switch {
	case c.json:
		return c.printJSON(v)
	case v.Confirmed:
		c.done("revoked " + v.ROT)
	default:
		c.done(v.ROT + " is not served any more")
		c.warn("npm may still accept its token, rotd keeps at it: " + v.Error.Message)
		if v.Error.Hint != "" {
			c.note("  hint: " + clean(v.Error.Hint))
		}
	}
	return nil
}
