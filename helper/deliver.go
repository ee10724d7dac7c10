package helper

import (
	"context"
	"path/filepath"
	"strings"

	"rotd/ipc"
	"rotd/ipc/fmt"
)

var deliver = command{
	name: "deliver",
	line: "hand every new value to a command, before the old one dies",
	run:  runDeliver,
	help: `rot deliver ci -- gh secret set NPM_TOKEN --repo acme/app
rot deliver ci --name fleet -- etcdctl put rotd/npm-token
rot deliver ci --list
rot deliver ci --remove fleet

usage: rot deliver REF [--name N] -- CMD [ARG…]
       rot deliver REF --list | --remove N

CMD gets the present value at once, and from then on every new one: on its
standard input, without a line end, and nowhere else. rotd runs it as its own
user in that user's home, with a small environment (HOME, PATH, USER, LANG and
the like) and ROT_REF, ROT_GENERATION and ROT_EXPIRES. It has a minute, and says
by exit status 0 that it has taken the value. It can happen to be run twice.

The old token is not revoked before every CMD has taken the new one. One that
fails is tried again after 30 s, 1 min, 2 min … up to every hour; rot status
shows why, with the end of what it printed (secrets taken out).

  --name N       its name (else that of the program)
  --list         show them all; with --json, too
  --remove N     forget one: the old token no longer waits for it
  --json         the delivery as rot status --json has it
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

func runDeliver(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	name := fs.String("name", "", "")
	list := fs.Bool("list", false, "")
	gone := fs.String("remove", "", "")
	if err := c.parse(fs, args); err != nil {
		return err
	}
	words, argv := fs.Args(), []string(nil)
	if n := fs.ArgsLenAtDash(); n >= 0 {
		words, argv = words[:n], words[n:]
	}
	if len(words) != 1 {
		return c.usage("it takes one reference, and the command after --")
	}
	ref, err := c.ref(words[0])
	if err != nil {
		return err
	}
	if (*list || *gone != "") == (len(argv) > 0) || *list && *gone != "" {
		return c.usage("give it a command after --, or --list, or --remove N")
	}
	switch {
	case *list:
		return c.listDeliveries(ctx, ref)
	case *gone != "":
		return c.removeDelivery(ctx, ref, *gone)
	}
	if strings.Contains(argv[0], "/") {
		argv[0] = c.absolute(argv[0])
	}
	return c.deliver(ctx, ref, ipc.Deliver{Name: *name, Command: argv})
}

// absolute makes a path whole: rotd runs elsewhere.
func (c *call) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Dir(), path)
}

// deliver adds a delivery and tells how its first run went.
func (c *call) deliver(ctx context.Context, ref string, req ipc.Deliver) error {
	result, err := c.follow(ctx, "delivering…", ipc.Path(ipc.PathDeliver, ref), req, nil)
	if err != nil {
		return err
	}
	d := result.Delivery
	if d == nil {
		return &ipc.ProtocolError{Socket: c.socket, Cause: fmt.Errorf("there is no delivery in it")}
	}
	if c.json {
		if err := c.printJSON(d); err != nil {
			return err
		}
	}
	switch {
	case d.State == ipc.DeliveryFailing:
		if c.json {
			return exitStatus(ipc.ExitFailed)
		}
		for _, line := range outputLines(*d) {
			c.note("  " + line)
		}
		return local(fmt.Sprintf("rotd keeps it and tries again; or: rot deliver %s --remove %s", ref, d.Name), "%s has not taken it: %s", d.Name, d.Error)
	case c.json:
	case d.Generation == 0:
		c.done(d.Name + " is kept: it runs after the first rotation")
	default:
		c.done(fmt.Sprintf("%s has generation %d", d.Name, d.Generation))
	}
	return nil
}

func (c *call) deliveries(ctx context.Context, ref string) ([]ipc.Delivery, error) {
	var all struct {
		Deliveries []ipc.Delivery `json:"deliveries"`
	}
	err := c.client().Get(ctx, ipc.Path(ipc.PathDeliver, ref), &all)
	return all.Deliveries, err
}

func (c *call) listDeliveries(ctx context.Context, ref string) error {
	all, err := c.deliveries(ctx, ref)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(map[string]any{"deliveries": all})
	}
	for _, d := range all {
		c.print(c.deliveryText(d) + "\n    " + clean(strings.Join(d.Command, " ")) + "\n")
		for _, line := range outputLines(d) {
			c.print("    | " + line + "\n")
		}
	}
	if len(all) == 0 {
		c.note("there are no deliveries")
	}
	return nil
}

func (c *call) removeDelivery(ctx context.Context, ref, name string) error {
	err := c.client().Delete(ctx, ipc.Path(ipc.Path(ipc.PathDelivery, ref), name), nil)
	if err == nil {
		c.done("removed " + name)
	}
	return err
}

// deliveryText is a delivery and how it is doing, in a line.
func (c *call) deliveryText(d ipc.Delivery) string {
	s := d.Name + ": "
	switch {
	case d.State == ipc.DeliveryFailing:
		s += "failing, " + d.Error
		if d.Next != nil {
			s += ", tried again " + when(*d.Next, c.Now())
		}
	case d.Generation == 0:
		s += "not run yet"
	case d.Delivered != nil:
		s += fmt.Sprintf("has generation %d since %s", d.Generation, stamp(*d.Delivered))
	}
	return clean(s)
}

// outputLines are the last lines of what a delivery printed.
func outputLines(d ipc.Delivery) []string {
	const most = 10
	text := strings.TrimRight(d.Output, "\r\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	lines = lines[max(0, len(lines)-most):]
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return lines
}
