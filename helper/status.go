package helper

import (
	"context"
	"strings"
	"time"

	"rotd/ipc"
	"rotd/ipc/fmt"
)

var status = command{
	name: "status",
	line: "show the daemon, and how each ROT is doing",
	run:  runStatus,
	help: `rot status
rot status --json
rot status --staged

usage: rot status [--staged] [--json]

Shows rotd and then each ROT: its state, the generation that is served, when
that expires and what is left of its life, when rotd rotates it next, and what
went wrong last and what to do about it. The exit status is 0 whenever rotd
answers: for a monitor, --json has "state" and "last_error".

The states of a ROT:
  ok              a token is served, nothing is due
  rotating        a rotation is running; the old token is served
  failing         the last rotation failed; the old token is served
  not delivered   a delivery failed: the old token stays until it took the new
  needs approval  a person is needed; the old token is served
  needs sign-in   npm's session has ended: rot approve; the old token is served
  expired         the token is past its life, no newer one could be made
  empty           no rotation has succeeded yet
  revoked         rot revoke ended it; no token until the next rotation

  --staged       instead, ask the registries which versions are staged and wait
                 for your approval, of the packages that a ROT may write to
  --json         all of it
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

func runStatus(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	staged := fs.Bool("staged", false, "")
	if err := c.noArgs(fs, args); err != nil {
		return err
	}
	if *staged {
		return c.showStaged(ctx)
	}
	var s ipc.Status
	if err := c.client().Get(ctx, ipc.PathStatus, &s); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(s)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "rotd %s, process %d, running for %s\n", s.Version, s.PID, span(c.Now().Sub(s.Started)))
	fmt.Fprintf(&b, "  state  %s\n", clean(s.StateDir))
	fmt.Fprintf(&b, "  key    %s\n", clean(s.Key))
	for _, r := range s.ROTs {
		c.describe(&b, r)
	}
	c.print(b.String())
	switch {
	case s.Locked:
		c.warn("the keyring with the master key is locked: nothing is served until it is unlocked")
	case len(s.Passcards) == 0:
		c.next("rot connect npm")
	case len(s.ROTs) == 0:
		c.next("rot rotate " + s.Passcards[0].Ref)
	}
	return nil
}

// describe writes what there is to say of one ROT.
func (c *call) describe(b *strings.Builder, r ipc.ROT) {
	now := c.Now()
	name := ""
	if r.Name != "" {
		name = " (" + clean(r.Name) + ")"
	}
	fmt.Fprintf(b, "\n%s%s  %s\n", r.Ref, name, c.paintState(r.State))
	fmt.Fprintf(b, "  of      %s at %s, %s\n", clean(r.Username), clean(shortRegistry(r.Registry)), r.Passcard)
	if r.Generation > 0 {
		life := "no expiry"
		if r.Expires != nil {
			life = fmt.Sprintf("expires %s (%s)", when(*r.Expires, now), stamp(*r.Expires))
			if r.Expires.Before(now) {
				life = strings.Replace(life, "expires", "expired", 1)
			}
		}
		fmt.Fprintf(b, "  token   generation %d, %s\n", r.Generation, life)
		if left, ok := lifeLeft(r, now); ok {
			fmt.Fprintf(b, "  life    %s\n", c.bar(left))
		}
	}
	by := ""
	if r.Schedule != (ipc.Schedule{}) {
		by = scheduleText(r.Schedule)
	}
	switch {
	case r.Next != nil && by != "":
		by = ", " + by
		fallthrough
	case r.Next != nil:
		fmt.Fprintf(b, "  next    rotation %s (%s)%s\n", when(*r.Next, now), stamp(*r.Next), by)
	case by != "":
		fmt.Fprintf(b, "  next    %s\n", by)
	}
	if r.ExpiresBeforeNext {
		fmt.Fprintf(b, "  note    %s\n", c.paintState("it expires before rotd tries again"))
	}
	if r.LastAttempt != nil && r.LastError == nil && r.Generation > 0 {
		fmt.Fprintf(b, "  last    rotated %s\n", when(*r.LastAttempt, now))
	}
	for _, d := range r.Deliveries {
		fmt.Fprintf(b, "  to      %s\n", c.deliveryText(d))
		if lines := outputLines(d); d.State == ipc.DeliveryFailing && len(lines) > 0 {
			fmt.Fprintf(b, "    it said: %s\n", lines[len(lines)-1])
		}
	}
	if r.Retiring > 0 {
		kept := ""
		if r.GraceEnds != nil {
			kept = ", kept until " + stamp(*r.GraceEnds)
		}
		if r.Readers > 0 {
			kept += fmt.Sprintf(", kept for %d that run with it (rot exec)", r.Readers)
		}
		fmt.Fprintf(b, "  old     %d not yet confirmed as revoked%s\n", r.Retiring, kept)
	}
	if e := r.LastError; e != nil {
		tried := ""
		if r.LastAttempt != nil && r.State != ipc.StateNeedsSignIn { // which can be seen without an attempt
			tried = " (" + when(*r.LastAttempt, now) + ")"
		}
		fmt.Fprintf(b, "  error   %s%s\n", clean(e.Message), tried)
		if e.Hint != "" {
			fmt.Fprintf(b, "    hint: %s\n", clean(e.Hint))
		}
	}
}

// lifeLeft is what is left of the present token's life, of 100.
func lifeLeft(r ipc.ROT, now time.Time) (percent int, ok bool) {
	if r.Created == nil || r.Expires == nil || !now.Before(*r.Expires) || !r.Created.Before(*r.Expires) {
		return 0, false
	}
	return min(100, int(100*r.Expires.Sub(now)/r.Expires.Sub(*r.Created))), true
}

// barCells is how long a whole life is drawn.
const barCells = 30

// bar says how much is left, on a terminal as a picture too.
func (c *call) bar(percent int) string {
	words := fmt.Sprintf("%d %% left", percent)
	if !c.StdoutTTY {
		return words
	}
	full := (percent*barCells + 50) / 100
	colour := green
	switch {
	case percent < 10:
		colour = red
	case percent < 30: // rotd replaces it at a third
		colour = yellow
	}
	return c.paint(colour, strings.Repeat("█", full)) + strings.Repeat("░", barCells-full) + "  " + words
}

// paintState colours a state where stdout is read on a terminal.
func (c *call) paintState(state string) string {
	if !c.StdoutTTY {
		return state
	}
	switch state {
	case ipc.StateOK, ipc.StateRotating:
		return c.paint(green, state)
	case ipc.StateFailing, ipc.StateUndelivered, ipc.StateNeedsApproval, ipc.StateNeedsSignIn:
		return c.paint(yellow, state)
	default:
		return c.paint(red, state)
	}
}
