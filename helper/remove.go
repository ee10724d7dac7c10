package helper

import (
	"context"
	"strings"

	"rotd/ipc"
)

var remove = command{
	name: "remove",
	line: "revoke and forget a ROT, or a passcard and all it has",
	run:  runRemove,
	help: `rot remove ci
rot remove rot://pas_1234 --yes

usage: rot remove REF [--yes] [--forget] [--json]

Has npm revoke the tokens, and then forgets the ROT, or the passcard with its
ROTs, its kept secrets and its session at npm. rot log keeps what happened. It
asks first; in a script say --yes.

Where npm does not confirm that a token is revoked, nothing is forgotten: it is
not served any more, rotd goes on revoking it, and the command ends with 1.

  --yes          do not ask
  --forget       forget even then, and name the tokens that npm may still accept
  --json         {"removed":[…],"left":[…]}
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

func runRemove(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	var req ipc.Remove
	fs.BoolVar(&req.Yes, "yes", false, "")
	fs.BoolVar(&req.Forget, "forget", false, "")
	ref, err := c.parseRef(fs, args)
	if err != nil {
		return err
	}
	person, ok := c.person()
	if ok {
		defer person.close()
	}
	req.Interactive = ok
	result, err := c.follow(ctx, "removing…", ipc.Path(ipc.PathRemove, ref), req, person)
	if err != nil {
		return c.goesOn(ctx, err)
	}
	if c.json {
		return c.printJSON(result.Removal)
	}
	for _, ref := range result.Removal.Removed {
		c.done("removed " + ref)
	}
	if left := result.Removal.Left; len(left) > 0 {
		c.warn("npm may still accept these tokens, delete them on its website: " + strings.Join(left, ", "))
	}
	return nil
}
