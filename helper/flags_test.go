package helper

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// parsed is what a command line came to.
type parsed struct {
	Text          string
	Yes           bool
	Number        int
	List          []string
	Args, Changed []string
	Dash          int
	Help          bool
	Error         string
}

func failed(err, help error) parsed {
	if errors.Is(err, help) {
		return parsed{Help: true}
	}
	return parsed{Error: err.Error()}
}

func parseOurs(args []string, interspersed bool) (p parsed) {
	fs := new(flagSet)
	fs.StringVar(&p.Text, "text", "default", "")
	fs.BoolVar(&p.Yes, "yes", false, "")
	fs.IntVarP(&p.Number, "number", "n", 50, "")
	fs.StringSliceVar(&p.List, "list", []string{"default"}, "")
	fs.SetInterspersed(interspersed)
	if err := fs.Parse(args); err != nil {
		return failed(err, errHelpFlag)
	}
	p.Args, p.Dash, p.Changed = fs.Args(), fs.ArgsLenAtDash(), fs.Given()
	return p
}

func parsePflag(args []string, interspersed bool) (p parsed) {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.SortFlags = false
	fs.StringVar(&p.Text, "text", "default", "")
	fs.BoolVar(&p.Yes, "yes", false, "")
	fs.IntVarP(&p.Number, "number", "n", 50, "")
	fs.StringSliceVar(&p.List, "list", []string{"default"}, "")
	fs.SetInterspersed(interspersed)
	if err := fs.Parse(args); err != nil {
		return failed(err, pflag.ErrHelp)
	}
	p.Args, p.Dash = fs.Args(), fs.ArgsLenAtDash()
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Changed {
			p.Changed = append(p.Changed, f.Name)
		}
	})
	return p
}

// flagWords are what a command line can be made of.
var flagWords = []string{
	"--text", "--text=", "--text=a=b", "--yes", "--yes=false", "--yes=maybe", "--number", "--number=x", "--number=7",
	"-n", "-n3", "-n=4", "-nx", "--list", "--list=", "--list=a,b", "--list=,", "--nope", "--nope=1", "-x", "-xy", "-é",
	"--", "-", "--=a", "---text", "--help", "-h", "--help=no", "a", "5", "true", "",
}

// TestFlagsAreReadAsPflagReadsThem tries every command line of up to three words.
func TestFlagsAreReadAsPflagReadsThem(t *testing.T) {
	lines := [][]string{nil}
	for from := 0; len(lines[from]) < 3; from++ {
		for _, w := range flagWords {
			lines = append(lines, append(slices.Clone(lines[from]), w))
		}
	}
	for _, line := range lines {
		for _, interspersed := range []bool{true, false} {
			want, got := parsePflag(line, interspersed), parseOurs(line, interspersed)
			// Of a flag with a short form pflag names both.
			want.Error = strings.ReplaceAll(want.Error, "-n, --number", "--number")
			if fmt.Sprint(want) != fmt.Sprint(got) { // nil and empty are the same here
				t.Fatalf("%q, interspersed %v: (-pflag +got)\n%s", line, interspersed, cmp.Diff(want, got))
			}
		}
	}
	t.Logf("%d command lines", len(lines))
}

// TestAListGivenWinsOverItsDefault, also where it is empty.
func TestAListGivenWinsOverItsDefault(t *testing.T) {
	if got := parseOurs([]string{"--list="}, true).List; got == nil || len(got) != 0 {
		t.Errorf("%#v", got)
	}
}
