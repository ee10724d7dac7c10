package cmd_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rotd/daemon/npm/sandbox"
	"rotd/ipc"
)

var (
	soakKills = flag.Int("kills", 15, "how often TestFaultRun kills the daemon; `make soak` does it 500 times")
	soakSeed  = flag.Uint64("seed", 0, "repeat the fault run of this seed; 0: a new one")
)

// longRun is a number of kills from which on the run also waits for what needs
// minutes: the client's own time limit, and the end of the engine's doubt.
const longRun = 100

// TestFaultRun rotates three ROTs of one passcard without a pause, while the
// registry fails in every way it can and the daemon is killed at random
// instants; one of them has a delivery. Readers never get a refused value, nor
// does the delivery's place hold one; afterwards nothing is left over.
func TestFaultRun(t *testing.T) {
	seed := *soakSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d: repeat with go test ./cmd -run TestFaultRun -kills %d -seed %d", seed, *soakKills, seed)
	g, passcard := newGround(t)
	var rots []string
	for _, name := range []string{"one", "two", "three"} {
		rots = append(rots, g.newROT(passcard, name))
	}
	placed := g.deliverSlowly(rots[2])
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reads := &readers{g: g}
	turns := &rotators{g: g, ends: map[string]int{}}
	for _, rot := range rots {
		reads.follow(ctx, rot)
		turns.turn(ctx, rot)
	}
	reads.watch(ctx, placed)
	s := &storm{g: g, rand: rand.New(rand.NewPCG(seed, 0))}
	s.rage(*soakKills)

	turns.stop.Store(true)
	g.faults()
	s.closed(false)
	g.restartDaemon()
	turns.wg.Wait()
	g.deliverSlowly(rots[2]) // not in an hour, as after many failures
	settleAll(g, *soakKills >= longRun)
	cancel()
	reads.wg.Wait()

	left := g.leftOver()
	for _, rot := range rots {
		tk, err := g.token(t.Context(), rot)
		if err != nil {
			t.Errorf("after the storm: %v", err)
		} else if ok, _, err := g.accepts(tk.Value.Text); !ok || err != nil {
			t.Errorf("after the storm the registry refuses generation %d of %s: %v", tk.Generation, rot, err)
		}
	}
	g.stop()
	if why := g.checkDatabase(); why != "" {
		s.corrupt = append(s.corrupt, why)
	}
	t.Logf("%d kills, %d values read (%d times no daemon was there), %d tokens made, rotations: %v",
		s.kills, reads.read, reads.away, len(g.tokens()), turns.ends)
	t.Logf("refused tokens answered: %d, tokens left over: %d, corrupt databases: %d, no token answered: %d, older after newer: %d, refused tokens at a delivery's place: %d",
		len(reads.refused), len(left), len(s.corrupt), len(reads.none), len(reads.back), len(reads.place))
	for what, list := range map[string][]string{
		"a refused token was answered": reads.refused, "left over": left, "corrupt": s.corrupt,
		"no token was answered": reads.none, "older after newer": reads.back,
		"a refused token lay at a delivery's place": reads.place,
	} {
		for _, one := range list[:min(len(list), 5)] {
			t.Errorf("%s: %s", what, one)
		}
	}
	if turns.ends["done"] == 0 || reads.read == 0 {
		t.Error("no rotation or no reading came to its end: this run shows nothing")
	}
}

