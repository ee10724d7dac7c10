package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"rotd/daemon/browser"
	"rotd/daemon/npm"
	"rotd/daemon/rotate"
	"rotd/ipc/socket"
	"rotd/store"
)

// Config says how to run a daemon. StateDir, Socket, Key and Log are required.
type Config struct {
	StateDir string
	Socket   string
	Key      store.KeySource

	// SocketGroup is the group that may connect to the socket, too; nil: none.
	SocketGroup *int
	// CredentialSocket is where systemd gets the credentials of units; empty:
	// nowhere.
	CredentialSocket string

	Browser          string // path of a Chromium; empty: looked for when needed
	BrowserNoSandbox bool   // the only way to run Chromium as root
	RuntimeDir       string // for the browser's profiles; empty: RuntimeDir()
	// WindowTime is how long a person gets in a window; 0: npm.WindowTime.
	WindowTime time.Duration

	// Notify is a command to run for each Notice, an argument vector; nil: the
	// desktop shows them, where there is one.
	Notify []string

	// ReaderTime is how long a value that was replaced is kept for those who were
	// handed it and keep their connection; 0: not at all.
	ReaderTime time.Duration
	// LogLimits are how much of the log is kept; zero: store.DefaultLogLimits.
	LogLimits store.LogLimits

	// Inherited are the sockets that a service manager has made. Where there are
	// some, that at Socket must be among them.
	Inherited []*os.File
	// Supervisor is told how the daemon does; nil: nobody. Watchdog is how often
	// it must hear that the daemon is alive; 0: never.
	Supervisor Supervisor
	Watchdog   time.Duration
	// Reload makes a supervised daemon ask Settings anew.
	Reload   <-chan os.Signal
	Settings func() (Settings, error)

	// Alone: there is nothing else in this process. Where nothing happens, its
	// garbage collector rests, too.
	Alone bool

	Log   *slog.Logger
	Now   func() time.Time                                 // without what Go compares besides; nil: the wall clock
	Sleep func(ctx context.Context, d time.Duration) error // between two tries at npm; nil: a timer
	Ready func()                                           // nil-able; called once the socket answers
}

// Daemon is a running service.
type Daemon struct {
	cfg     Config
	started time.Time
	store   atomic.Pointer[store.Store] // nil while the keyring is locked
	engine  *rotate.Engine              // set before store
	leases  *leases                     // likewise

	passcards keyedLocks // one run a passcard
	running   runningROTs
	questions questions
	streams   counts
	looking   *turns
	visitors  *turns
	settles   holds      // of what is unfinished
	held      holds      // of rotations whose failure could not be written down
	choosing  sync.Mutex // held while a rotation finds, or makes, its ROTs
	book      logbook
	signIns   signIns
	users     users
	strikes   strikes
	notify    notifier // nil: nobody is told
	telling   sync.Mutex
	// unattended is the npm account of a passcard, with nobody there.
	unattended func(ctx context.Context, st *store.Store, passcard string) (npmAccount, error)
	newWebsite func(npm.WebConfig) (website, error) // npm.NewWeb

	reloaded atomic.Pointer[Settings] // nil: as in cfg
	said     string                   // to the supervisor; the timer's
	round    chan struct{}            // filled by each turn of the timer; never blocks

	wake     chan struct{}  // looked at by the timer; never blocks
	astir    atomic.Bool    // something has happened since rest looked
	busy     atomic.Int32   // runs of the timer, and requests, that take long
	stirred  chan struct{}  // looked at by rest; never blocks
	work     sync.WaitGroup // the timer and what it has begun
	inflight inflight       // connections and rotations that were asked for
	stop     context.Context
}

// unlockPoll is how often a locked keyring is asked again.
const unlockPoll = 2 * time.Second

// drain is how long a stop waits for open requests.
const drain = 3 * time.Second

// Run serves until ctx ends. It returns nil after a clean stop, and an error
// when it cannot start: state in use, no key, a wrong key, a socket that cannot
// be had. Of the state nothing but its lock is touched before the key is known
// to be right.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Now == nil {
		cfg.Now = wallClock
	}
	if cfg.RuntimeDir == "" {
		cfg.RuntimeDir = RuntimeDir(os.Getenv, os.Getuid())
	}
	if err := makeRuntimeDir(cfg.RuntimeDir, profileDir(cfg)); err != nil {
		return err
	}
	lock, err := LockState(cfg.StateDir)
	if err != nil {
		return err
	}
	defer lock.Close()

	// What is begun goes on under a context of its own: it ends when the door
	// is closed, and not before.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	d := &Daemon{cfg: cfg, started: cfg.Now(), wake: make(chan struct{}, 1), stirred: make(chan struct{}, 1), round: make(chan struct{}, 1), stop: work, book: newLogbook()}
	defer d.closeStore()
	d.notify = d.notifierOf(cfg.Notify)

	st, locked := d.openStore(ctx)
	if locked != nil && !errors.Is(locked, store.ErrKeyLocked) {
		return locked
	}
	ln, err := d.listen(ctx)
	if err != nil {
		return errors.Join(err, closeIf(st))
	}
	ln.Refused = func(err error) { cfg.Log.Warn("connection refused", "err", err) }
	serveCredentials, err := d.openCredentials(ctx)
	if err != nil {
		return errors.Join(err, ln.Close(), closeIf(st))
	}
	if st != nil {
		d.begin(st)
	}
	serveCredentials()
	srv := d.server()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(newFairListener(ln)) }()
	if err := d.reportReady(ctx); err != nil {
		cancel()
		d.shutdown(srv)
		return err
	}
	cfg.Log.Info("ready", "socket", cfg.Socket, "state", cfg.StateDir, "key", cfg.Key.String())
	if locked != nil {
		cfg.Log.Warn("waiting for the keyring to be unlocked", "err", locked)
		d.say("waiting for the keyring to be unlocked")
		err = d.awaitUnlock(ctx)
	}
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-served:
			err = fmt.Errorf("serve %s: %w", cfg.Socket, err)
		}
	}
	cfg.Log.Info("stopping")
	if cfg.Supervisor != nil {
		cfg.Supervisor.Stopping()
	}
	cancel()
	d.shutdown(srv)
	return err
}

