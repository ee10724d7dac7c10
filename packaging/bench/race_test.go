package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// runner is a program that a race is about.
type runner struct {
	name  string // of its metric, "rot" for rot-ms
	argv  []string
	stdin string // a file; empty: nothing
	every int    // in how many rounds it runs once, for the slow ones; 0: in each
}

// race runs the programs in turn, one after the other in every round, so that
// what else the machine does meets them alike, and reports each one's median.
// The time is that of the whole process, from its start to its end.
func race(b *testing.B, dir string, runners []runner) {
	b.Helper()
	took := make([][]time.Duration, len(runners))
	round := 0
	for b.Loop() {
		for i := range runners {
			k := (i + round) % len(runners) // not always behind the same one
			if every := max(1, runners[k].every); round%every == 0 {
				took[k] = append(took[k], runners[k].run(b, dir))
			}
		}
		round++
	}
	for k, r := range runners {
		b.ReportMetric(milliseconds(median(took[k])), r.name+"-ms")
	}
}

func (r runner) run(b *testing.B, dir string) time.Duration {
	b.Helper()
	in, err := os.Open(os.DevNull)
	if r.stdin != "" {
		in, err = os.Open(r.stdin)
	}
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	start := time.Now()
	p, err := os.StartProcess(r.argv[0], r.argv, &os.ProcAttr{Dir: dir, Env: environ(dir), Files: []*os.File{in, out, out}})
	if err != nil {
		b.Fatal(err)
	}
	state, err := p.Wait()
	took := time.Since(start)
	if err != nil || !state.Success() {
		b.Fatalf("%s: %v, %v", strings.Join(r.argv, " "), state, err)
	}
	return took
}

func median(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
