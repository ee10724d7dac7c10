package desk

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"rotd/helper"
	"rotd/ipc"
)

var adopt = helper.Command{
	Name: "adopt",
	Run:  runAdopt,
	Help: `rot adopt --dry-run
rot adopt ~/src
rot adopt ~/src --rot ci --yes --revoke

usage: rot adopt [DIR…] [--rot REF] [--dry-run] [--yes] [--revoke] [--json]

Finds npm tokens in your own .npmrc and in those of the projects below each DIR
(else below the working directory), has rotd ask the registry whose they are and
when they end, and, on your yes to each file, has a ROT take their place:

  your own file  gets the ROT's value, and is kept current (rot npmrc --link)
  a project's    loses the line: package managers take your own file's then

A project's line goes only where your own file has the new value and the
registry takes it. When all is done you are asked whether the old tokens are to
be revoked; one that stands in a file still is not.

A ROT that may only read takes no place of a token that may write.

A line that names a variable, as ${NPM_TOKEN}, stays. A token is shown to no
registry but its own, and only where an account is connected there. Directories
called node_modules, and symbolic links, are not followed.

  --rot REF      the ROT (else the only one of the token's account)
  --dry-run      show what there is, and change nothing
  --yes          yes to every file
  --revoke       yes to revoking the old tokens, too
  --json         {"tokens":[…],"left":[…]}, without any value
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

// adoption is one run.
type adoption struct {
	search
	person *helper.Person // nil: nobody is there
	yes    bool
	revoke bool
}

func runAdopt(ctx context.Context, c *helper.Call, args []string) error {
	a := &adoption{search: search{Call: c, seen: map[string]bool{}, keeps: map[string]string{}}}
	fs := c.Flags()
	fs.BoolVar(&a.yes, "yes", false, "")
	fs.BoolVar(&a.revoke, "revoke", false, "")
	dry := fs.Bool("dry-run", false, "")
	rot := fs.String("rot", "", "")
	if err := c.Parse(fs, args); err != nil {
		return err
	}
	if *dry && (a.yes || a.revoke) {
		return c.Usage("--dry-run changes nothing, so it goes with neither --yes nor --revoke")
	}
	if err := a.find(ctx, fs.Args(), *rot); err != nil {
		return err
	}
	if !c.JSON() {
		a.show()
	}
	if !*dry && a.work() {
		var done func()
		a.person, done = c.Person()
		defer done()
		if a.person == nil && !a.yes {
			return c.Usage("nobody is there to be asked: --yes, or --dry-run")
		}
		if err := a.replace(ctx); err != nil {
			return err
		}
	}
	if c.JSON() {
		if err := c.PrintJSON(a.report()); err != nil {
			return err
		}
	}
	if a.failed {
		return helper.Exit(ipc.ExitFailed)
	}
	return nil
}

// find looks for the tokens, and asks what they are.
func (a *adoption) find(ctx context.Context, dirs []string, rot string) error {
	var all ipc.Status
	if err := a.Client().Get(ctx, ipc.PathStatus, &all); err != nil {
		return err
	}
	for _, p := range all.Passcards {
		a.registries = append(a.registries, p.Registry)
	}
	if rot != "" {
		ref, err := a.Ref(rot)
		if err != nil {
			return err
		}
		var is ipc.ROT
		if err := a.Client().Get(ctx, ipc.Path(ipc.PathSchedule, ref), &is); err != nil {
			return err
		}
		rot = is.Ref
	}
	own, err := a.UserConfig()
	if err != nil {
		return err
	}
	a.read(own, true)
	if len(dirs) == 0 {
		dirs = []string{a.Dir()}
	}
	for _, dir := range dirs {
		if err := a.walk(ctx, a.Absolute(dir), own); err != nil {
			return err
		}
	}
	return a.identify(ctx, all.ROTs, rot)
}

// work tells whether there is anything to replace.
func (a *adoption) work() bool {
	for _, t := range a.found {
		if t.rot != "" {
			return true
		}
	}
	return false
}

// soon is how near an end is worth a colour.
const soon = 14 * 24 * time.Hour

// indent is the room for "token 12".
const indent = "         "

// show tells what was found.
func (a *adoption) show() {
	for i, t := range a.found {
		name := fmt.Sprintf("%-*s", len(indent), "token "+strconv.Itoa(i+1))
		if t.Expires != nil && t.Expires.Sub(a.Now()) < soon && a.StdoutTTY {
			name = a.Paint(helper.Yellow, name)
		}
		a.Print(name + fold(helper.Clean(t.is(a.Now())), indent) + "\n")
		for _, l := range t.lines {
			what := "is taken out: your own file has " + t.rot
			switch {
			case t.rot == "":
				what = "stays: " + t.why
			case l.own:
				what = "gets " + t.rot + ", and is kept current"
			}
			text := fmt.Sprintf("line %d of %s %s", l.line, short(a.Call, l.file), what)
			a.Print(indent + fold(helper.Clean(text), indent) + "\n")
		}
	}
	for _, l := range a.left {
		a.Print("left     " + fold(helper.Clean(l), indent) + "\n")
	}
	if len(a.found)+len(a.left) == 0 {
		a.Note("there are no tokens in any .npmrc here")
	}
}

// is says what a token is, without its value.
func (t *adoptee) is(now time.Time) string {
	var s string
	switch {
	case t.unknown:
		return "at " + t.registry
	case t.ROT != "":
		s = "a value of " + t.ROT
	case !t.Accepted:
		return "nobody's: " + t.registry + " refuses it"
	default:
		s = t.Username + " at " + t.registry
	}
	switch {
	case t.Name == "":
	case t.Expires == nil:
		s += ", called " + strconv.Quote(t.Name) + ", does not end"
	case t.Expires.Before(now):
		s += ", called " + strconv.Quote(t.Name) + ", ended"
	default:
		s += ", called " + strconv.Quote(t.Name) + ", ends in " + helper.Span(t.Expires.Sub(now))
	}
	return s
}

// ends is when a token ends, for an order: what does not end comes last.
func (t *adoptee) ends() time.Time {
	if t.Expires != nil {
		return *t.Expires
	}
	return time.Unix(1<<40, 0)
}

// adopted is a token in the answer of --json.
type adopted struct {
	Registry string        `json:"registry"`
	Username string        `json:"username,omitempty"`
	Accepted bool          `json:"accepted"` // when it was found
	Name     string        `json:"name,omitempty"`
	Expires  *time.Time    `json:"expires,omitempty"`
	ROT      string        `json:"rot,omitempty"` // that takes its place
	Why      string        `json:"why,omitempty"` // there is none
	Lines    []adoptedLine `json:"lines"`
	Revoked  bool          `json:"revoked"`
}

type adoptedLine struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Own  bool   `json:"own,omitempty"` // the user's own file, and not a project's
	Done bool   `json:"done"`
	Text string `json:"text,omitempty"` // why it is not
}

// report is all of it for a program.
func (a *adoption) report() any {
	tokens := []adopted{}
	for _, t := range a.found {
		out := adopted{t.registry, t.Username, t.Accepted, t.Name, t.Expires, t.rot, t.why, nil, t.revoked}
		for _, l := range t.lines {
			out.Lines = append(out.Lines, adoptedLine{l.file, l.line, l.own, l.done, l.outcome})
		}
		tokens = append(tokens, out)
	}
	return map[string]any{"tokens": tokens, "left": append([]string{}, a.left...)}
}
