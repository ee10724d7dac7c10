package helper

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"rotd/ipc/fmt"
)

// flagSet parses the flags of a command. It has the methods, the rules and the
// messages of spf13/pflag, as far as rot uses them; pflag itself, which reads
// rotd's flags, brings the standard library's flag and net packages along, a
// twentieth of the helper. What differs: commas in a list cannot be quoted.
//
// The zero value takes flags and arguments in any order.
type flagSet struct {
	flags   []*flagVar
	args    []string
	dash    int  // how many arguments stand before "--"; -1: there is none
	ordered bool // no flags after the first argument
}

type flagVar struct {
	name    string
	letter  string // of the short form, "" for none
	value   any    // *string, *bool, *int or *[]string
	changed bool
}

// errHelpFlag says that -h or --help was given.
var errHelpFlag = errors.New("help requested")

func (fs *flagSet) add(name string, value any) *flagVar {
	f := &flagVar{name: name, value: value}
	fs.flags = append(fs.flags, f)
	return f
}

// StringVar defines a flag. The last argument, here and below, is not used: the
// help of each command is written as a whole.
func (fs *flagSet) StringVar(p *string, name, value, _ string) {
	*p = value
	fs.add(name, p)
}

// String is StringVar with a variable of its own.
func (fs *flagSet) String(name, value, usage string) *string {
	p := new(string)
	fs.StringVar(p, name, value, usage)
	return p
}

// BoolVar defines a flag that needs no value.
func (fs *flagSet) BoolVar(p *bool, name string, value bool, _ string) {
	*p = value
	fs.add(name, p)
}

// Bool is BoolVar with a variable of its own.
func (fs *flagSet) Bool(name string, value bool, usage string) *bool {
	p := new(bool)
	fs.BoolVar(p, name, value, usage)
	return p
}

// IntVar defines a flag whose value is a number.
func (fs *flagSet) IntVar(p *int, name string, value int, usage string) {
	fs.IntVarP(p, name, "", value, usage)
}

// IntVarP is IntVar with a letter for the short form.
func (fs *flagSet) IntVarP(p *int, name, letter string, value int, _ string) {
	*p = value
	fs.add(name, p).letter = letter
}

// StringSliceVar defines a flag that takes a list with commas, and may be given
// several times.
func (fs *flagSet) StringSliceVar(p *[]string, name string, value []string, _ string) {
	*p = value
	fs.add(name, p)
}

// SetInterspersed says whether flags may stand after the first argument.
func (fs *flagSet) SetInterspersed(yes bool) { fs.ordered = !yes }

// Parse reads the command line. Its errors are for the user, but for
// errHelpFlag.
func (fs *flagSet) Parse(args []string) error {
	fs.args, fs.dash = nil, -1
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		var err error
		switch {
		case arg == "--":
			fs.dash = len(fs.args)
			fs.args = append(fs.args, args...)
			return nil
		case len(arg) < 2 || arg[0] != '-':
			fs.args = append(fs.args, arg)
			if fs.ordered {
				fs.args = append(fs.args, args...)
				return nil
			}
		case arg[1] == '-':
			args, err = fs.long(arg, args)
		default:
			args, err = fs.short(arg, args)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// long takes --name, --name value or --name=value, and returns the arguments
// that are left.
func (fs *flagSet) long(arg string, rest []string) ([]string, error) {
	name, value, given := strings.Cut(arg[2:], "=")
	f := fs.find(func(f *flagVar) bool { return f.name == name })
	switch {
	case name == "" || name[0] == '-':
		return nil, fmt.Errorf("bad flag syntax: %s", arg)
	case f == nil && name == "help":
		return nil, errHelpFlag
	case f == nil:
		return nil, fmt.Errorf("unknown flag: --%s", name)
	case given:
	case f.alone():
		value = "true"
	case len(rest) == 0:
		return nil, fmt.Errorf("flag needs an argument: --%s", name)
	default:
		value, rest = rest[0], rest[1:]
	}
	return rest, f.take(value)
}

// short takes -n value, -nvalue or -n=value. No flag with a letter goes without
// a value, so letters do not follow one another.
func (fs *flagSet) short(arg string, rest []string) ([]string, error) {
	letter, value := arg[1:2], strings.TrimPrefix(arg[2:], "=")
	f := fs.find(func(f *flagVar) bool { return f.letter == letter })
	switch {
	case f == nil && letter == "h":
		return nil, errHelpFlag
	case f == nil:
		return nil, fmt.Errorf("unknown shorthand flag: %q in %s", rune(arg[1]), arg)
	case len(arg) > 2:
	case len(rest) == 0:
		return nil, fmt.Errorf("flag needs an argument: %q in %s", rune(arg[1]), arg)
	default:
		value, rest = rest[0], rest[1:]
	}
	return rest, f.take(value)
}

func (f *flagVar) take(value string) error {
	if err := f.set(value); err != nil {
		return fmt.Errorf("invalid argument %q for %q flag: %w", value, "--"+f.name, err)
	}
	f.changed = true
	return nil
}

func (f *flagVar) set(value string) (err error) {
	switch p := f.value.(type) {
	case *string:
		*p = value
	case *bool:
		if *p, err = strconv.ParseBool(value); err != nil {
			return errors.New("must be true or false")
		}
	case *int:
		if *p, err = strconv.Atoi(value); err != nil {
			return errors.New("must be an integer")
		}
	case *[]string:
		if !f.changed { // what was there is what holds when the flag is not given
			*p = []string{}
		}
		if value != "" {
			*p = append(*p, strings.Split(value, ",")...)
		}
	}
	return nil
}

// alone tells whether it may stand without a value.
func (f *flagVar) alone() bool {
	_, ok := f.value.(*bool)
	return ok
}

func (fs *flagSet) find(is func(*flagVar) bool) *flagVar {
	if i := slices.IndexFunc(fs.flags, is); i >= 0 {
		return fs.flags[i]
	}
	return nil
}

// Changed tells whether a flag was given.
func (fs *flagSet) Changed(name string) bool { return slices.Contains(fs.Given(), name) }

// Given names the flags that were given.
func (fs *flagSet) Given() []string {
	var names []string
	for _, f := range fs.flags {
		if f.changed {
			names = append(names, f.name)
		}
	}
	return names
}

// Args are the arguments that are no flags.
func (fs *flagSet) Args() []string { return fs.args }

// NArg is how many there are.
func (fs *flagSet) NArg() int { return len(fs.args) }

// Arg is one of them.
func (fs *flagSet) Arg(i int) string { return fs.args[i] }

// ArgsLenAtDash is how many stand before "--", -1 where that was not given.
func (fs *flagSet) ArgsLenAtDash() int { return fs.dash }
