package helper

import (
	"context"
	"strings"

	"rotd/ipc"
)

var grant = command{
	name: "grant",
	line: "let another user, or an access token, read a ROT",
	run:  runGrant,
	help: `rot grant ci --uid runner
rot grant ci --gid builders
rot grant ci --access-token runner-7 --expires 90d
rot grant ci --unit publish.service

usage: rot grant REF --uid U | --gid G | --access-token NAME | --unit NAME

Beside you and root nobody may read a ROT. This lets somebody read the value of
one, and do nothing else:

  --uid U              a user of this machine, by name or number
  --gid G              whoever is in a group, by name or number
  --access-token NAME  whoever shows an access token. A new one is printed, this
                       once: keep it as the secret of a CI, and give it to rot
                       by ROT_ACCESS_TOKEN or --access-token-file. It works over
                       the socket only. A NAME that there is already may read
                       this ROT, too, and nothing is printed
  --expires T          a new access token lives so long: 36h, 90d, 12w (else
                       until it is taken back: rot ungrant)
  --unit NAME          a systemd unit, whose unit file then says
                       LoadCredential=npm-token:/run/rotd/credential.sock

  --json         the grant, with its "access_token"
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)

It warns where modes keep the grantee from reaching the socket.
`,
}

func runGrant(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	var to grantee
	to.define(fs)
	expires := fs.String("expires", "", "")
	ref, err := c.parseRef(fs, args)
	if err != nil {
		return err
	}
	req := ipc.GrantTo{Expires: *expires}
	if req.Kind, req.Subject, err = to.one(c); err != nil {
		return err
	}
	var g ipc.Grant
	if err := c.client().Post(ctx, ipc.Path(ipc.PathGrants, ref), req, &g); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(g)
	}
	c.done(strings.TrimSpace(g.Kind+" "+granteeText(g)) + " may read " + ref)
	if g.Warning != "" {
		c.warn(g.Warning)
	}
	if !g.AccessToken.IsZero() {
		c.print(g.AccessToken.Reveal() + "\n")
	}
	return nil
}

// grantee is the flags that say to whom.
type grantee [4]string

var granteeKinds = grantee{ipc.GrantUID, ipc.GrantGID, ipc.GrantAccessToken, ipc.GrantUnit}

func (to *grantee) define(fs *flagSet) {
	for i, kind := range granteeKinds {
		fs.StringVar(&to[i], kind, "", "")
	}
}

// one is the one that was given.
func (to *grantee) one(c *call) (kind, subject string, err error) {
	for i, s := range to {
		if s != "" && subject != "" {
			return "", "", c.usage("one grantee at a time: --uid, --gid, --access-token or --unit")
		}
		if s != "" {
			kind, subject = granteeKinds[i], s
		}
	}
	if subject == "" {
		return "", "", c.usage("it is not said to whom: --uid, --gid, --access-token or --unit")
	}
	return kind, subject, nil
}

// granteeText is who it is: a number with its name, or a name.
func granteeText(g ipc.Grant) string {
	if g.Name == "" {
		return g.Subject
	}
	return g.Subject + " (" + g.Name + ")"
}
