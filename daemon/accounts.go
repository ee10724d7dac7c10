package daemon

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"

	"rotd/daemon/browser"
	"rotd/daemon/npm"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// asker puts a question to the person; nil where nobody is there.
type asker func(ctx context.Context, kind, text string) (secret.Text, error)

// account puts together the npm account of a passcard. What it learns, a new
// session or a passkey's sign count, goes back through keep.
func (d *Daemon) account(cfg npm.Config, keep npm.Keeper, ask asker, tell func(name, text string)) (*npm.Account, error) {
	log := d.cfg.Log.With(slog.String("registry", cfg.Registry))
	if cfg.MaySignIn == nil {
		cfg.MaySignIn = func() error { return d.signIns.begin(cfg.Registry, cfg.Username, d.cfg.Now(), true) }
	}
	cfg.Keep, cfg.Ask, cfg.Progress = keep, ask, tell
	cfg.Now, cfg.Sleep, cfg.Log = d.cfg.Now, sleep, log
	cfg.UserAgent = "rotd/" + ipc.BuildVersion
	if cfg.Pages == nil {
		cfg.Pages = &npm.Website{
			Browser:   d.browser(log),
			Keep:      keep,
			ReportDir: filepath.Join(d.cfg.StateDir, "reports"),
			Log:       log,
		}
	}
	return npm.NewAccount(cfg)
}

// window are npm's pages for a person at a display. gone is closed when he has
// left.
func (d *Daemon) window(display []string, keep npm.Keeper, gone <-chan struct{}, tell func(name, text string)) *npm.Window {
	w := &npm.Window{Browser: d.browser(d.cfg.Log), Keep: keep, Log: d.cfg.Log, Gone: gone, Tell: tell, Time: d.cfg.WindowTime}
	w.Browser.Display = display
	return w
}

func (d *Daemon) browser(log *slog.Logger) browser.Config {
	s := d.settings()
	return browser.Config{Exec: s.Browser, NoSandbox: s.BrowserNoSandbox, Dir: profileDir(d.cfg), Log: log}
}

// storeKeeper keeps an account's secrets in the store, sealed.
type storeKeeper struct {
	st       *store.Store
	passcard string
}

func (k storeKeeper) Secret(ctx context.Context, kind store.Kind) (secret.Text, error) {
	return k.st.Secret(ctx, k.passcard, kind)
}

func (k storeKeeper) PutSecret(ctx context.Context, kind store.Kind, v secret.Text) error {
	return k.st.PutSecret(ctx, k.passcard, kind, v)
}

// draftKeeper keeps the secrets of an account that is not a passcard yet. A
// connection that fails leaves nothing.
type draftKeeper struct {
	mu   sync.Mutex
	kept map[store.Kind]secret.Text
}

func (k *draftKeeper) Secret(_ context.Context, kind store.Kind) (secret.Text, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kept[kind], nil
}

func (k *draftKeeper) PutSecret(_ context.Context, kind store.Kind, v secret.Text) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil {
		k.kept = make(map[store.Kind]secret.Text)
	}
	k.kept[kind] = v
	return nil
}

// inflight counts the runs that a stop waits for. The zero value is ready.
type inflight struct {
	mu      sync.Mutex
	stopped bool
	runs    sync.WaitGroup
}

// begin counts a run; false says that the daemon is stopping.
func (f *inflight) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.stopped {
		f.runs.Add(1)
	}
	return !f.stopped
}

func (f *inflight) end() { f.runs.Done() }

// wait lets no run begin any more and waits for the others.
func (f *inflight) wait() {
	f.mu.Lock()
	f.stopped = true
	f.mu.Unlock()
	f.runs.Wait()
}

// keyedLocks are locks by name, waited for under a context. The zero value is
// ready.
type keyedLocks struct {
	mu    sync.Mutex
	locks map[string]chan struct{}
}

func (k *keyedLocks) of(key string) chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locks == nil {
		k.locks = make(map[string]chan struct{})
	}
	if k.locks[key] == nil {
		k.locks[key] = make(chan struct{}, 1)
	}
	return k.locks[key]
}

// try takes the lock if it is free.
func (k *keyedLocks) try(key string) (unlock func(), ok bool) {
	c := k.of(key)
	select {
	case c <- struct{}{}:
		return func() { <-c }, true
	default:
		return nil, false
	}
}

// lock waits for the lock; busy is called once if it has to wait.
func (k *keyedLocks) lock(ctx context.Context, key string, busy func()) (unlock func(), err error) {
	if unlock, ok := k.try(key); ok {
		return unlock, nil
	}
	busy()
	c := k.of(key)
	select {
	case c <- struct{}{}:
		return func() { <-c }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
