package rotate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rotd/daemon/rotate"
	"rotd/ipc/secret"
	"rotd/store"
)

// fault is what happens at one call.
type fault int

const (
	none    fault = iota
	lost          // the call has no effect and fails, and the caller cannot tell
	late          // the call has its effect and fails all the same
	refused       // npm says no (Create only; elsewhere the same as lost)
	dieAt         // the process dies before the call
	dieIn         // the process dies after the call's effect, before its return
)

var errFault = errors.New("the connection was cut")

// world is one process's surroundings: npm, the journal and the clock. It
// counts the calls to both, and faults one of them.
type world struct {
	t   *testing.T
	st  *store.Store
	rot store.ROT
	now time.Time

	tokens map[string]*fakeToken // npm's, by key
	made   int
	lag    map[string]bool // values npm accepts though they are deleted

	calls   int
	at      int // the call to fault
	fault   fault
	dead    bool
	history []string // names of the calls
	deaf    bool     // npm answers deletions well and does nothing

	served  map[string]int               // generations that were ever served, by token name
	taken   map[string]map[int]time.Time // by delivery and generation: when it was first taken
	mends   map[string]int               // deliveries that fail so many times more
	readers map[int]int                  // by generation
	leaks   bool                         // the test calls each old token leaked
}

type fakeToken struct {
	rotate.Token
	shape   store.Shape
	deleted bool
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), tokens: map[string]*fakeToken{}, lag: map[string]bool{},
		served: map[string]int{}, taken: map[string]map[int]time.Time{}}
	base := inMemory(t)
	dir, key := filepath.Join(base, "state"), filepath.Join(base, "key")
	keys, err := store.ParseKeySource("file:" + key)
	if err != nil {
		t.Fatal(err)
	}
	w.st, err = store.Open(t.Context(), dir, keys, store.Options{Now: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.st.Close() })
	p, err := w.st.AddPasscard(t.Context(), store.Passcard{Registry: "http://localhost:1", Username: "ada", Via: "registry"})
	if err != nil {
		t.Fatal(err)
	}
	w.rot, err = w.st.AddROT(t.Context(), store.ROT{Passcard: p.ID, Shape: store.Shape{PackagesAll: true, Permission: "read-write", ExpiresDays: 90}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// inMemory is a directory that needs no disk, where the system has one: the
// tests of this package are thousands of databases.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "rotd-test")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (w *world) engine() *rotate.Engine {
	return &rotate.Engine{
		Journal: journal{w},
		Courier: courier{w},
		Now:     func() time.Time { return w.now },
		Sleep: func(ctx context.Context, d time.Duration) error {
			w.now = w.now.Add(d)
			return ctx.Err()
		},
		Jitter:     func() float64 { return 0 },
		Readers:    func(_ string, n int) int { return w.readers[n] },
		ReaderTime: func() time.Duration { return time.Hour },
		Log:        slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// call counts a call and decides its fault; effect does its work.
func (w *world) call(name string, effect func() error) error {
	w.calls++
	w.history = append(w.history, name)
	now := none
	if w.calls == w.at {
		now = w.fault
	}
	if now == dieAt {
		w.dead = true
	}
	if w.dead {
		return errFault
	}
	switch now {
	case lost:
		return errFault
	case refused:
		if name == "npm.Create" {
			return fmt.Errorf("no: %w", rotate.ErrNotCreated)
		}
		return errFault
	}
	err := effect()
	w.check()
	switch now {
	case late:
		return errors.Join(err, errFault)
	case dieIn:
		w.dead = true
		return errors.Join(err, errFault)
	}
	return err
}

// check is promise 1: what a reader gets, npm accepts.
func (w *world) check() {
	w.t.Helper()
	_, value, err := w.st.Current(w.t.Context(), w.rot.ID)
	if errors.Is(err, store.ErrNoValue) {
		if w.row().Current != 0 {
			w.t.Fatalf("after %v: a ROT that had a value has none", w.history)
		}
		return
	}
	if err != nil {
		w.t.Fatal(err)
	}
	if !w.accepts(value) {
		w.t.Fatalf("after %v: the value served is refused by npm", w.history)
	}
}

// checkRevocation is promise 2: a token that was served is revoked only when
// every delivery has taken a newer one, and then not before the grace is over.
func (w *world) checkRevocation(tk *fakeToken) {
	w.t.Helper()
	n := w.served[tk.Name]
	if n == 0 || tk.deleted {
		return
	}
	gs, err := w.st.Generations(w.t.Context(), w.rot.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	if gs[n-1].Hurry {
		return // the user's word, which no engine can give
	}
	all, err := w.st.Deliveries(w.t.Context(), w.rot.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, d := range all {
		var first time.Time
		for m, at := range w.taken[d.Name] {
			if m > n && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
		if first.IsZero() {
			w.t.Errorf("after %v: generation %d is revoked, and %s has taken none newer", w.history, n, d.Name)
		} else if kept := w.now.Sub(first); kept < w.row().Grace {
			w.t.Errorf("after %v: generation %d is revoked %v after %s took a newer one", w.history, n, kept, d.Name)
		}
	}
}

func (w *world) accepts(value secret.Text) bool {
	for _, tk := range w.tokens {
		if tk.Value.Equal(value) {
			return (!tk.deleted || w.lag[tk.Key]) && w.now.Before(tk.Expires)
		}
	}
	return false
}

// live are the names of npm's tokens that are not deleted.
func (w *world) live() []string {
	var names []string
	for _, tk := range w.tokens {
		if !tk.deleted {
			names = append(names, tk.Name)
		}
	}
	return names
}

func (w *world) row() store.ROT {
	w.t.Helper()
	r, err := w.st.ROT(w.t.Context(), w.rot.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// restart is a new process: nothing is faulted any more, and time has passed.
func (w *world) restart() {
	w.dead, w.at, w.calls, w.history = false, 0, 0, nil
	w.now = w.now.Add(5 * time.Minute)
}

// settle does what the timer does, until nothing waits for its time.
func (w *world) settle() error {
	e := w.engine()
	looks := 0
	for range 100 {
		wait, err := e.Settle(w.t.Context(), account{w}, w.row(), silent)
		if err != nil {
			// What may still turn up on npm is looked for again, later.
			if looks++; looks == 3 {
				return err
			}
			w.now = w.now.Add(3 * time.Minute)
			continue
		}
		if wait.Until.IsZero() {
			return nil
		}
		if w.now = wait.Until; len(wait.Undelivered) == 0 && wait.Grace.IsZero() {
			return fmt.Errorf("it waits for nothing until %v", wait.Until)
		}
	}
	return errors.New("it waits for ever")
}

func (w *world) addDeliveries(names ...string) {
	w.t.Helper()
	for _, name := range names {
		if _, err := w.st.AddDelivery(w.t.Context(), store.Delivery{ROT: w.rot.ID, Name: name, Command: []string{"true"}}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) setGrace(d time.Duration) {
	w.t.Helper()
	if err := w.st.SetGrace(w.t.Context(), w.rot.ID, d); err != nil {
		w.t.Fatal(err)
	}
}

// leak says that all values there are have leaked.
func (w *world) leak() {
	w.t.Helper()
	if err := w.st.Hurry(w.t.Context(), w.rot.ID); err != nil {
		w.t.Fatal(err)
	}
}

func silent(string, string) {}

// account is npm.
type account struct{ *world }

func (a account) Create(_ context.Context, name string, want store.Shape) (tk rotate.Token, err error) {
	err = a.call("npm.Create", func() error {
		a.made++
		tk = rotate.Token{
			Key: fmt.Sprintf("key-%d", a.made), Name: name, Value: secret.New(fmt.Sprintf("npm_EXAMPLE%d", a.made)),
			Created: a.now, Expires: a.now.AddDate(0, 0, want.ExpiresDays),
		}
		a.tokens[tk.Key] = &fakeToken{Token: tk, shape: want}
		return nil
	})
	if err != nil {
		tk = rotate.Token{}
	}
	return tk, err
}

func (a account) List(context.Context) (all []rotate.Token, err error) {
	err = a.call("npm.List", func() error {
		for _, tk := range a.tokens {
			if !tk.deleted {
				bare := tk.Token
				bare.Value = secret.Text{}
				all = append(all, bare)
			}
		}
		return nil
	})
	return all, err
}

func (a account) Verify(_ context.Context, got rotate.Token, want store.Shape) error {
	return a.call("npm.Verify", func() error {
		tk := a.tokens[got.Key]
		if tk == nil || tk.deleted || !tk.Value.Equal(got.Value) {
			return errors.New("refused")
		}
		if tk.shape.Permission != want.Permission {
			return &rotate.MismatchError{Differences: []string{"permission"}}
		}
		return nil
	})
}

func (a account) Accepts(_ context.Context, value secret.Text) (ok bool, err error) {
	err = a.call("npm.Accepts", func() error {
		ok = a.accepts(value)
		return nil
	})
	return ok, err
}

func (a account) Revoke(_ context.Context, key string) error {
	return a.call("npm.Revoke", func() error {
		if tk := a.tokens[key]; tk != nil && !a.deaf {
			a.checkRevocation(tk)
			tk.deleted = true
		}
		return nil
	})
}

// journal is the store, with faults.
type journal struct{ w *world }

func (j journal) Generations(ctx context.Context, rot string, steps ...store.Step) (gs []store.Generation, err error) {
	err = j.w.call("Generations", func() error { gs, err = j.w.st.Generations(ctx, rot, steps...); return err })
	return gs, err
}

func (j journal) Plan(ctx context.Context, rot string, name func(int) string) (g store.Generation, err error) {
	err = j.w.call("Plan", func() error { g, err = j.w.st.Plan(ctx, rot, name); return err })
	return g, err
}

func (j journal) Created(ctx context.Context, rot string, n int, key string, value secret.Text, created, expires time.Time) error {
	return j.w.call("Created", func() error { return j.w.st.Created(ctx, rot, n, key, value, created, expires) })
}

func (j journal) Advance(ctx context.Context, rot string, n int, from, to store.Step) error {
	return j.w.call("Advance to "+string(to), func() error { return j.w.st.Advance(ctx, rot, n, from, to) })
}

func (j journal) MakeCurrent(ctx context.Context, rot string, n int, next time.Time, shape store.Shape) error {
	return j.w.call("MakeCurrent", func() error {
		gs, err := j.w.st.Generations(ctx, rot)
		if err != nil {
			return err
		}
		j.w.served[gs[n-1].TokenName] = n
		return j.w.st.MakeCurrent(ctx, rot, n, next, shape)
	})
}

func (j journal) Value(ctx context.Context, rot string, n int) (v secret.Text, err error) {
	err = j.w.call("Value", func() error { v, err = j.w.st.Value(ctx, rot, n); return err })
	return v, err
}

func (j journal) Replaced(ctx context.Context, rot string, n int) error {
	return j.w.call("Replaced", func() error { return j.w.st.Replaced(ctx, rot, n) })
}

func (j journal) Deliveries(ctx context.Context, rot string) (ds []store.Delivery, err error) {
	err = j.w.call("Deliveries", func() error { ds, err = j.w.st.Deliveries(ctx, rot); return err })
	return ds, err
}

func (j journal) Delivered(ctx context.Context, id string, n int, output string) error {
	return j.w.call("Delivered", func() error { return j.w.st.Delivered(ctx, id, n, output) })
}

func (j journal) NotDelivered(ctx context.Context, id, why, output string, next time.Time) error {
	return j.w.call("NotDelivered", func() error { return j.w.st.NotDelivered(ctx, id, why, output, next) })
}

// courier takes every value, where it is not told otherwise.
type courier struct{ *world }

func (c courier) Deliver(_ context.Context, d store.Delivery, g store.Generation, value secret.Text) (output string, err error) {
	err = c.call("Deliver to "+d.Name, func() error {
		if c.mends[d.Name] > 0 && g.N > 1 {
			c.mends[d.Name]--
			return errors.New("exit status 1")
		}
		served, v, err := c.st.Current(c.t.Context(), d.ROT)
		if err != nil || served.N != g.N || !v.Equal(value) {
			c.t.Errorf("after %v: %s gets generation %d, and %d is served (%v)", c.history, d.Name, g.N, served.N, err)
		}
		if c.taken[d.Name] == nil {
			c.taken[d.Name] = map[int]time.Time{}
		}
		if c.taken[d.Name][g.N].IsZero() {
			c.taken[d.Name][g.N] = c.now
		}
		return nil
	})
	return "", err
}
