package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"rotd/ipc/secret"
	"rotd/store"
)

// manyGround has a daemon, built as it is released and not yet started, that
// will find so many ROTs, named rot-0 and so on, with a value each. They are not
// made by rotations, which would take minutes.
func manyGround(tb testing.TB, rots int) *ground {
	tb.Helper()
	g := bareGround(tb)
	g.program = released(tb)
	g.fill(func(st *store.Store) error {
		p, err := st.Connect(tb.Context(), store.Passcard{Registry: "http://localhost:1", Username: "ada", Via: "registry"}, nil)
		for i := 0; err == nil && i < rots; i++ {
			err = addServed(tb, st, p.ID, fmt.Sprint("rot-", i))
		}
		return err
	})
	return g
}

// released builds the daemon as it is released, once.
func released(tb testing.TB) (program string) {
	tb.Helper()
	const name = "rotd-released"
	if _, err := os.Stat(filepath.Join(bin, name)); err == nil {
		return name
	}
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(bin, name), "rotd/cmd/rotd")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	return name
}

// fill fills the state of a daemon that does not run. It is done where a commit
// waits for no disk, if this machine has such a place.
func (g *ground) fill(by func(*store.Store) error) {
	g.t.Helper()
	quick, err := os.MkdirTemp("/dev/shm", "rotd")
	if err != nil {
		quick = g.dir
	} else {
		defer os.RemoveAll(quick)
	}
	state := filepath.Join(quick, "state")
	key, err := store.ParseKeySource("file:" + filepath.Join(g.dir, "key"))
	if err != nil {
		g.t.Fatal(err)
	}
	st, err := store.Open(g.t.Context(), state, key, store.Options{})
	if err != nil {
		g.t.Fatal(err)
	}
	err = by(st)
	if cerr := st.Close(); err == nil {
		err = cerr
	}
	if err == nil && state != g.stateDir() {
		if err = os.Mkdir(g.stateDir(), 0o700); err == nil {
			err = copyState(g.stateDir(), state)
		}
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

func copyState(to, from string) error {
	b, err := os.ReadFile(filepath.Join(from, "rotd.db"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "rotd.db"), b, 0o600)
}

// addServed adds a ROT that serves a value, and is to be rotated in two months.
func addServed(tb testing.TB, st *store.Store, passcard, name string) error {
	ctx := tb.Context()
	now := time.Now()
	next, expires := now.AddDate(0, 2, 0), now.AddDate(0, 3, 0)
	r, err := st.AddROT(ctx, store.ROT{Passcard: passcard, Name: name, Next: next})
	if err != nil {
		return err
	}
	g, err := st.Plan(ctx, r.ID, func(n int) string { return fmt.Sprintf("rotd-%s-%d", r.ID, n) })
	if err == nil {
		err = st.Created(ctx, r.ID, g.N, "k", secret.New("npm_0123456789012345678901234567EXAMPLE"), now, expires)
	}
	if err == nil {
		err = st.Advance(ctx, r.ID, g.N, store.StepCreated, store.StepVerified)
	}
	if err == nil {
		err = st.MakeCurrent(ctx, r.ID, g.N, next, store.Shape{PackagesAll: true})
	}
	return err
}

// rot runs a command of rot's.
func (g *ground) rot(tb testing.TB, args ...string) {
	tb.Helper()
	out, err := exec.Command(filepath.Join(bin, "rot"), append(args, "--socket", g.client.Socket)...).CombinedOutput()
	if err != nil {
		tb.Fatalf("rot %s: %v\n%s", args[0], err, out)
	}
}

// percentile is the least that so many percent of all do not exceed, in
// milliseconds.
func percentile(took []time.Duration, percent int) float64 {
	slices.Sort(took)
	return float64(took[(len(took)*percent+99)/100-1].Microseconds()) / 1000
}
