package cmd_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"rotd/daemon/npm/sandbox"
	"rotd/ipc"
	"rotd/ipc/secret"
)

// never is longer than any test waits for an answer.
const never = 600_000 // milliseconds

// TestKilledAtEveryCall kills the daemon while each call of a rotation is in
// flight: before it took effect, after it did, and where npm sets to it only
// when the daemon is dead already.
func TestKilledAtEveryCall(t *testing.T) {
	for i, call := range callsOfRotation(t, (*ground).signedIn) {
		kinds := []string{sandbox.FaultSlow, sandbox.FaultHold}
		if call.Method != "GET" {
			kinds = append(kinds, sandbox.FaultLate)
		}
		for _, kind := range kinds {
			t.Run(fmt.Sprintf("%d %s, %s", i+1, call.Method, kind), func(t *testing.T) {
				g, passcard := newGround(t)
				rot := g.newROT(passcard, "")
				made := len(g.tokens())
				g.rotateAndHold(rot, i, kind)
				g.kill(&g.d)
				if kind == sandbox.FaultLate && call.Method == "POST" {
					// The next daemon looks for it in vain, the one after that finds it.
					g.faultsAndRestart()
					g.await(20*time.Second, "the late token", func() bool { return len(g.tokens()) > made })
					g.stop()
				}
				g.recovers(rot)
			})
		}
	}
}

// TestKilledWhileSigningIn is the same for a rotation that finds its session
// ended, up to the creation.
func TestKilledWhileSigningIn(t *testing.T) {
	for i, call := range callsOfRotation(t, (*ground).signOut) {
		if call.Status == http.StatusCreated && call.Method == "POST" {
			break
		}
		for _, kind := range []string{sandbox.FaultSlow, sandbox.FaultHold} {
			t.Run(fmt.Sprintf("%d %s, %s", i+1, call.Method, kind), func(t *testing.T) {
				g, passcard := newGround(t)
				rot := g.newROT(passcard, "")
				g.signOut()
				g.rotateAndHold(rot, i, kind)
				g.kill(&g.d)
				g.recovers(rot)
			})
		}
	}
}

// TestKilledWhileRevoking kills the daemon at every call of a revocation, and of
// a removal: what get answers from then on, if anything, is good, and in the end
// no token is left that nobody serves.
func TestKilledWhileRevoking(t *testing.T) {
	for name, ask := range map[string]struct {
		path string
		body any
	}{
		"revoke": {ipc.PathRevoke, ipc.Revoke{}},
		"remove": {ipc.PathRemove, ipc.Remove{Yes: true}},
	} {
		g, passcard := newGround(t)
		rot := g.newROT(passcard, "")
		before := len(g.requests())
		if _, err := g.stream(t.Context(), ipc.Path(ask.path, rot), ask.body); err != nil {
			t.Fatal(err)
		}
		for i, call := range g.requests()[before:] {
			for _, kind := range []string{sandbox.FaultSlow, sandbox.FaultHold} {
				t.Run(fmt.Sprintf("%s %d %s, %s", name, i+1, call.Method, kind), func(t *testing.T) {
					g, passcard := newGround(t)
					rot := g.newROT(passcard, "")
					g.beginAndHold(ipc.Path(ask.path, rot), ask.body, i, kind)
					g.kill(&g.d)
					g.faultsAndRestart()
					r := &readers{g: g}
					r.look(t.Context(), rot, 0)
					g.await(40*time.Second, "the end", func() bool { return g.settled() && len(g.leftOver()) == 0 })
					r.look(t.Context(), rot, 0)
					if len(r.refused) > 0 || r.read+len(r.none) != 2 {
						t.Errorf("get: %d values, none: %v, refused: %v", r.read, r.none, r.refused)
					}
				})
			}
		}
	}
}

// TestKilledAtEveryStep kills the daemon as soon as it tells of a step.
func TestKilledAtEveryStep(t *testing.T) {
	for _, step := range []string{"planned", "created", "verified", "current", "revoked"} {
		t.Run(step, func(t *testing.T) {
			g, passcard := newGround(t)
			rot := g.newROT(passcard, "")
			told := false
			for ev, err := range g.client.Stream(t.Context(), ipc.Path(ipc.PathRotate, rot), ipc.Rotate{}) {
				if err != nil {
					t.Fatal(err)
				}
				if told = ev.Step != nil && ev.Step.Name == step; told {
					break
				}
			}
			if !told {
				t.Fatal("the rotation does not tell of that step")
			}
			g.kill(&g.d)
			g.recovers(rot)
		})
	}
}

// TestRegistryKilledAtEveryCall is the other way round: the registry dies in
// the middle, and comes back with what it had on its disk.
func TestRegistryKilledAtEveryCall(t *testing.T) {
	for i, call := range callsOfRotation(t, (*ground).signedIn) {
		for _, kind := range []string{sandbox.FaultSlow, sandbox.FaultHold} {
			t.Run(fmt.Sprintf("%d %s, %s", i+1, call.Method, kind), func(t *testing.T) {
				g, passcard := newGround(t, "--state", "npm.json")
				rot := g.newROT(passcard, "")
				done := g.rotateAndHold(rot, i, kind)
				g.kill(&g.npm)
				g.startRegistry(g.registry[len("http://"):], "--state", "npm.json")
				if err := <-done; err != nil {
					t.Logf("the rotation: %v", err)
				}
				g.servesWell(rot)
				g.stop()
				g.recovers(rot)
			})
		}
	}
}

