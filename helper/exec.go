package helper

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"rotd/helper/npmrc"
	"rotd/ipc"
	"rotd/ipc/fmt"
)

var execCommand = command{
	name: "exec",
	line: "run a command that has the present value",
	run:  runExec,
	help: `rot exec rot://rot_a2c4q7 -- npm publish
rot exec ci -- npm install
rot exec ci -- npm publish --workspaces
rot exec staging-token -- npm stage publish
rot exec --env TOKEN ci -- docker build --secret id=npm,env=TOKEN .

usage: rot exec [--env NAME]… [--access-token-file F] REF -- CMD [ARG…]

Runs CMD with the ROT's present token, for it and its children alone:
  NPM_CONFIG_USERCONFIG       a private copy of your .npmrc, with the token of
                              the ROT's registry in it. It lies in memory
                              (XDG_RUNTIME_DIR, or /dev/shm), only you can read
                              it, and it is removed when CMD ends.
  NODE_AUTH_TOKEN, NPM_TOKEN, YARN_NPM_AUTH_TOKEN
                              the token

npm, pnpm, Bun and Yarn 1 read that file, in scripts within scripts too. Yarn 2
and later takes YARN_NPM_AUTH_TOKEN, unless npmRegistries in a .yarnrc.yml has
an entry for the registry: that counts alone then, even without a token. Where
npmRegistryServer is another registry than the ROT's, it does not get the token.

For a registry other than npm's public one, the copy (for Yarn 2 and later
YARN_NPM_REGISTRY_SERVER) names it as the default registry unless something of
yours names one. Variables that would hide the token are kept from CMD, as
npm_config_//HOST/:_authToken and BUN_CONFIG_TOKEN; where the project's own
.npmrc hides it, rot says so. What CMD writes into its user config (npm config
set, npm login) is gone afterwards.

A package manager reads the token when it starts, so a script that it runs
cannot give it another: run the package manager under rot exec, also within
scripts ("release": "rot exec ci -- npm publish"). While CMD runs its token
lives: a rotation gives everybody else the new one, and the old one is revoked
when CMD and all others that have it have ended, after an hour at the latest
(rotd run --reader-time). rot rotate --revoke-now and rot revoke do not wait.

An access token (rot help grant) is taken from the file F, else from
ROT_ACCESS_TOKEN, which CMD does not get.

Signals are passed on. The exit status is that of CMD, 128 and the signal's
number when one killed it, 127 when there is no such command, 126 when it
cannot be run. rot's own failures have rot's own statuses, before CMD starts.

  --env NAME     the token in this variable, in place of the three above; may be
                 given several times
  --socket PATH  rotd's socket (else ROTD_SOCKET, else the usual one)
`,
}

// The shell's statuses for a command that could not be started.
const (
	exitNotFound      = 127
	exitNotExecutable = 126
)

func runExec(ctx context.Context, c *call, args []string) error {
	flags := c.readFlags()
	names := envFlag(flags)
	flags.SetInterspersed(false)
	if err := c.parse(flags, args); err != nil {
		return err
	}
	if err := c.checkNames(*names); err != nil {
		return err
	}
	args = flags.Args()
	if len(args) == 0 {
		return c.usage("it is not said which reference")
	}
	ref, err := c.ref(args[0])
	if err != nil {
		return err
	}
	argv := args[1:]
	switch {
	case len(argv) > 0 && argv[0] == "--":
		argv = argv[1:]
	case len(argv) > 0 && strings.HasPrefix(argv[0], "-"):
		return c.usage(fmt.Sprintf("%q stands after the reference: rot's flags stand before it, the command after --", argv[0]))
	}
	if len(argv) == 0 {
		return c.usage("it is not said which command to run: rot exec REF -- CMD")
	}
	path, err := lookPath(argv[0], c.Getenv("PATH"))
	if err != nil {
		return c.cannotRun(argv[0], err)
	}
	tok, release, err := c.tokenFor(ctx, ref)
	if err != nil {
		return err
	}
	defer release()
	return c.runWith(tok, *names, path, argv)
}

