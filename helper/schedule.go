package helper

import (
	"context"

	"rotd/ipc"
	"rotd/ipc/fmt"
)

var schedule = command{
	name: "schedule",
	line: "show or set when a ROT is rotated by itself",
	run:  runSchedule,
	help: `rot schedule ci
rot schedule ci --every 30d
rot schedule ci --before-expiry 2w
rot schedule ci --off

usage: rot schedule REF [--every T | --before-expiry T | --auto | --off]

Without a flag it shows the schedule. T is a number of hours, days or weeks:
36h, 30d, 2w. rotd rotates a little earlier than it says, by chance, so that not
everything falls on one moment.

  --every T          T after the last rotation
  --before-expiry T  T before the token expires
  --auto             at two thirds of the token's life: the default
  --off              never by itself; rot rotate still does

  --json         the ROT, as in rot status --json
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

func runSchedule(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	var to ipc.Schedule
	fs.StringVar(&to.Every, "every", "", "")
	fs.StringVar(&to.BeforeExpiry, "before-expiry", "", "")
	fs.BoolVar(&to.Off, "off", false, "")
	auto := fs.Bool("auto", false, "")
	ref, err := c.parseRef(fs, args)
	if err != nil {
		return err
	}
	switch {
	case fs.Changed("every") && to.Every == "":
		return c.usage("--every is empty")
	case fs.Changed("before-expiry") && to.BeforeExpiry == "":
		return c.usage("--before-expiry is empty")
	}
	if *auto && to != (ipc.Schedule{}) {
		return c.usage("--auto goes with no other schedule")
	}
	set := *auto || to != (ipc.Schedule{})
	path := ipc.Path(ipc.PathSchedule, ref)
	var r ipc.ROT
	if set {
		err = c.client().Put(ctx, path, to, &r)
	} else {
		err = c.client().Get(ctx, path, &r)
	}
	switch {
	case err != nil:
		return err
	case c.json:
		return c.printJSON(r)
	case set:
		c.done(fmt.Sprintf("%s: %s%s", r.Ref, scheduleText(r.Schedule), c.nextText(r)))
	default:
		c.print(scheduleText(r.Schedule) + c.nextText(r) + "\n")
	}
	return nil
}

// scheduleText is a schedule in words.
func scheduleText(s ipc.Schedule) string {
	switch {
	case s.Off:
		return "never by itself"
	case s.Every != "":
		return "every " + clean(s.Every)
	case s.BeforeExpiry != "":
		return clean(s.BeforeExpiry) + " before it expires"
	default:
		return "at two thirds of its life"
	}
}

// nextText goes on with when that is.
func (c *call) nextText(r ipc.ROT) string {
	switch now := c.Now(); {
	case r.Next == nil:
		return ""
	case r.Next.After(now):
		return fmt.Sprintf(", next %s (%s)", when(*r.Next, now), stamp(*r.Next))
	default:
		return ", due now"
	}
}
