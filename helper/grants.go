package helper

import (
	"context"
	"time"

	"rotd/ipc"
	"rotd/ipc/fmt"
)

var grants = command{
	name: "grants",
	line: "list who may read a ROT",
	run:  runGrants,
	help: `rot grants ci
rot grants ci --json

usage: rot grants REF [--json]

Lists who may read the ROT beside you and root. Who did is in rot log.

  --json         {"grants":[…]}
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

func runGrants(ctx context.Context, c *call, args []string) error {
	ref, err := c.parseRef(c.flags(), args)
	if err != nil {
		return err
	}
	all := struct {
		Grants []ipc.Grant `json:"grants"`
	}{[]ipc.Grant{}}
	if err := c.client().Get(ctx, ipc.Path(ipc.PathGrants, ref), &all); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(all)
	}
	for _, g := range all.Grants {
		c.print(fmt.Sprintf("%-12s  %-26s  %s\n", g.Kind, clip(clean(granteeText(g)), 26), c.grantLife(g)))
	}
	if len(all.Grants) == 0 {
		c.note("nobody but you and root")
	}
	return nil
}

// grantLife is since when a grant is, and of an access token what is left.
func (c *call) grantLife(g ipc.Grant) string {
	now := c.Now()
	switch {
	case g.Kind != ipc.GrantAccessToken:
		return "since " + g.Created.UTC().Format(time.DateOnly)
	case g.Expires != nil && g.Expires.Before(now):
		return "expired on " + g.Expires.UTC().Format(time.DateOnly)
	}
	s := "not used yet"
	if g.Used != nil {
		s = "used " + when(*g.Used, now)
	}
	if g.Expires != nil {
		s += ", " + span(g.Expires.Sub(now)) + " left"
	}
	return s
}