// runWith runs the command with the token. Signals are taken from the moment on
// that there is something to remove.
func (c *call) runWith(tok ipc.Token, names []string, path string, argv []string) error {
	signals := make(chan os.Signal, 16)
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2} {
		if !signal.Ignored(s) { // by nohup, say
			signal.Notify(signals, s)
		}
	}
	defer signal.Stop(signals)
	config, remove, err := c.privateConfig(tok, names)
	if err != nil {
		return err
	}
	defer remove()
	p, err := os.StartProcess(path, argv, &os.ProcAttr{
		Env:   c.childEnv(tok, names, config),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		return c.cannotRun(argv[0], err)
	}
	ended := make(chan struct{})
	go c.forward(signals, ended, p)
	state, err := p.Wait()
	close(ended)
	if err != nil {
		return local("", "wait for %s: %v", argv[0], err)
	}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return exitStatus(128 + int(ws.Signal()))
	}
	if state.ExitCode() != 0 {
		return exitStatus(state.ExitCode())
	}
	return nil
}

// forward passes signals on to the child. What a person types reaches the whole
// foreground of the terminal, the child too: that is not sent again.
func (c *call) forward(signals <-chan os.Signal, ended <-chan struct{}, p *os.Process) {
	for {
		select {
		case <-ended:
			return
		case s := <-signals:
			typed := s == unix.SIGINT || s == unix.SIGQUIT
			if typed && c.inForeground() {
				continue
			}
			_ = p.Signal(s)
		}
	}
}

// inForeground tells whether what is typed on the terminal reaches us.
func (c *call) inForeground() bool {
	if c.OpenTTY == nil {
		return false
	}
	tty, err := c.OpenTTY()
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// hidingTokens are variables by which Yarn 1 and Bun would take another token
// than that of the file.
var hidingTokens = []string{"NPM_AUTH_TOKEN", "YARN_AUTH_TOKEN", "BUN_CONFIG_TOKEN"}

// childEnv is our environment with the token, and without what would hide it.
func (c *call) childEnv(tok ipc.Token, names []string, config string) []string {
	key, _ := npmrc.Key(tok.Registry) // privateConfig has found it good
	yarn := c.yarnServer()
	if yarn != "" && !sameRegistry(yarn, tok.Registry) { // which would be sent the token
		names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == yarnToken })
	}
	env := slices.DeleteFunc(slices.Clone(c.Environ), func(kv string) bool {
		k, _, _ := strings.Cut(kv, "=")
		return k == accessTokenEnv || slices.Contains(names, k) || slices.Contains(hidingTokens, k) ||
			isNpmConfig(k, "userconfig") || isNpmConfig(k, "token") || isTokenVariable(k, key)
	})
	env = append(env, "NPM_CONFIG_USERCONFIG="+config)
	if yarn == "" && !tok.DefaultRegistry && slices.Contains(names, yarnToken) {
		env = append(env, yarnRegistry+"="+tok.Registry)
	}
	for _, name := range names {
		env = append(env, name+"="+tok.Value.Reveal())
	}
	return env
}

// errNotExecutable: the file is there.
var errNotExecutable = errors.New("permission denied")

// lookPath finds a command as a shell does.
func lookPath(name, path string) (string, error) {
	if strings.Contains(name, "/") {
		return name, executable(name)
	}
	err := fs.ErrNotExist
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if dir == "" || dir == "." {
			file = "./" + name
		}
		ferr := executable(file)
		if ferr == nil {
			return file, nil
		}
		if errors.Is(ferr, errNotExecutable) {
			err = ferr
		}
	}
	return "", err
}

func executable(file string) error {
	fi, err := os.Stat(file)
	switch {
	case err != nil:
		return err
	case fi.IsDir() || fi.Mode()&0o111 == 0:
		return errNotExecutable
	}
	return nil
}

// cannotRun says why the command does not start, and ends with the status that
// a shell gives for it.
func (c *call) cannotRun(name string, err error) error {
	e, code := &ipc.Error{Code: ipc.CodeLocal}, exitNotExecutable
	switch {
	case errors.Is(err, fs.ErrNotExist):
		code = exitNotFound
		e.Message = "there is no command " + name
		e.Hint = "check its name, and PATH"
		if strings.Contains(name, "/") {
			e.Hint = "check its path, and the interpreter in its first line"
		}
	case errors.Is(err, syscall.ENOEXEC):
		e.Message = name + " is neither a program nor a script with an interpreter in its first line"
		e.Hint = "name the interpreter: rot exec REF -- sh " + name
	default:
		e.Message = fmt.Sprintf("%s cannot be run: %v", name, err)
		e.Hint = "make it executable, or name its interpreter before it"
	}
	c.tell(e)
	return exitStatus(code)
}
