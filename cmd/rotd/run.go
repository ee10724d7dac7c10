package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"runtime"
	"strconv"
	"syscall"

	"rotd/daemon"
	"rotd/daemon/service"
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
  --key WHERE           the master key that seals every secret
                        (default: keyring)
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
  --reader-time T       how long an old token lives on after its replacement for
                        commands of rot exec that still run with it: 90m, 2h,
                        0 for not at all (default: 1h)
  --log-days N          how long the log keeps who read what and who was refused
                        (default: 90)
  --log-entries N       how many entries of all kinds it keeps, some 150 bytes
                        each, the newest (default: 1000000)
  --log-level LEVEL     debug, info, warn or error (default: info)
  --config FILE         settings beside the flags, which win
                        (default: $XDG_CONFIG_HOME/rotd/rotd.conf;
                        /etc/rotd/rotd.conf for the system's service)

The configuration file may name what can change while rotd runs. As a service it
reads the file again when it is reloaded: systemctl --user reload rotd

  # a line each; nobody else may be able to write to the file
  log-level = debug
  notify = /usr/local/bin/tell --loud
  browser = /usr/bin/chromium
  browser-no-sandbox = false
  reader-time = 1h
  log-days = 90
  log-entries = 1000000
`,
}

func runDaemon(ctx context.Context, c *call, args []string) (err error) {
	defer func() {
		if err != nil { // systemctl status shows it, and rotd start
			(&service.Notify{Log: slog.New(slog.DiscardHandler)}).Status(err.Error())
		}
	}()
	fs := c.flags()
	f := addRunFlags(fs)
	if err := c.parse(fs, args, 0); err != nil {
		return err
	}
	cfg, err := configure(*f.state, *f.socket, *f.key)
	if err == nil && *f.group != "" {
		cfg.SocketGroup, err = findGroup(*f.group)
	}
	if err != nil {
		return usageError{err}
	}
	if cfg.CredentialSocket = *f.credentials; !fs.Changed("credential-socket") && cfg.Socket == ipc.SystemSocket {
		cfg.CredentialSocket = ipc.SystemCredentialSocket
	}
	settings, level, err := f.settings()
	if err != nil {
		return usageError{err}
	}
	cfg.Browser, cfg.BrowserNoSandbox, cfg.Notify, cfg.ReaderTime = settings.Browser, settings.BrowserNoSandbox, settings.Notify, settings.ReaderTime
	cfg.LogLimits = settings.LogLimits
	logged := new(slog.LevelVar)
	logged.Set(level)
	cfg.Log = c.logger(logged)
	cfg.Inherited = service.Sockets()
	cfg.Alone = true
	useThreads()
	if !service.Supervised() {
		return daemon.Run(ctx, cfg)
	}
	return runSupervised(ctx, f, cfg, logged)
}

// runSupervised runs under systemd, and tells it how things go.
func runSupervised(ctx context.Context, f *runFlags, cfg daemon.Config, level *slog.LevelVar) error {
	systemd := &service.Notify{Log: cfg.Log}
	cfg.Supervisor, cfg.Watchdog = systemd, systemd.Watchdog()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	cfg.Reload = reload
	cfg.Settings = func() (daemon.Settings, error) {
		s, l, err := f.settings()
		if err == nil {
			level.Set(l)
		}
		return s, err
	}
	return daemon.Run(ctx, cfg)
}

// leastThreads run Go code at the same time, however few processors there are. A
// thread that the kernel sets aside for a reader keeps whom it was to answer waiting for
// milliseconds; where there are more than processors, another one goes on. On two
// processors, which the readers use as well, the slowest answers take a quarter less.
const leastThreads = 3

// useThreads leaves alone what the user has chosen.
func useThreads() {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < leastThreads {
		runtime.GOMAXPROCS(leastThreads)
	}
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

// logger logs to standard error what is at least as important as level; to the
// journal with priorities.
func (c *call) logger(level slog.Leveler) *slog.Logger {
	if service.ToJournal() {
		return slog.New(service.NewJournalHandler(c.stderr, level))
	}
	return slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: level}))
}

// checkNotify sees at the start, and not in the night it is needed, that there
// is such a program.
func checkNotify(what string, argv []string) error {
	if len(argv) == 0 {
		return fmt.Errorf("%s is empty: it is a program and its arguments", what)
	}
	if _, err := exec.LookPath(argv[0]); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
