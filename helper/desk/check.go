package desk

import (
	"context"
	"strconv"
	"strings"

	"rotd/helper"
	"rotd/ipc"
)

// npmrcCheck is rot npmrc REF --check.
var npmrcCheck = helper.Command{Name: "npmrc", Run: runCheck}

// clientCheck is what one client would take.
type clientCheck struct {
	Client string `json:"client"`
	OK     bool   `json:"ok"`           // the ROT's present token
	At     string `json:"at,omitempty"` // where it stands; absent: there is none
	Text   string `json:"text"`
}

// runCheck is given a reference, and the clients that are meant.
func runCheck(ctx context.Context, c *helper.Call, args []string) error {
	tok, err := c.Token(ctx, args[0])
	if err != nil {
		return err
	}
	s := &seeker{Call: c, registry: tok.Registry, dir: c.Dir(), ctx: ctx}
	all, err := s.check(tok, args[1:])
	if err != nil {
		return err
	}
	wrong := false
	for _, found := range all {
		wrong = wrong || !found.OK
		if !c.JSON() {
			s.show(found)
		}
	}
	if c.JSON() {
		if err := c.PrintJSON(map[string]any{"registry": tok.Registry, "clients": all}); err != nil {
			return err
		}
	}
	if wrong {
		return helper.Exit(ipc.ExitFailed)
	}
	return nil
}

// check looks at the clients whose names begin with one of those that are meant.
func (s *seeker) check(tok ipc.Token, meant []string) ([]clientCheck, error) {
	var all []clientCheck
	for _, cl := range helper.Clients {
		program, _, _ := strings.Cut(strings.ToLower(cl.Name), " ")
		is := len(meant) == 0
		for _, m := range meant {
			is = is || m == program
		}
		if is {
			all = append(all, verdict(cl, s.take(cl), tok))
		}
	}
	if len(all) == 0 {
		return nil, s.Usage("--client is npm, pnpm, yarn or bun, and not " + strconv.Quote(strings.Join(meant, ",")))
	}
	return all, nil
}

// verdict compares what a client takes with what the ROT has.
func verdict(cl helper.Client, t taken, tok ipc.Token) clientCheck {
	v := clientCheck{Client: cl.Name, At: t.at}
	switch {
	case t.at == "":
		v.Text = "no token"
	case t.trouble != "":
		v.Text = t.at + ": " + t.trouble
	case t.value.Equal(tok.Value.Text):
		v.OK, v.Text = true, t.at
	default:
		v.Text = t.at + ": another token"
	}
	return v
}

// clientColumn is the room for the name of a client.
const clientColumn = len("pnpm 11+") + 2

func (s *seeker) show(v clientCheck) {
	word, colour := "ok   ", helper.Green
	if !v.OK {
		word, colour = "wrong", helper.Red
	}
	if s.StdoutTTY {
		word = s.Paint(colour, word)
	}
	indent := strings.Repeat(" ", len("wrong  ")+clientColumn)
	s.Print(word + "  " + v.Client + strings.Repeat(" ", clientColumn-len(v.Client)) + fold(helper.Clean(v.Text), indent) + "\n")
}
