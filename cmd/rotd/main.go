// Command rotd is the daemon: it keeps npm accounts and their tokens, rotates
// the tokens when they are due, and serves their present values over a Unix
// socket.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"rotd/daemon"
	"rotd/ipc"
	"rotd/store"
)

const usage = `rotd keeps npm tokens that rotate, behind references that do not.

Examples:
  rotd run                                  serve, with the key in the OS keyring
  rotd run --key file:$HOME/.rotd.key       a machine without a keyring
  rotd run --state-dir D --socket D/s       a second one, for trying things out

Commands:
  run        serve until SIGTERM or Ctrl-C
  version    print the version
  help       print this, or a command's own help: rotd help run

The other half is rot, which talks to it: rot help
`

const runUsage = `Usage: rotd run [flags]

Serves the socket and rotates what is due, until SIGTERM or Ctrl-C. Logs go to
standard error.

Examples:
  rotd run
  rotd run --key file:$HOME/.rotd.key --browser /usr/bin/chromium
  rotd run --state-dir /srv/rotd --socket /run/rotd/rotd.sock

Flags:
  --state-dir D         where the database is, D/rotd.db
                        (default: $XDG_STATE_HOME/rotd; /var/lib/rotd for root)
  --socket S            where to listen; also ROTD_SOCKET
                        (default: $XDG_RUNTIME_DIR/rotd/rotd.sock;
                        /run/rotd/rotd.sock for root)
  --key WHERE           the master key that seals every secret (default: keyring)
                          keyring          the OS keyring, unlocked
                          file:PATH        a file of mode 0600, made if absent
                          credential:NAME  a systemd credential of this service
  --browser PATH        the Chromium to use (default: looked for when needed)
  --browser-no-sandbox  run Chromium without its own sandbox: the only way as
                        root, and nowhere else a good idea
  --notify CMD          run this, a program and its arguments, when a ROT gets
                        into trouble or out of it, with a JSON object on its
                        standard input (default: the desktop shows it). It is
                        split at spaces and no shell reads it
  --log-level LEVEL     debug, info, warn or error (default: info)
`

func main() {
	if err := keepPrivate(); err != nil {
		os.Exit(fail(os.Stderr, ipc.ExitFailed, err, ""))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command := "help"
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "run":
		return runDaemon(ctx, args, stdout, stderr)
	case "version", "--version":
		fmt.Fprintln(stdout, "rotd", ipc.BuildVersion)
		return ipc.ExitOK
	case "help", "--help", "-h":
		text := usage
		if len(args) > 0 && args[0] == "run" {
			text = runUsage
		}
		fmt.Fprint(stdout, text)
		return ipc.ExitOK
	}
	return fail(stderr, ipc.ExitUsage, fmt.Errorf("there is no command %q", command), "rotd help lists them")
}

func runDaemon(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	var (
		stateDir  = fs.String("state-dir", "", "")
		socket    = fs.String("socket", "", "")
		key       = fs.String("key", "keyring", "")
		browser   = fs.String("browser", "", "")
		noSandbox = fs.Bool("browser-no-sandbox", false, "")
		notify    = fs.String("notify", "", "")
		level     = fs.String("log-level", "info", "")
	)
	fs.Usage = func() {}
	switch err := fs.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		fmt.Fprint(stdout, runUsage)
		return ipc.ExitOK
	case err == nil && fs.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
		fallthrough
	case err != nil:
		return fail(stderr, ipc.ExitUsage, err, "rotd help run lists the flags")
	}
	cfg, err := configure(*stateDir, *socket, *key, *level, stderr)
	if cfg.Notify = strings.Fields(*notify); err == nil && fs.Changed("notify") {
		err = checkNotify(cfg.Notify)
	}
	if err != nil {
		return fail(stderr, ipc.ExitUsage, err, "rotd help run lists the flags")
	}
	cfg.Browser, cfg.BrowserNoSandbox = *browser, *noSandbox
	if err := daemon.Run(ctx, cfg); err != nil {
		return fail(stderr, ipc.ExitFailed, err, daemon.Hint(err))
	}
	return ipc.ExitOK
}

// configure fills in what the flags leave open.
func configure(stateDir, socket, key, level string, stderr io.Writer) (cfg daemon.Config, err error) {
	var lv slog.Level
	if err := lv.UnmarshalText([]byte(level)); err != nil {
		return cfg, fmt.Errorf("--log-level is debug, info, warn or error, not %q", level)
	}
	cfg.Log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: lv}))
	if cfg.Key, err = store.ParseKeySource(key); err != nil {
		return cfg, fmt.Errorf("--key: %w", err)
	}
	if cfg.StateDir = stateDir; stateDir == "" {
		if cfg.StateDir, err = ipc.StateDir(os.Getenv, runtime.GOOS, os.Getuid()); err != nil {
			return cfg, err
		}
	}
	if cfg.Socket = socket; socket == "" {
		cfg.Socket, err = ipc.SocketPath(os.Getenv, runtime.GOOS, os.Getuid())
	}
	return cfg, err
}

// checkNotify sees at the start, and not in the night it is needed, that there
// is such a program.
func checkNotify(argv []string) error {
	if len(argv) == 0 {
		return errors.New("--notify is empty: it is a program and its arguments")
	}
	if _, err := exec.LookPath(argv[0]); err != nil {
		return fmt.Errorf("--notify: %w", err)
	}
	return nil
}

// fail says what went wrong, and what to do, on two lines.
func fail(stderr io.Writer, status int, err error, hint string) int {
	fmt.Fprintf(stderr, "rotd: %s\n", strings.TrimSpace(err.Error()))
	if hint != "" {
		fmt.Fprintf(stderr, "  hint: %s\n", hint)
	}
	return status
}