func (d *Daemon) listen(ctx context.Context) (*socket.Listener, error) {
	gid := socket.NoGroup
	if d.cfg.SocketGroup != nil {
		gid = *d.cfg.SocketGroup
	}
	if len(d.cfg.Inherited) > 0 && d.inherited(d.cfg.Socket) == nil {
		return nil, fmt.Errorf("the service manager has made other sockets than %s", d.cfg.Socket)
	}
	return d.listenAt(ctx, d.cfg.Socket, gid)
}

// listenAt takes the socket that is handed over, or makes one.
func (d *Daemon) listenAt(ctx context.Context, path string, gid int) (*socket.Listener, error) {
	if f := d.inherited(path); f != nil {
		return socket.Inherit(f, path, gid)
	}
	return socket.ListenFor(ctx, path, gid)
}

func (d *Daemon) inherited(path string) *os.File {
	for _, f := range d.cfg.Inherited {
		if socket.IsAt(f, path) {
			return f
		}
	}
	return nil
}

// openStore opens the state, or says why it cannot.
func (d *Daemon) openStore(ctx context.Context) (*store.Store, error) {
	return store.Open(ctx, d.cfg.StateDir, d.cfg.Key, store.Options{Now: d.cfg.Now, Log: d.cfg.Log})
}

// awaitUnlock tries to open the state until the keyring is open or ctx ends.
func (d *Daemon) awaitUnlock(ctx context.Context) error {
	tick := time.NewTicker(unlockPoll)
	defer tick.Stop()
	for {
		d.turn()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		st, err := d.openStore(ctx)
		switch {
		case err == nil:
			d.cfg.Log.Info("the keyring is open")
			d.begin(st)
			return nil
		case ctx.Err() == nil && !errors.Is(err, store.ErrKeyLocked):
			return err
		}
	}
}

// begin starts the work of a daemon whose state is open.
func (d *Daemon) begin(st *store.Store) {
	if err := browser.Sweep(profileDir(d.cfg)); err != nil {
		d.cfg.Log.Warn("a browser's profile of an earlier run is left", "err", err)
	}
	d.leases = newLeases(filepath.Join(d.cfg.StateDir, "leases"), maxConns()/2, d.cfg.Log, func(rot string) {
		d.settles.endWait(rot)
		d.kick()
	})
	d.engine = &rotate.Engine{
		Journal: st,
		Courier: courier{d, st},
		Now:     d.cfg.Now,
		Sleep:   sleep,
		Jitter:  rand.Float64,
		Log:     d.cfg.Log,

		Readers:    d.leases.of,
		ReaderTime: func() time.Duration { return d.settings().ReaderTime },
	}
	d.unattended = func(ctx context.Context, st *store.Store, passcard string) (npmAccount, error) {
		return d.open(ctx, st, passcard, presence{timer: true})
	}
	if d.newWebsite == nil {
		d.newWebsite = func(c npm.WebConfig) (website, error) { return npm.NewWeb(c) }
	}
	d.store.Store(st)
	d.limitLog()
	d.work.Go(d.schedule)
	d.work.Go(d.keepLog)
	d.work.Go(d.rest)
	d.stir()
}

func (d *Daemon) closeStore() {
	if err := closeIf(d.store.Load()); err != nil {
		d.cfg.Log.Error("cannot close the state", "err", err)
	}
}

func closeIf(st *store.Store) error {
	if st == nil {
		return nil
	}
	return st.Close()
}

// shutdown closes the door, and waits for what is under way to notice that
// d.stop has ended.
func (d *Daemon) shutdown(srv *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		_ = srv.Close()
	}
	d.inflight.wait()
	d.work.Wait()
	if err := d.writeLog(context.Background()); err != nil {
		d.cfg.Log.Warn("the last reads are not in the log", "err", err)
	}
}

func (d *Daemon) server() *http.Server {
	open := newConns()
	return &http.Server{
		Handler:           open.busy(d.handler()),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(d.cfg.Log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			d.stir()
			return open.enter(ctx, c)
		},
		ConnState: open.changed,
	}
}

func profileDir(cfg Config) string { return filepath.Join(cfg.RuntimeDir, "browser") }

// wallClock is the present time by the wall clock alone. What Go compares besides
// knows nothing of a clock that is set, or a machine that slept.
func wallClock() time.Time { return time.Now().Round(0) }

// sleep waits for dur, or for the end of ctx.
func sleep(ctx context.Context, dur time.Duration) error {
	t := time.NewTimer(dur)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
