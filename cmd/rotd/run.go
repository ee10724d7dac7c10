package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"strings"

	"rotd/daemon"
	"rotd/ipc"
	"rotd/store"
)

var runCommand = command{
	name: "run",
	line: "serve until SIGTERM or Ctrl-C",
	run:  runDaemon,
	help: `Usage: rotd run [flags]

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
  --socket-group G      who may connect to it, beside you and root: a group, for
                        users whom rot grant lets read something. Its directory
                        is made for that group, too, where it is made
  --credential-socket S where systemd gets the credentials of units, which rot
                        grant REF --unit lets read something (default:
                        /run/rotd/credential.sock with /run/rotd/rotd.sock,
                        else none)
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
`,
}

func runDaemon(ctx context.Context, c *call, args []string) error {
	fs := c.flags()
	var (
		state     = fs.String("state-dir", "", "")
		socket    = fs.String("socket", "", "")
		group     = fs.String("socket-group", "", "")
		creds     = fs.String("credential-socket", "", "")
		key       = fs.String("key", "keyring", "")
		browser   = fs.String("browser", "", "")
		noSandbox = fs.Bool("browser-no-sandbox", false, "")
		notify    = fs.String("notify", "", "")
		level     = fs.String("log-level", "info", "")
	)
	if err := c.parse(fs, args, 0); err != nil {
		return err
	}
	cfg, err := configure(*state, *socket, *key)
	if err == nil && *group != "" {
		cfg.SocketGroup, err = findGroup(*group)
	}
	if err == nil {
		cfg.Log, err = c.logger(*level)
	}
	if cfg.Notify = strings.Fields(*notify); err == nil && fs.Changed("notify") {
		err = checkNotify(cfg.Notify)
	}
	if err != nil {
		return usageError{err}
	}
	if cfg.CredentialSocket = *creds; !fs.Changed("credential-socket") && cfg.Socket == ipc.SystemSocket {
		cfg.CredentialSocket = ipc.SystemCredentialSocket
	}
	cfg.Browser, cfg.BrowserNoSandbox = *browser, *noSandbox
	return daemon.Run(ctx, cfg)
}

// configure fills in what the flags leave open.
func configure(state, socket, key string) (cfg daemon.Config, err error) {
	if cfg.Key, err = store.ParseKeySource(key); err != nil {
		return cfg, fmt.Errorf("--key: %w", err)
	}
	if cfg.StateDir, err = stateDir(state); err != nil {
		return cfg, err
	}
	if cfg.Socket = socket; socket == "" {
		cfg.Socket, err = ipc.SocketPath(os.Getenv, runtime.GOOS, os.Getuid())
	}
	return cfg, err
}

// findGroup is a group of this machine, by name or number.
func findGroup(name string) (*int, error) {
	if gid, err := strconv.ParseUint(name, 10, 31); err == nil {
		return new(int(gid)), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return nil, fmt.Errorf("--socket-group: there is no group %q on this machine", name)
	}
	gid, err := strconv.Atoi(g.Gid)
	return &gid, err
}

// logger logs to standard error what is at least as important as level.
func (c *call) logger(level string) (*slog.Logger, error) {
	var lv slog.Level
	if err := lv.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level is debug, info, warn or error, not %q", level)
	}
	return slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: lv})), nil
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
