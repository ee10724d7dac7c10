package helper

import (
	"context"
	"strconv"
	"strings"
	"time"

	"rotd/ipc"
	"rotd/ipc/fmt"
	"rotd/ipc/json"
)

var logCommand = command{
	name: "log",
	line: "show what happened: rotations, reads, refusals",
	run:  runLog,
	help: `rot log
rot log ci -n 200
rot log ci --follow

usage: rot log [REF] [-n N] [--follow] [--json]

Shows what happened, the newest last; with a REF only what is about that ROT,
or that passcard and its ROTs. Of something removed the whole id will do. Reads
are gathered for a second: who, how often. Times are in UTC. Never a value: a
fingerprint is the first 8 hex digits of its SHA-256. Reads and refusals are
kept for 90 days, and of everything the newest million entries, unless rotd was
told otherwise (rotd run --log-days, --log-entries).

  -n, --lines N  how many; 50 unless told, 10000 at most
  --follow       go on with what happens from now, until Ctrl-C
  --json         a line for each: {"id","at","kind","rot","generation",…}
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

func runLog(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	var lines int
	fs.IntVarP(&lines, "lines", "n", 50, "")
	follow := fs.Bool("follow", false, "")
	if err := c.parse(fs, args); err != nil {
		return err
	}
	path := ipc.PathLog + "?limit=" + strconv.Itoa(lines)
	if fs.NArg() > 0 {
		ref, err := c.parseRef(fs, args)
		if err != nil {
			return err
		}
		path = ipc.Path(path+"&ref={ref}", ref)
	}
	if *follow {
		return c.followLog(ctx, path+"&follow=1")
	}
	var page struct {
		Log []ipc.LogEntry `json:"log"`
	}
	if err := c.client().Get(ctx, path, &page); err != nil {
		return err
	}
	for _, e := range page.Log {
		if err := c.showEntry(e); err != nil {
			return err
		}
	}
	return nil
}

// followLog shows entries until rotd or the user ends it.
func (c *call) followLog(ctx context.Context, path string) error {
	for line, err := range c.client().Lines(ctx, path) {
		var e ipc.LogEntry
		if ctx.Err() != nil {
			return exitStatus(exitInterrupted) // that is how it is ended
		}
		if err == nil {
			err = json.Unmarshal(line, &e)
		}
		if err == nil {
			err = c.showEntry(e)
		}
		if err != nil {
			return err
		}
		if c.stdout.err != nil {
			return nil // nobody reads any more: Run says so
		}
	}
	return nil
}

// showEntry prints an entry: whole in a file or a pipe, no wider than a line on
// a terminal.
func (c *call) showEntry(e ipc.LogEntry) error {
	if c.json {
		return c.printJSON(e)
	}
	ref := e.ROT
	if ref == "" {
		ref = e.Passcard
	}
	if ref == "" {
		ref = "-"
	}
	var words []string
	if e.Generation > 0 {
		words = append(words, fmt.Sprintf("generation %d", e.Generation))
	}
	if e.UID != nil {
		words = append(words, fmt.Sprintf("uid %d", *e.UID))
	}
	if e.Count > 1 {
		words = append(words, fmt.Sprintf("%d times", e.Count))
	}
	if e.Detail != "" {
		words = append(words, e.Detail)
	}
	at, width := e.At.UTC().Format(time.RFC3339), 0
	if c.StdoutTTY {
		at, width = e.At.UTC().Format("01-02 15:04:05"), columns
		ref = clip(strings.TrimPrefix(ref, "rot://"), 13)
	}
	line := fmt.Sprintf("%s  %-11s  %-13s  %s", at, e.Kind, ref, strings.Join(words, ", "))
	c.print(clip(clean(strings.TrimRight(line, " ")), width) + "\n")
	return nil
}
