package helper

import (
	"context"
	"os"
	"time"

	"rotd/helper/npmrc"
	"rotd/ipc"
	"rotd/ipc/secret"
)

// Call is what a command of the desk has of a run of rot: what the commands of
// rot itself have, under the same names.
type Call struct {
	*Env
	c *call
}

// FlagSet holds the flags of a command.
type FlagSet = flagSet

// Flags makes the set of the command's flags, with the global ones in it.
func (c *Call) Flags() *FlagSet { return c.c.flags() }

// Parse parses a command line.
func (c *Call) Parse(fs *FlagSet, args []string) error { return c.c.parse(fs, args) }

// ParseRef parses that of a command that takes one reference, and flags.
func (c *Call) ParseRef(fs *FlagSet, args []string) (ref string, err error) {
	return c.c.parseRef(fs, args)
}

// NoArgs parses that of a command that takes flags only.
func (c *Call) NoArgs(fs *FlagSet, args []string) error { return c.c.noArgs(fs, args) }

// JSON tells whether --json was given.
func (c *Call) JSON() bool { return c.c.json }

// Client is the way to rotd.
func (c *Call) Client() *ipc.Client { return c.c.client() }

// Deliver adds a delivery and tells how its first run went.
func (c *Call) Deliver(ctx context.Context, ref string, d ipc.Deliver) error {
	return c.c.deliver(ctx, ref, d)
}

// Rot is the path of rot, "" where it is not found.
func (c *Call) Rot() string { return c.c.findProgram("rot") }

// KeepOutOfGit refuses a file for a token that git would commit.
func (c *Call) KeepOutOfGit(file string) error { return c.c.keepOutOfGit(file) }

// Edited tells of a file that has the value.
func (c *Call) Edited(rep npmrc.Report) error { return c.c.edited(rep) }

// Display is where npm's pages would open; nil where there is none.
func (c *Call) Display() *ipc.Display { return c.c.display() }

// Person is somebody at the terminal; nil is nobody.
type Person = terminal

// Person opens the terminal where somebody is there to be asked. It is theirs
// until close.
func (c *Call) Person() (p *Person, close func()) {
	if p, ok := c.c.person(); ok {
		return p, p.close
	}
	return nil, func() {}
}

// Ask asks the person, who must be there.
func (c *Call) Ask(ctx context.Context, p *Person, prompt string) (string, error) {
	return p.ask(ctx, prompt, false)
}

// Link has rotd keep the registry's token in a file current with a ROT. It
// returns when the file has the present value.
func (c *Call) Link(ctx context.Context, ref, file string) error {
	asked := c.c.json
	c.c.json = false // the answer is the command's own
	defer func() { c.c.json = asked }()
	return c.c.link(ctx, ref, npmrcFlags{file: file})
}

// Absolute makes a path whole.
func (c *Call) Absolute(path string) string { return c.c.absolute(path) }

// Ref takes the scheme off a reference.
func (c *Call) Ref(arg string) (string, error) { return c.c.ref(arg) }

// Follow posts in, shows the steps, puts rotd's questions to the person and
// returns the result.
func (c *Call) Follow(ctx context.Context, busy, path string, in any, p *Person) (*ipc.Result, error) {
	return c.c.follow(ctx, busy, path, in, p)
}

// SecretFile reads the file that a flag names, without one line end.
func (c *Call) SecretFile(flag, name string, into *secret.Wire) error {
	return c.c.secretFile(flag, name, into)
}

// ReadInput reads a file, or for "-" the standard input: at most so many bytes.
func (c *Call) ReadInput(what, name string, most int, tooLong string) (string, error) {
	return c.c.readInput(what, name, most, tooLong)
}

// UserConfig is the user's own .npmrc.
func (c *Call) UserConfig() (string, error) { return c.c.userConfig() }

// ProjectConfig is the project's, which npm reads before it; "" where they are
// the same.
func (c *Call) ProjectConfig() string { return c.ProjectConfigOf(c.Dir()) }

// ProjectConfigOf is that of the project around a directory.
func (c *Call) ProjectConfigOf(dir string) string { return c.c.projectNpmrc(dir) }

// Shadows tells of the environment variables that clients take in the place of
// the token under key in the user's own file.
func (c *Call) Shadows(key string) []Shadow { return c.c.shadows(key, UserNpmrc) }

// Variables names the environment variables that are read at a place.
func (c *Call) Variables(p Place, key string) []string { return c.c.variables(p, key) }

// NpmConfig is npm's setting of that name from the environment.
func (c *Call) NpmConfig(name string) string { return c.c.npmConfig(name) }

// LookPath finds a program as a shell does.
func (c *Call) LookPath(name string) (string, error) { return lookPath(name, c.Getenv("PATH")) }

// Token asks rotd for the present value of a ROT.
func (c *Call) Token(ctx context.Context, ref string) (ipc.Token, error) { return c.c.token(ctx, ref) }

// RegistryOf tells of which registry a delivery keeps the token in a file.
func RegistryOf(d ipc.Delivery, file string) (registry string, ok bool) { return registryOf(d, file) }

// Print writes to the standard output. See Written.
func (c *Call) Print(s string) { c.c.print(s) }

// PrintJSON writes v to the standard output, on a line.
func (c *Call) PrintJSON(v any) error { return c.c.printJSON(v) }

// Written makes sure that all of the standard output is where it was sent.
func (c *Call) Written() error {
	if c.c.stdout.err != nil {
		return Local("", "write the file: %v", c.c.stdout.err)
	}
	f, ok := c.Stdout.(*os.File)
	if !ok {
		return nil
	}
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil // a pipe: whoever reads it has it
	}
	if err := f.Sync(); err != nil {
		return Local("", "write the file: %v", err)
	}
	return nil
}

// Note writes a line to the standard error.
func (c *Call) Note(line string) { c.c.note(line) }

// Done says what went well.
func (c *Call) Done(line string) { c.c.done(line) }

// Warn says what may be wrong.
func (c *Call) Warn(line string) { c.c.warn(line) }

// Colours of Paint.
const (
	Red    = red
	Green  = green
	Yellow = yellow
)

// Paint colours s, where that is welcome.
func (c *Call) Paint(colour, s string) string { return c.c.paint(colour, s) }

// Columns is how wide a line is at most.
const Columns = columns

// Clean takes out of a line what could move the cursor.
func Clean(s string) string { return clean(s) }

// Span is a duration as rot prints it.
func Span(d time.Duration) string { return span(d) }

// VersionTrouble says how rotd and rot do not belong together, and what to do.
func VersionTrouble(v ipc.Version) (what, do string) { return versionTrouble(v) }

// Usage is an error of the user's command line.
func (c *Call) Usage(message string) error { return c.c.usage(message) }

// Local is an error on rot's side of the socket.
func Local(hint, format string, args ...any) error { return local(hint, format, args...) }

// AsError gives an error a code, and a hint where it has one.
func AsError(err error) *ipc.Error { return asError(err) }

// Exit ends rot with a status, and without a word.
func Exit(status int) error { return exitStatus(status) }
