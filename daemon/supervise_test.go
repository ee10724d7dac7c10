package daemon

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rotd/ipc"
)

// watcher is a service manager that writes down what it is told.
type watcher struct {
	mu     sync.Mutex
	said   []string
	socket string // asked when the daemon says that it is ready
	t      *testing.T
}

func (w *watcher) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, what)
}

func (w *watcher) count(what string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.said {
		if s == what {
			n++
		}
	}
	return n
}

func (w *watcher) await(what string, n int) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); w.count(what) < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.t.Fatalf("%q was not said %d times: %q", what, n, w.said)
		}
	}
}

func (w *watcher) Ready() {
	if err := (&ipc.Client{Socket: w.socket}).Get(w.t.Context(), ipc.PathVersion, new(ipc.Version)); err != nil {
		w.t.Errorf("it is ready and does not answer: %v", err)
	}
	w.note("ready")
}
func (w *watcher) Status(text string) { w.note("status " + text) }
func (w *watcher) Alive()             { w.note("alive") }
func (w *watcher) Reloading()         { w.note("reloading") }
func (w *watcher) Stopping()          { w.note("stopping") }

func TestAServiceManagerIsTold(t *testing.T) {
	cfg := newPlace(t).config(t)
	w := &watcher{socket: cfg.Socket, t: t}
	cfg.Supervisor, cfg.Watchdog = w, 20*time.Millisecond
	stop := run(t, cfg)
	w.await("status nothing to rotate yet: rot connect npm", 1)
	w.await("alive", 3)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if i, j := slices.Index(w.said, "ready"), slices.Index(w.said, "stopping"); i < 0 || j < i {
		t.Errorf("said %q", w.said)
	}
	n := 0
	for _, s := range w.said {
		if strings.HasPrefix(s, "status") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("it said %d times what it is at, and that was always the same", n)
	}
}

// A timer that stands still is not alive, whatever the rest of the daemon does.
func TestATimerThatStandsStillIsNotAlive(t *testing.T) {
	w := &watcher{t: t}
	d := &Daemon{cfg: Config{Supervisor: w, Watchdog: 10 * time.Millisecond}, wake: make(chan struct{}, 1), round: make(chan struct{}, 1)}
	d.turn() // before it was asked
	done := make(chan struct{})
	go func() { defer close(done); d.showLife(t.Context()) }()
	for deadline := time.Now().Add(200 * time.Millisecond); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if w.count("alive") > 0 {
			t.Fatal("it is said to be alive")
		}
	}
	d.turn()
	w.await("alive", 1)
}

func TestALockedDaemonIsAlive(t *testing.T) {
	cfg := newPlace(t).config(t)
	cfg.Key = lockedKey{cfg.Key, new(atomic.Bool)}
	w := &watcher{socket: cfg.Socket, t: t}
	cfg.Supervisor, cfg.Watchdog = w, 20*time.Millisecond
	run(t, cfg)
	w.await("alive", 1)
	w.await("status waiting for the keyring to be unlocked", 1)
}

func TestSettingsAreTakenAnew(t *testing.T) {
	cfg := newPlace(t).config(t)
	log := new(lockedBuffer)
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	w := &watcher{socket: cfg.Socket, t: t}
	reload := make(chan os.Signal)
	answers := make(chan error, 1)
	cfg.Supervisor, cfg.Reload = w, reload
	cfg.Settings = func() (Settings, error) { return Settings{Browser: "/new"}, <-answers }
	run(t, cfg)
	answers <- nil
	reload <- syscall.SIGHUP
	w.await("ready", 2)
	answers <- errors.New("line 3 makes no sense")
	reload <- syscall.SIGHUP
	w.await("ready", 3)
	if got := log.String(); strings.Count(got, "settings read") != 1 || !strings.Contains(got, "line 3 makes no sense") {
		t.Errorf("logged %s", got)
	}
	if w.count("reloading") != 2 {
		t.Errorf("said %q", w.said)
	}
}

func TestWhatIsReadAnewHolds(t *testing.T) {
	d := &Daemon{cfg: Config{Browser: "/old", RuntimeDir: "/r"}}
	if got := d.browser(nil).Exec; got != "/old" {
		t.Errorf("the browser is %s", got)
	}
	d.reloaded.Store(&Settings{Browser: "/new", BrowserNoSandbox: true})
	if got := d.browser(nil); got.Exec != "/new" || !got.NoSandbox {
		t.Errorf("the browser is %+v", got)
	}
}

func TestAnInheritedSocketIsServed(t *testing.T) {
	cfg := newPlace(t).config(t)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: cfg.Socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	f, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Inherited = []*os.File{f}
	stop := run(t, cfg)
	if err := (&ipc.Client{Socket: cfg.Socket}).Get(t.Context(), ipc.PathStatus, new(ipc.Status)); err != nil {
		t.Error(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(cfg.Socket); err != nil {
		t.Errorf("the manager's socket is gone: %v", err)
	}
}

func TestTheLineOnTheState(t *testing.T) {
	soon, late := time.Date(2026, 11, 24, 1, 2, 0, 0, time.UTC), time.Date(2026, 12, 24, 1, 2, 0, 0, time.UTC)
	for want, rots := range map[string][]ipc.ROT{
		"next rotation 2026-11-24 01:02 UTC (ci)": {
			{Ref: "rot://rot_a", Next: &late, State: ipc.StateOK}, {Ref: "rot://rot_b", Name: "ci", Next: &soon, State: ipc.StateOK}},
		"next rotation 2026-12-24 01:02 UTC (rot://rot_a); 2 needs approval; 1 expired": {
			{Ref: "rot://rot_a", Next: &late, State: ipc.StateNeedsApproval}, {State: ipc.StateNeedsApproval}, {State: ipc.StateExpired}},
		"no rotation is planned":            nil,
		"no rotation is planned; 1 failing": {{State: ipc.StateFailing}},
	} {
		if got := stateText(rots); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// lockedBuffer is a buffer that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
