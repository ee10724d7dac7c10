package helper

import (
	"context"

	"rotd/ipc"
)

var ungrant = command{
	name: "ungrant",
	line: "take a grant back",
	run:  runUngrant,
	help: `rot ungrant ci --uid runner
rot ungrant ci --access-token runner-7

usage: rot ungrant REF --uid U | --gid G | --access-token NAME | --unit NAME

From now on he may not read the ROT any more. The value that he has read is
good until the next rotation: rot rotate ci --revoke-now ends it. An access
token that may read nothing any more is forgotten.

  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

func runUngrant(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	var to grantee
	to.define(fs)
	ref, err := c.parseRef(fs, args)
	if err != nil {
		return err
	}
	kind, subject, err := to.one(c)
	if err != nil {
		return err
	}
	err = c.client().Delete(ctx, ipc.Path(ipc.Path(ipc.PathGrant, ref), kind+":"+subject), nil)
	if err == nil {
		c.done(kind + " " + subject + " may not read " + ref + " any more")
	}
	return err
}
