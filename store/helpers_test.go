package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"rotd/ipc/secret"
)

// clock is a time that a test moves. It begins where the other clocks of the
// project's tests may begin too: it does not matter.
type clock struct{ t time.Time }

func newClock() *clock { return &clock{time.Date(2026, 11, 1, 12, 0, 0, 123456000, time.UTC)} }

func (c *clock) now() time.Time          { return c.t }
func (c *clock) advance(d time.Duration) { c.t = c.t.Add(d) }

// state is a state directory with its key file beside it.
type state struct {
	dir   string
	keys  keyFile
	clock *clock
}

func newState(t testing.TB) state {
	t.Helper()
	base := t.TempDir()
	return state{filepath.Join(base, "state"), keyFile(filepath.Join(base, "key")), newClock()}
}

func (st state) open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.Context(), st.dir, st.keys, Options{Now: st.clock.now})
	if err != nil {
		t.Fatalf("Open: %v (hint: %s)", err, HintOf(err))
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func openNew(t testing.TB) *Store {
	t.Helper()
	return newState(t).open(t)
}

// must returns v of a call that has to succeed.
func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func addPasscard(t testing.TB, s *Store, username string) Passcard {
	t.Helper()
	return must[Passcard](t)(s.AddPasscard(t.Context(), Passcard{Registry: "http://localhost:1", Username: username, Via: "registry"}))
}

func addROT(t testing.TB, s *Store, passcard, name string) ROT {
	t.Helper()
	return must[ROT](t)(s.AddROT(t.Context(), ROT{Passcard: passcard, Name: name, Shape: Shape{PackagesAll: true, Permission: "read-write"}}))
}

// rotate takes the ROT through a whole rotation and returns the generation.
func rotate(t testing.TB, s *Store, rot, tokenName, value string) Generation {
	t.Helper()
	ctx := t.Context()
	g := must[Generation](t)(s.Plan(ctx, rot, called(tokenName)))
	now := s.stamp()
	ok(t, s.Created(ctx, rot, g.N, "key-of-"+tokenName, secret.New(value), now, now.Add(90*24*time.Hour)))
	ok(t, s.Advance(ctx, rot, g.N, StepCreated, StepVerified))
	ok(t, s.MakeCurrent(ctx, rot, g.N, now.Add(60*24*time.Hour), must[ROT](t)(s.ROT(ctx, rot)).Shape))
	for _, old := range must[[]Generation](t)(s.Generations(ctx, rot, StepRetiring)) {
		ok(t, s.Advance(ctx, rot, old.N, StepRetiring, StepRevoked))
	}
	return g
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	return must[[]byte](t)(os.ReadFile(path))
}

// called is the name of a token, for Plan.
func called(name string) func(int) string { return func(int) string { return name } }
