package helper

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"rotd/ipc"
	"rotd/ipc/fmt"
)

// Env is what rot has of its surroundings. A test brings its own. What takes time to
// find out, and is seldom asked for, is a function.
type Env struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer

	StdinTTY  bool // Stdin is a terminal
	StdoutTTY bool // Stdout is one
	StderrTTY bool // Stderr is one
	Width     int  // of that one, in columns; 0 where it is not known
	// OpenTTY opens the terminal that questions are asked on.
	OpenTTY func() (*os.File, error)

	Environ []string      // "K=V"; of two values the last counts
	Dir     func() string // the working directory; "": it is gone
	UID     int
	GOOS    string
	Now     func() time.Time

	// Asked is a connection to rotd on which what these arguments ask for has been
	// asked, as package early does; nil: there is none.
	Asked io.ReadWriteCloser

	// Interruptible returns a context that ends with the user's Ctrl-C, and what
	// undoes that; nil: the context of Run does so.
	Interruptible func(context.Context) (context.Context, context.CancelFunc)

	Executable func() string // this program's path; "": nobody knows
	// Exec is syscall.Exec. Nil: another program is never put in rot's place.
	Exec func(program string, argv, environ []string) error
}

// Getenv is os.Getenv for e.Environ.
func (e *Env) Getenv(name string) string {
	for i := len(e.Environ) - 1; i >= 0; i-- {
		if k, v, _ := strings.Cut(e.Environ[i], "="); k == name {
			return v
		}
	}
	return ""
}

// command is one of rot's.
type command struct {
	name string // "connect npm"
	line string // what it does, for the overview
	help string
	// part, at the desk, does that of it which rot does not do.
	part func(ctx context.Context, c *call, args []string) error
	// run does it; nil: that is done at the desk.
	run func(ctx context.Context, c *call, args []string) error
	// brief: it has nothing to put in order at Ctrl-C, and dies of it. To listen
	// for that would be a tenth of its time.
	brief bool
}

// text is what --help prints.
func (cmd command) text(all []command) string {
	if cmd.help == "" {
		return overview(all)
	}
	return cmd.help
}

// commands are all of rot's, in the order of the overview.
var commands = []command{connectNPM, rotate, get, npmrcCommand, adopt, pnpm, yarn, execCommand, envCommand, deliver, grant, grants, ungrant, approve, passkeyAdd, passkeyRemove, export, importCommand, schedule, ls, status, doctor, logCommand, revoke, remove, completion, version, help}

// call is one run of rot.
type call struct {
	*Env
	tui
	args    []string // all of them
	ended   bool     // by the user
	command command
	all     []command
	socket  string
	json    bool
	// accessFile is the file with an access token, where a flag names one.
	accessFile string
	// probe, where it is not nil, is only to be told the command's flags.
	probe **flagSet
	// stdinUsed: a flag was "-". That Stdin is no terminal then says nothing
	// about whether a person is there.
	stdinUsed bool
}

// errHelp asks for the command's help.
var errHelp = errors.New("help")

// Run runs rot with the arguments after its name and returns the exit status.
// The end of ctx is the user's Ctrl-C.
func Run(ctx context.Context, env *Env, args []string) int { return run(ctx, env, commands, args) }

func run(ctx context.Context, env *Env, all []command, args []string) int {
	c := &call{Env: env, tui: newTUI(env), args: args, command: help, all: all}
	err := c.dispatch(ctx, args)
	c.tui.progressDone()
	if errors.Is(err, errHelp) {
		c.print(c.command.text(c.all))
		err = nil
	}
	if err == nil && c.stdout.err != nil {
		err = local("", "write the answer: %v", c.stdout.err)
	}
	var status exitStatus
	switch {
	case err == nil:
		return ipc.ExitOK
	case errors.As(err, &status):
		return int(status)
	}
	e := asError(err)
	c.tell(e)
	if c.ended {
		return exitInterrupted
	}
	return e.Code.Exit()
}

// tell prints an error in the form that the user asked for.
func (c *call) tell(e *ipc.Error) {
	if c.json {
		c.printError(e)
	} else {
		c.errorf(e)
	}
}

// dispatch finds the command. The global flags may stand before it, too.
func (c *call) dispatch(ctx context.Context, args []string) error {
	global := c.flags()
	global.SetInterspersed(false)
	askedVersion := global.Bool("version", false, "")
	if err := c.parse(global, args); err != nil {
		return err
	}
	args = global.Args()
	if *askedVersion {
		return runVersion(ctx, c, args)
	}
	if len(args) == 0 {
		return errHelp
	}
	cmd, rest, err := c.find(args)
	if err != nil {
		return err
	}
	if cmd.atDesk() {
		return c.goToDesk(cmd)
	}
	c.command = cmd
	if c.Interruptible != nil && !cmd.brief {
		var stop context.CancelFunc
		ctx, stop = c.Interruptible(ctx)
		defer stop()
	}
	err = cmd.run(ctx, c, rest)
	c.ended = ctx.Err() != nil
	return err
}