// deliverSlowly gives a ROT a delivery to a file, whose command takes its time,
// and fails where a file named closed stands in its way.
func (g *ground) deliverSlowly(rot string) (place string) {
	g.t.Helper()
	const script = `umask 077; cat >place.$$ && sleep 0.1 && test ! -e closed && mv place.$$ place || { rm -f place.$$; exit 1; }`
	_, err := g.stream(g.t.Context(), ipc.Path(ipc.PathDeliver, rot), ipc.Deliver{
		Name: "place", Command: []string{"sh", "-c", `cd "$HOME" && ` + script},
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return filepath.Join(g.dir, "place")
}

// settleAll waits until the daemon has nothing left to do. Names that npm may
// still be making tokens of are waited for in a long run only.
func settleAll(g *ground, withDoubt bool) {
	g.t.Helper()
	g.await(2*time.Minute, "the end of all that is no doubt", func() bool { return g.settled() && len(g.leftOver()) == 0 })
	if withDoubt {
		// Tries come 15, 30, 60 and 120 seconds after one another.
		g.await(8*time.Minute, "the end of all doubt", func() bool { return len(g.unfinished()) == 0 })
	}
}

// rotators rotate ROTs one after the other, as often as the daemon lets them.
type rotators struct {
	g    *ground
	wg   sync.WaitGroup
	stop atomic.Bool

	mu   sync.Mutex
	ends map[string]int // how rotations ended: "done" or a code
}

func (r *rotators) turn(ctx context.Context, rot string) {
	r.wg.Go(func() {
		for !r.stop.Load() {
			err := r.g.rotate(ctx, rot)
			end := "done"
			var said *ipc.Error
			switch {
			case errors.As(err, &said):
				end = string(said.Code)
			case err != nil:
				end = "killed"
				if dial := new(ipc.DialError); errors.As(err, &dial) {
					time.Sleep(10 * time.Millisecond)
					continue
				}
			}
			r.mu.Lock()
			r.ends[end]++
			r.mu.Unlock()
		}
	})
}

// storm kills the daemon and spoils the registry. All that is random in it
// comes from rand.
type storm struct {
	g       *ground
	rand    *rand.Rand
	kills   int
	corrupt []string
}

// rage begins and ends with a daemon: a living one, and a dead one.
func (s *storm) rage(kills int) {
	s.g.t.Helper()
	for s.kills < kills {
		if s.kills > 0 {
			s.g.startDaemon()
		}
		life := s.between(150, 1800)
		if s.rand.IntN(5) == 0 {
			life = s.between(0, 150) // while it starts
		}
		if s.kills > 0 && s.kills%longRun == 0 {
			s.hang()
		}
		for end := time.Now().Add(life); ; {
			s.g.faults(s.badDay()...)
			s.closed(s.rand.IntN(8) == 0)
			left := time.Until(end)
			if left <= 0 {
				break
			}
			time.Sleep(min(left, s.between(20, 250)))
		}
		s.g.kill(&s.g.d)
		s.kills++
		if why := s.g.checkDatabase(); why != "" {
			s.corrupt = append(s.corrupt, fmt.Sprintf("after kill %d: %s", s.kills, why))
		}
		if s.kills%50 == 0 {
			s.g.t.Logf("%d kills", s.kills)
		}
	}
}

// hang lets the registry say nothing for longer than its client waits.
func (s *storm) hang() {
	s.g.awaitDaemon()
	s.g.faults(sandbox.Fault{Path: "/-/npm/v1/tokens", Count: 1, Kind: s.oneOf(sandbox.FaultSlow, sandbox.FaultHold), DelayMS: 35_000})
	time.Sleep(33 * time.Second)
}

// closed keeps the delivery from its place, or lets it in.
func (s *storm) closed(yes bool) {
	s.g.t.Helper()
	path := filepath.Join(s.g.dir, "closed")
	err := os.RemoveAll(path)
	if yes {
		err = os.WriteFile(path, nil, 0o600)
	}
	if err != nil {
		s.g.t.Fatal(err)
	}
}

// badDay is what the registry does wrong for the next moment: often nothing.
func (s *storm) badDay() (list []sandbox.Fault) {
	for range s.rand.IntN(4) {
		f := sandbox.Fault{
			Path:  "/",
			Count: 1 + s.rand.IntN(3),
			Kind: s.oneOf(sandbox.FaultStatus, sandbox.FaultCut, sandbox.FaultCutAfter, sandbox.FaultTruncate,
				sandbox.FaultGarble, sandbox.FaultSlow, sandbox.FaultHold, sandbox.FaultLate),
		}
		if call := s.oneOf("", "GET /-/whoami", "GET /-/npm/v1/tokens", "POST /-/npm/v1/tokens", "DELETE /-/npm/v1/tokens/token/"); call != "" {
			f.Method, f.Path, _ = strings.Cut(call, " ")
		}
		switch f.Kind {
		case sandbox.FaultStatus:
			f.Status = []int{500, 502, 503, 504, 408, 429}[s.rand.IntN(6)]
		case sandbox.FaultSlow, sandbox.FaultHold, sandbox.FaultLate:
			f.DelayMS = int(s.between(10, 600).Milliseconds())
		}
		list = append(list, f)
	}
	return list
}

func (s *storm) between(from, to int) time.Duration {
	return time.Duration(from+s.rand.IntN(to-from)) * time.Millisecond
}

func (s *storm) oneOf(words ...string) string { return words[s.rand.IntN(len(words))] }
