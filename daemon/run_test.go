package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rotd/ipc"
	"rotd/ipc/socket"
	"rotd/store"
)

// place is where a daemon runs: short enough for a socket.
type place struct{ dir string }

func newPlace(t testing.TB) place {
	t.Helper()
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return place{dir}
}

func (p place) config(t *testing.T) Config {
	t.Helper()
	key, err := store.ParseKeySource("file:" + filepath.Join(p.dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		StateDir: filepath.Join(p.dir, "state"), Socket: filepath.Join(p.dir, "s"), RuntimeDir: filepath.Join(p.dir, "run"),
		Key: key, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// run starts a daemon and returns when it is ready. stop ends it and returns
// what Run said.
func run(t *testing.T, cfg Config) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	cfg.Ready = func() { close(ready) }
	go func() { ended <- Run(ctx, cfg) }()
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		t.Fatalf("Run: %v", err)
	}
	stop = func() error {
		cancel()
		err := <-ended
		ended <- err
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

func TestRunAndStop(t *testing.T) {
	cfg := newPlace(t).config(t)
	stop := run(t, cfg)
	client := &ipc.Client{Socket: cfg.Socket}
	var st ipc.Status
	if err := client.Get(t.Context(), ipc.PathStatus, &st); err != nil {
		t.Fatal(err)
	}
	if st.PID != os.Getpid() || st.StateDir != cfg.StateDir || st.Key != cfg.Key.String() || st.Locked {
		t.Errorf("status %+v", st)
	}
	if err := stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := os.Lstat(cfg.Socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestASecondDaemonIsKeptOut(t *testing.T) {
	p := newPlace(t)
	cfg := p.config(t)
	run(t, cfg)
	sameState := cfg
	sameState.Socket = filepath.Join(p.dir, "s2")
	if err := Run(t.Context(), sameState); !errors.Is(err, ErrStateInUse) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) || Hint(err) == "" {
		t.Errorf("on the same state: %v (hint %q)", err, Hint(err))
	}
	sameSocket := cfg
	sameSocket.StateDir = filepath.Join(p.dir, "state2")
	if err := Run(t.Context(), sameSocket); !errors.Is(err, socket.ErrInUse) || Hint(err) == "" {
		t.Errorf("on the same socket: %v (hint %q)", err, Hint(err))
	}
	if err := (&ipc.Client{Socket: cfg.Socket}).Get(t.Context(), ipc.PathVersion, new(ipc.Version)); err != nil {
		t.Errorf("the first one no longer answers: %v", err)
	}
}

func TestAWrongKeyStartsNothing(t *testing.T) {
	cfg := newPlace(t).config(t)
	if err := run(t, cfg)(); err != nil {
		t.Fatal(err)
	}
	other, err := store.ParseKeySource("file:" + filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Create(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	cfg.Key = other
	if err := Run(t.Context(), cfg); !errors.Is(err, store.ErrWrongKey) || Hint(err) == "" {
		t.Errorf("got %v (hint %q)", err, Hint(err))
	}
	if _, err := os.Lstat(cfg.Socket); !errors.Is(err, os.ErrNotExist) {
		t.Error("it made a socket")
	}
}

func TestAPathTooLongForASocket(t *testing.T) {
	cfg := newPlace(t).config(t)
	cfg.Socket = filepath.Join(t.TempDir(), strings.Repeat("x", 120))
	err := Run(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "bytes long") || Hint(err) == "" {
		t.Errorf("got %v (hint %q)", err, Hint(err))
	}
}

// lockedKey is a keyring that is locked until open is set.
type lockedKey struct {
	store.KeySource
	open *atomic.Bool
}

func (k lockedKey) Load(ctx context.Context, account string) (store.Key, error) {
	if !k.open.Load() {
		return store.Key{}, fmt.Errorf("load: %w", store.ErrKeyLocked)
	}
	return k.KeySource.Load(ctx, account)
}

func TestALockedKeyringIsWaitedFor(t *testing.T) {
	cfg := newPlace(t).config(t)
	if err := run(t, cfg)(); err != nil { // a state to open
		t.Fatal(err)
	}
	open := new(atomic.Bool)
	cfg.Key = lockedKey{cfg.Key, open}
	stop := run(t, cfg)
	client := &ipc.Client{Socket: cfg.Socket}

	var st ipc.Status
	if err := client.Get(t.Context(), ipc.PathStatus, &st); err != nil || !st.Locked {
		t.Errorf("status: %+v, %v", st, err)
	}
	var werr *ipc.Error
	err := client.Get(t.Context(), ipc.Path(ipc.PathToken, "rot_aaaa"), new(ipc.Token))
	if !errors.As(err, &werr) || werr.Code != ipc.CodeKeyringLocked || werr.Hint == "" {
		t.Errorf("get: %v", err)
	}

	open.Store(true)
	deadline := time.Now().Add(20 * time.Second)
	for st.Locked {
		if time.Now().After(deadline) {
			t.Fatal("it does not notice that the keyring is open")
		}
		time.Sleep(20 * time.Millisecond)
		if st = (ipc.Status{}); client.Get(t.Context(), ipc.PathStatus, &st) != nil {
			t.Fatal("it does not answer")
		}
	}
	if err := client.Get(t.Context(), ipc.Path(ipc.PathToken, "rot_aaaa"), new(ipc.Token)); !errors.As(err, &werr) || werr.Code != ipc.CodeNotFound {
		t.Errorf("get: %v", err)
	}
	if err := stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestALockedDaemonStops(t *testing.T) {
	cfg := newPlace(t).config(t)
	cfg.Key = lockedKey{cfg.Key, new(atomic.Bool)}
	if err := run(t, cfg)(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestARuntimeDirectoryOfSomebodyElse(t *testing.T) {
	cfg := newPlace(t).config(t)
	if err := os.Mkdir(cfg.RuntimeDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(cfg.RuntimeDir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), cfg); err == nil || Hint(err) == "" {
		t.Errorf("open to all: %v", err)
	}
	if err := os.Remove(cfg.RuntimeDir); err != nil {
		t.Fatal(err)
	}
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(open, cfg.RuntimeDir); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), cfg); err == nil || Hint(err) == "" {
		t.Errorf("a link to one that is open to all: %v", err)
	}
}
