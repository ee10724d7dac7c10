package daemon

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"rotd/daemon/browser"
	"rotd/daemon/npm"
	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// asker puts a question to the person; nil where nobody is there.
type asker func(ctx context.Context, kind, text string) (secret.Text, error)

// npmAccount is a passcard's npm account during one run, whichever way it goes.
// Close must be called, and is closeAccount's to call.
type npmAccount interface {
	rotate.Account
	SignIn(ctx context.Context) error
	SignOut(ctx context.Context) error
	// Close ends the browser, where there is one, and seals the session.
	Close(ctx context.Context) error
}

// registryAccount is an account by the registry's API: it has nothing to close.
type registryAccount struct{ *npm.Account }

func (registryAccount) Close(context.Context) error { return nil }

// presence is who is there while an account is used. The zero value: somebody
// has asked for it, and is not there to be asked.
type presence struct {
	timer    bool            // nobody has asked for it
	ask      asker           // nil: nobody answers
	display  []string        // nil: no window can be shown
	gone     <-chan struct{} // closed when whoever asked has left; may be nil
	tell     func(name, text string)
	password secret.Text // said for this run; zero: what is kept
}

// open puts together the npm account of a passcard. What it learns, a new
// session or a passkey's sign count, goes into the store. No request is made yet.
func (d *Daemon) open(ctx context.Context, st *store.Store, passcard string, who presence) (npmAccount, error) {
	p, err := st.Passcard(ctx, passcard)
	if err != nil {
		return nil, err
	}
	keep := storeKeeper{st, p.ID}
	cfg := npm.Config{
		Registry: p.Registry, Username: p.Username, Password: who.password,
		Terminal: who.display == nil && who.ask != nil,
	}
	if p.Via == ipc.ViaWebsite {
		w, err := d.website(cfg, p.Site, keep, who)
		if err != nil {
			return nil, err
		}
		return &websiteAccount{website: w, d: d, st: st, passcard: p}, nil
	}
	if who.display != nil {
		cfg.Pages = d.window(who.display, keep, who.gone, who.tell)
	}
	return d.registry(cfg, keep, who)
}

// closeAccount ends the use of an account, whatever has become of ctx.
func (d *Daemon) closeAccount(ctx context.Context, acct npmAccount) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if err := acct.Close(ctx); err != nil {
		d.cfg.Log.Warn("an account was not closed as it should be", "err", err)
	}
}

// closeTime bounds the sealing of a session and the end of its browser.
const closeTime = 15 * time.Second

// registry is an account by the registry's API.
func (d *Daemon) registry(cfg npm.Config, keep npm.Keeper, who presence) (registryAccount, error) {
	d.equip(&cfg, keep, who)
	if cfg.Pages == nil {
		cfg.Pages = &npm.Website{Browser: d.browser(cfg.Log), Keep: keep, ReportDir: d.reportDir(), Log: cfg.Log}
	}
	a, err := npm.NewAccount(cfg)
	return registryAccount{a}, err
}

// website is an account by npm's settings pages.
func (d *Daemon) website(cfg npm.Config, site string, keep npm.Keeper, who presence) (website, error) {
	d.equip(&cfg, keep, who)
	return d.newWebsite(npm.WebConfig{
		Config: cfg, Site: site, Browser: d.browser(cfg.Log), ReportDir: d.reportDir(),
		Display: who.display, Gone: who.gone, Time: d.cfg.WindowTime,
	})
}

// equip gives an account what it needs of the daemon, and of who is there.
func (d *Daemon) equip(cfg *npm.Config, keep npm.Keeper, who presence) {
	cfg.Keep, cfg.Ask, cfg.Progress = keep, who.ask, who.tell
	cfg.Now, cfg.Sleep = d.cfg.Now, d.cfg.Sleep
	cfg.Log = d.cfg.Log.With(slog.String("registry", cfg.Registry))
	cfg.UserAgent = "rotd/" + ipc.BuildVersion
	registry, username := cfg.Registry, cfg.Username
	cfg.MaySignIn = func() error { return d.signIns.begin(registry, username, d.cfg.Now(), !who.timer) }
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

// reportDir is where pages are kept that were not recognised.
func (d *Daemon) reportDir() string { return filepath.Join(d.cfg.StateDir, "reports") }

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