// find splits args into a command and what follows its name.
func (c *call) find(args []string) (command, []string, error) {
	line := strings.Join(args, " ") + " "
	for _, cmd := range c.all {
		if strings.HasPrefix(line, cmd.name+" ") {
			return cmd, args[strings.Count(cmd.name, " ")+1:], nil
		}
	}
	if len(args) == 2 && (args[1] == "--help" || args[1] == "-h") {
		if both, ok := c.begunBy(args[0]); ok {
			return both, nil, nil
		}
	}
	switch args[0] {
	case "connect":
		return command{}, nil, usage("connect to what? npm is all there is", "rot connect npm")
	case "passkey":
		return command{}, nil, usage("passkey what? add or remove", "rot passkey add --help")
	}
	hint := "rot help lists them"
	if meant := c.meant(args[0]); meant != "" {
		hint = "rot " + meant + "? rot help lists all of them"
	}
	return command{}, nil, usage(fmt.Sprintf("there is no command %q", args[0]), hint)
}

// begunBy is what stands for all commands of two words that begin with one: their
// help. False where there is none.
func (c *call) begunBy(word string) (both command, ok bool) {
	for _, cmd := range c.all {
		if !strings.HasPrefix(cmd.name, word+" ") {
			continue
		}
		if ok {
			both.help += "\n"
		}
		both.name, both.help, ok = cmd.name, both.help+cmd.help, true
		if !cmd.atDesk() {
			both.run = func(context.Context, *call, []string) error { return errHelp }
		}
	}
	return both, ok
}

// meant is the command that was misspelt, "" where none is like it.
func (c *call) meant(word string) string {
	word = strings.ToLower(word)
	for _, cmd := range c.all {
		first, _, _ := strings.Cut(cmd.name, " ")
		if isSlip(word, first) {
			return first
		}
	}
	return ""
}

// isSlip reports whether typed is a word with one letter too many, too few,
// wrong, or two that have changed places.
func isSlip(typed, word string) bool {
	i := 0
	for i < len(typed) && i < len(word) && typed[i] == word[i] {
		i++
	}
	a, b := typed[i:], word[i:]
	switch {
	case len(typed) < 2:
		return false
	case a == "" || b == "":
		return len(a)+len(b) < 2
	}
	return a == b[1:] || a[1:] == b || a[1:] == b[1:] ||
		len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] && a[2:] == b[2:]
}

// flags makes the set of the present command, with the global flags in it.
func (c *call) flags() *flagSet {
	fs := new(flagSet)
	fs.StringVar(&c.socket, "socket", c.socket, "")
	fs.BoolVar(&c.json, "json", c.json, "")
	return fs
}

func (c *call) parse(fs *flagSet, args []string) error {
	if c.probe != nil {
		*c.probe = fs
		return errHelp
	}
	switch err := fs.Parse(args); {
	case err == nil:
		return nil
	case errors.Is(err, errHelpFlag):
		return errHelp
	default:
		return c.usage(err.Error())
	}
}

// parseRef parses the arguments of a command that takes one reference and
// nothing else.
func (c *call) parseRef(fs *flagSet, args []string) (ref string, err error) {
	if err := c.parse(fs, args); err != nil {
		return "", err
	}
	return c.oneRef(fs)
}

// oneRef is the only argument, a reference.
func (c *call) oneRef(fs *flagSet) (ref string, err error) {
	switch fs.NArg() {
	case 0:
		return "", c.usage("it is not said which reference")
	case 1:
		return c.ref(fs.Arg(0))
	default:
		return "", c.usage(fmt.Sprintf("one reference is all it takes, and here is %q too", fs.Arg(1)))
	}
}

// noArgs parses the arguments of a command that takes only flags.
func (c *call) noArgs(fs *flagSet, args []string) error {
	if err := c.parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return c.usage(fmt.Sprintf("it takes flags only, and here is %q", fs.Arg(0)))
	}
	return nil
}

// ref takes the scheme off a reference. What is left rotd looks up.
func (c *call) ref(arg string) (string, error) {
	for _, scheme := range []string{"rot://", "dotenvx://"} {
		if rest, ok := strings.CutPrefix(arg, scheme); ok {
			arg = rest
			break
		}
	}
	if arg == "" {
		return "", c.usage("the reference is empty")
	}
	return arg, nil
}

// client is the way to rotd.
func (c *call) client() *ipc.Client {
	if c.socket == "" {
		c.socket = ipc.FindSocket(c.Getenv, c.GOOS, c.UID)
	}
	client := &ipc.Client{Socket: c.socket}
	if asked := c.Asked; asked != nil {
		c.Asked = nil
		client.Dial = func(context.Context, string) (io.ReadWriteCloser, error) {
			client.Dial = nil // it is for one request
			return asked, nil
		}
	}
	return client
}
