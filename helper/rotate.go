package helper

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"rotd/ipc"
	"rotd/ipc/fmt"
)

var rotate = command{
	name: "rotate",
	line: "make a new token and retire the old one",
	run:  runRotate,
	help: `rot rotate rot://pas_1234 --for publish     the first token of an account
rot rotate rot://pas_1234                   a new one, behind the same ROT
rot rotate ci                               by name
rot rotate rot://pas_1234 --name ci --for stage --packages left-pad
rot rotate ci --json

usage: rot rotate REF [--for PURPOSE] [flags]

The new token is made, checked with the registry and served by rot get; only
then the old one is revoked. When anything fails the old one stays. On a
passcard every ROT of it is rotated; with --name it makes another ROT.
rotd also rotates by itself, at two thirds of the token's life.

The first rotation says what the token is for:
  --for publish  publish packages: read and write, bypassing 2FA, 90 days
  --for stage    stage versions, which a person then approves: 90 days
  --for install  install private packages: read only, 30 days
Each is for all packages unless --packages or --scopes narrows it. Around
January 2027 npm ends direct publishing with tokens that bypass 2FA. They
will still read and stage; --for stage goes on as it is. Where your CI can
use npm's trusted publishing it needs no token at all: that is better.

npm's own flags, each beating what --for says. On a ROT that exists they
give it a new shape, and are then the whole of it:
  --expires DAYS           how long a token lives; npm: 90 at most if it writes
  --packages A,B           only these packages
  --packages-all           all packages, present and future
  --scopes @A,@B           only these scopes
  --packages-and-scopes-permission P
                           no-access, read-only, read-write or
                           read-write-stage-only
  --orgs A,B               these organizations
  --orgs-permission P      no-access, read-only or read-write
  --cidr 203.0.113.0/24    only from these addresses
  --bypass-2fa             no second factor when it is used
  --description TEXT       for npm's list of tokens

  --revoke-now   the old token has leaked: revoke it as soon as there is a new
                 one, whatever deliveries, grace and running commands say
  --grace T      from now on an old token lives on for T (36h, 2d, 1w; 0: not)
                 after the last delivery has taken the new one
  --name NAME    the ROT's name, usable as a reference
  --json         a line for each ROT: {"rot","generation","expires"}
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)

Exit status 6: npm wants its second factor from a person; rot says how.
`,
}

func runRotate(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	flags := newShapeFlags(fs)
	grace := fs.String(flagGrace, "", "")
	revokeNow := fs.Bool(flagRevokeNow, false, "")
	ref, err := c.parseRef(fs, args)
	if err != nil {
		return err
	}
	shape, err := flags.wanted()
	if err != nil {
		return c.usage(err.Error())
	}
	person, ok := c.person()
	if ok {
		defer person.close()
	}
	req := ipc.Rotate{Name: flags.name, Shape: shape, Interactive: ok, Grace: *grace, RevokeNow: *revokeNow}
	result, err := c.rotate(ctx, ref, req, person)
	var wire *ipc.Error
	if ok && errors.As(err, &wire) && wire.Code == ipc.CodeShapeRequired {
		if req.Shape, err = askPurpose(ctx, person); err == nil {
			result, err = c.rotate(ctx, ref, req, person)
		}
	}
	if err != nil {
		return err
	}
	return c.showRotations(result.Rotations)
}

func (c *call) rotate(ctx context.Context, ref string, req ipc.Rotate, person *terminal) (*ipc.Result, error) {
	if losesPublishing(req.Shape) {
		c.note(january)
	}
	result, err := c.follow(ctx, "rotating…", ipc.Path(ipc.PathRotate, ref), req, person)
	if ctx.Err() != nil && err != nil {
		c.note("rot: rotd goes on with a rotation that it has begun: rot status tells how it ends")
	}
	return result, err
}

// askPurpose asks what a first token is for.
func askPurpose(ctx context.Context, person *terminal) (*ipc.Shape, error) {
	person.say("What is the token for? (rot rotate --help has more)")
	for i, p := range purposes {
		person.say(fmt.Sprintf("  %d  %-8s %s", i+1, p.name, p.line))
	}
	for {
		answer, err := person.ask(ctx, "1, 2 or 3: ", false)
		if err != nil {
			return nil, err
		}
		answer = strings.ToLower(strings.TrimSpace(answer))
		for i, p := range purposes {
			if answer == p.name || answer == strconv.Itoa(i+1) {
				return &p.shape, nil
			}
		}
	}
}

// rotated is the line of --json for one ROT.
type rotated struct {
	ROT        string     `json:"rot"`
	Generation int        `json:"generation"`
	Expires    *time.Time `json:"expires,omitempty"`
	Warning    string     `json:"warning,omitempty"`
	GraceEnds  *time.Time `json:"grace_ends,omitempty"` // until then the old token lives on
	Readers    int        `json:"readers,omitempty"`    // commands of rot exec that it lives on for
	Error      *ipc.Error `json:"error,omitempty"`
}

// showRotations tells the outcome of each; its error is the first one's.
func (c *call) showRotations(all []ipc.Rotation) error {
	var good []string
	var failed error
	for _, r := range all {
		if r.Error == nil {
			good = append(good, r.ROT)
		} else if failed == nil {
			failed = exitStatus(r.Error.Code.Exit())
		}
		if err := c.showRotation(r); err != nil {
			return err
		}
	}
	if len(good) == 1 && !c.json {
		c.next("rot get " + good[0])
	}
	return failed
}

func (c *call) showRotation(r ipc.Rotation) error {
	if c.json {
		return c.printJSON(rotated{r.ROT, r.Generation, r.Expires, r.Warning, r.GraceEnds, r.Readers, r.Error})
	}
	if r.Error != nil {
		c.errorf(&ipc.Error{Message: r.ROT + ": " + r.Error.Message, Hint: r.Error.Hint})
		return nil
	}
	c.done("rotated " + r.ROT)
	if r.GraceEnds != nil {
		c.note("the old token lives on until " + stamp(*r.GraceEnds))
	}
	if r.Readers > 0 {
		c.note(fmt.Sprintf("the old token lives on for what runs with it by rot exec: %d", r.Readers))
	}
	if r.Warning != "" {
		c.warn(r.ROT + ": " + r.Warning)
	}
	return nil
}
