package cmd_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkAtRest is the daemon with 100 ROTs, a while after its start and one
// get: its memory, its children (a Chromium would be one), and how often it wakes
// up. That is the number of times that any of its threads gave up a processor or
// was taken from it: a thread that makes a system call while nothing happens has
// first been woken. Three watches take a minute: the timer's look at the clock is
// in one of them.
func BenchmarkAtRest(b *testing.B) {
	g := manyGround(b, 100)
	g.restartDaemon()
	if _, err := g.token(b.Context(), "rot-0"); err != nil {
		b.Fatal(err)
	}
	const settle, watch = 12 * time.Second, 20 * time.Second
	var wakeUps, seconds float64
	time.Sleep(settle)
	for b.Loop() {
		before := g.switches()
		time.Sleep(watch)
		wakeUps += float64(g.switches() - before)
		seconds += watch.Seconds()
	}
	b.ReportMetric(float64(g.inStatus("VmRSS:"))/(1<<20), "RSS-MB")
	b.ReportMetric(wakeUps/seconds, "wake-ups/s")
	b.ReportMetric(float64(g.children()), "children")
	b.ReportMetric(0, "ns/op") // there is no op
}

// BenchmarkStart is the time from the start of the process to its first answer to
// a get, after a clean end.
func BenchmarkStart(b *testing.B) {
	for _, rots := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("ROTs=%d", rots), func(b *testing.B) {
			g := manyGround(b, rots)
			g.restartDaemon()
			g.stop()
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				g.startDaemon()
				for {
					if _, err := g.token(b.Context(), "rot-0"); err == nil {
						break
					} else if time.Since(start) > time.Minute {
						b.Fatal(err)
					}
					time.Sleep(500 * time.Microsecond)
				}
				took = append(took, time.Since(start))
				g.stop()
			}
			b.ReportMetric(percentile(took, 50), "p50-ms")
			b.ReportMetric(percentile(took, 95), "p95-ms")
		})
	}
}

// BenchmarkTenThousand is what a person asks of a daemon with 10 000 ROTs, whole
// processes, and the size of its database.
func BenchmarkTenThousand(b *testing.B) {
	g := manyGround(b, 10_000)
	g.restartDaemon()
	info, err := os.Stat(filepath.Join(g.stateDir(), "rotd.db"))
	if err != nil {
		b.Fatal(err)
	}
	for _, command := range []string{"ls", "status"} {
		b.Run(command, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				g.rot(b, command)
				took = append(took, time.Since(start))
			}
			b.ReportMetric(percentile(took, 50), "p50-ms")
			b.ReportMetric(percentile(took, 95), "p95-ms")
			b.ReportMetric(float64(info.Size())/(1<<20), "database-MB")
		})
	}
}

// inStatus is a line of the daemon's status, of kB, in bytes.
func (g *ground) inStatus(line string) int {
	g.t.Helper()
	return statusOf(g.t, g.d.cmd.Process.Pid, line) << 10
}

// switches counts those of all threads of the daemon.
func (g *ground) switches() (n int) {
	g.t.Helper()
	pid := g.d.cmd.Process.Pid
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		g.t.Fatal(err)
	}
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			g.t.Fatal(err)
		}
		n += statusOf(g.t, tid, "voluntary_ctxt_switches:") + statusOf(g.t, tid, "nonvoluntary_ctxt_switches:")
	}
	return n
}

// children counts the processes that the daemon has started and that live.
func (g *ground) children() (n int) {
	g.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		g.t.Fatal(err)
	}
	for _, path := range all {
		b, err := os.ReadFile(path) // it may have ended
		_, rest, ok := strings.Cut(string(b), ") ")
		if fields := strings.Fields(rest); err == nil && ok && fields[1] == strconv.Itoa(g.d.cmd.Process.Pid) {
			n++
		}
	}
	return n
}

// statusOf is the number in one line of a process's, or a thread's, status.
func statusOf(tb testing.TB, pid int, line string) int {
	tb.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), line); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				tb.Fatal(err)
			}
			return n
		}
	}
	tb.Fatalf("/proc/%d/status has no %s", pid, line)
	return 0
}