// signedIn is how a rotation usually finds its account; after signOut it has no
// session.
func (g *ground) signedIn() {}

func (g *ground) signOut() {
	g.t.Helper()
	if err := g.control("POST", "sign-out", "", noBearer, nil); err != nil {
		g.t.Fatal(err)
	}
}

// callsOfRotation are what a rotation asks of the registry, in its order.
func callsOfRotation(t *testing.T, prepare func(*ground)) []sandbox.Request {
	t.Helper()
	g, passcard := newGround(t)
	rot := g.newROT(passcard, "")
	prepare(g)
	before := len(g.requests())
	if err := g.rotate(t.Context(), rot); err != nil {
		t.Fatal(err)
	}
	calls := slices.Clone(g.requests()[before:])
	if len(calls) < 6 { // make, try, list; list, delete, list, try
		t.Fatalf("a rotation of %d calls", len(calls))
	}
	return calls
}

// rotateAndHold begins a rotation and returns when its call number i is in
// flight: by a FaultSlow before it takes effect, by a FaultHold after it.
func (g *ground) rotateAndHold(rot string, i int, kind string) (done chan error) {
	g.t.Helper()
	return g.beginAndHold(ipc.Path(ipc.PathRotate, rot), ipc.Rotate{}, i, kind)
}

// beginAndHold is rotateAndHold for any long request.
func (g *ground) beginAndHold(path string, body any, i int, kind string) (done chan error) {
	g.t.Helper()
	delay := never
	if kind == sandbox.FaultLate {
		delay = 500
	}
	g.faults(
		sandbox.Fault{Path: "/", Count: i, Kind: sandbox.FaultSlow}, // these pass
		sandbox.Fault{Path: "/", Count: 1, Kind: kind, DelayMS: delay},
	)
	before := len(g.requests())
	done = make(chan error, 1)
	ctx, client := g.t.Context(), *g.client
	go func() {
		var err error
		for _, err = range client.Stream(ctx, path, body) {
		}
		done <- err
	}()
	g.await(20*time.Second, "the call", func() bool {
		var sw sandbox.Switches
		if err := g.control("GET", "switches", "", noBearer, &sw); err != nil {
			g.t.Fatal(err)
		}
		taken := sw.Faults[1].Count == 0
		if kind == sandbox.FaultHold { // and it is written down, which follows the effect
			taken = taken && len(g.requests()) == before+i+1
		}
		return taken
	})
	return done
}

func (g *ground) faultsAndRestart() {
	g.t.Helper()
	g.faults()
	g.restartDaemon()
}

// recovers starts a daemon where one was killed and holds it to the promises:
// a good value at once, nothing left over in the end, and rotations that work.
func (g *ground) recovers(rot string) {
	g.t.Helper()
	if why := g.checkDatabase(); why != "" {
		g.t.Errorf("the database is corrupt: %s", why)
	}
	g.faultsAndRestart()
	g.servesWell(rot)
	g.await(40*time.Second, "the end of all that is no doubt", func() bool { return g.settled() && len(g.leftOver()) == 0 })
	g.servesWell(rot)
	if err := g.rotate(g.t.Context(), rot); err != nil {
		g.t.Errorf("the next rotation: %v", err)
	}
	g.servesWell(rot)
	if left := g.leftOver(); len(left) > 0 {
		g.t.Errorf("left over: %v", left)
	}
}

func (g *ground) servesWell(rot string) {
	g.t.Helper()
	r := &readers{g: g}
	r.look(context.WithoutCancel(g.t.Context()), rot, 0)
	if r.read != 1 || len(r.refused) > 0 {
		g.t.Errorf("get answers no value, or a refused one: %v %v", r.none, r.refused)
	}
}

// TestADeliveryEndsWithItsDaemon: one that was slow when the daemon was killed
// must not come in later with a value that is dead by then.
func TestADeliveryEndsWithItsDaemon(t *testing.T) {
	g, passcard := newGround(t)
	rot := g.newROT(passcard, "")
	place, slow := filepath.Join(g.dir, "place"), filepath.Join(g.dir, "slow")
	const script = `cd "$HOME"; cat >new.$$; if test -e slow; then echo >>begun; read x <wait; fi; mv new.$$ place`
	if err := errors.Join(os.WriteFile(slow, nil, 0o600), syscall.Mkfifo(filepath.Join(g.dir, "wait"), 0o600)); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = g.stream(context.WithoutCancel(t.Context()), ipc.Path(ipc.PathDeliver, rot), ipc.Deliver{Command: []string{"sh", "-c", script}})
	}()
	g.await(20*time.Second, "the delivery", func() bool { _, err := os.Stat(filepath.Join(g.dir, "begun")); return err == nil })
	g.kill(&g.d)
	if err := os.Remove(slow); err != nil {
		t.Fatal(err)
	}
	g.restartDaemon()
	if err := g.rotate(t.Context(), rot); err != nil {
		t.Fatal(err)
	}
	g.await(20*time.Second, "the revocation", func() bool { return len(g.leftOver()) == 0 })
	// What is left of the first delivery, if anything, may go on now.
	for range 20 {
		if w, err := os.OpenFile(filepath.Join(g.dir, "wait"), os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			_, _ = w.WriteString("go\n")
			_ = w.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	value, err := os.ReadFile(place)
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := g.accepts(secret.New(string(value))); !ok || err != nil {
		t.Errorf("the place holds a value that npm refuses (%v)", err)
	}
}
