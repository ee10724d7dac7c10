package helper

import (
	"context"
	"strings"
	"unicode/utf8"

	"rotd/ipc"
	"rotd/ipc/fmt"
)

var ls = command{
	name: "ls",
	line: "list passcards and ROTs",
	run:  runLs,
	help: `rot ls
rot ls --json

usage: rot ls [--json]

Lists each passcard and, indented below it, its ROTs: reference, state, what is
left of the token's life, and name. rot status has more of each.

  --json         {"passcards":[…],"rots":[…]}
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

// columns is how wide a line of ls is at most, on every terminal and in a pipe:
// what it prints is to look the same in both.
const columns = 80

// listing is the answer to PathPasscards and PathROTs, and the JSON of ls.
type listing struct {
	Passcards []ipc.Passcard `json:"passcards"`
	ROTs      []ipc.ROT      `json:"rots"`
}

func runLs(ctx context.Context, c *call, args []string) error {
	if err := c.noArgs(c.flags(), args); err != nil {
		return err
	}
	all := listing{Passcards: []ipc.Passcard{}, ROTs: []ipc.ROT{}}
	client := c.client()
	if err := client.Get(ctx, ipc.PathPasscards, &all); err != nil {
		return err
	}
	if err := client.Get(ctx, ipc.PathROTs, &all); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(all)
	}
	if len(all.Passcards) == 0 {
		c.note("nothing is connected yet")
		c.next("rot connect npm")
		return nil
	}
	var b strings.Builder
	for _, p := range all.Passcards {
		line := fmt.Sprintf("%s  %s at %s", p.Ref, p.Username, shortRegistry(p.Registry))
		if p.Via == ipc.ViaWebsite {
			line += " by the website"
		}
		if p.Trouble != nil {
			line += ", needs sign-in"
		}
		b.WriteString(row(line, p.Name))
		for _, r := range all.ROTs {
			if r.Passcard == p.Ref {
				b.WriteString(row(fmt.Sprintf("  %s  %-14s  %-12s", r.Ref, r.State, c.life(r)), r.Name))
			}
		}
	}
	c.print(b.String())
	return nil
}

// row is a line with the name at its end, shortened rather than the line too
// long.
func row(line, name string) string {
	line = strings.TrimRight(clean(line), " ")
	if name != "" {
		room := columns - utf8.RuneCountInString(line) - 2
		line += "  " + clip(clean(name), max(room, 4))
	}
	return line + "\n"
}

// shortRegistry is the address without what every address has.
func shortRegistry(url string) string {
	_, host, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	return strings.TrimSuffix(host, "/")
}

// life is what is left of the present token's.
func (c *call) life(r ipc.ROT) string {
	switch {
	case r.State == ipc.StateRevoked:
		return "no token"
	case r.Generation == 0:
		return "no token yet"
	case r.Expires == nil:
		return "no expiry"
	case r.Expires.Before(c.Now()):
		return "expired"
	default:
		return span(r.Expires.Sub(c.Now())) + " left"
	}
}
