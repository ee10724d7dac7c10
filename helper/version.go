package helper

import (
	"context"

	"rotd/ipc"
	"rotd/ipc/fmt"
)

var version = command{
	name: "version",
	line: "print the versions of rot and rotd",
	run:  runVersion,
	help: `rot version
rot version --json

usage: rot version [--json]

Prints the version of rot, and of the rotd that answers. Where rotd is not
reached it says so on stderr; the exit status is 0 all the same.

  --json         {"rot","rotd","api"}
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

func runVersion(ctx context.Context, c *call, args []string) error {
	if err := c.noArgs(c.flags(), args); err != nil {
		return err
	}
	var v ipc.Version
	err := c.client().Get(ctx, ipc.PathVersion, &v)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c.json {
		out := struct {
			Rot  string `json:"rot"`
			Rotd string `json:"rotd,omitempty"`
			API  int    `json:"api,omitempty"`
		}{ipc.BuildVersion, v.Version, v.API}
		if perr := c.printJSON(out); perr != nil {
			return perr
		}
	} else {
		c.print("rot  " + ipc.BuildVersion + "\n")
		if err == nil {
			c.print("rotd " + clean(v.Version) + "\n")
		}
	}
	if err != nil {
		c.tell(asError(err))
	} else if what, do := versionTrouble(v); what != "" {
		c.warn(what + ": " + do)
	}
	return nil
}

// versionTrouble says how rotd and rot do not belong together, and what to do;
// "" where they do.
func versionTrouble(v ipc.Version) (what, do string) {
	switch {
	case v.API > ipc.APIVersion:
		return fmt.Sprintf("rotd speaks a newer API (%d) than rot (%d)", v.API, ipc.APIVersion), "install the rot that came with it"
	case v.API < ipc.APIVersion:
		return fmt.Sprintf("rotd speaks an older API (%d) than rot (%d)", v.API, ipc.APIVersion),
			"install the rotd that came with rot, and start it again"
	case v.Version != ipc.BuildVersion:
		return "rot and rotd are of different versions", "after an update rotd has to be started again"
	}
	return "", ""
}
