package rotate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
}

type fakeToken struct {
	rotate.Token
	shape   store.Shape
	deleted bool
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), tokens: map[string]*fakeToken{}, lag: map[string]bool{}}
	dir := filepath.Join(t.TempDir(), "state")
	key := filepath.Join(t.TempDir(), "key")
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

func (w *world) engine() *rotate.Engine {
	return &rotate.Engine{
		Journal: journal{w},
		Now:     func() time.Time { return w.now },
		Sleep: func(ctx context.Context, d time.Duration) error {
			w.now = w.now.Add(d)
			return ctx.Err()
		},
		Jitter: func() float64 { return 0 },
		Log:    slog.New(slog.NewTextHandler(io.Discard, nil)),
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
	return j.w.call("MakeCurrent", func() error { return j.w.st.MakeCurrent(ctx, rot, n, next, shape) })
}

func (j journal) Value(ctx context.Context, rot string, n int) (v secret.Text, err error) {
	err = j.w.call("Value", func() error { v, err = j.w.st.Value(ctx, rot, n); return err })
	return v, err
}
