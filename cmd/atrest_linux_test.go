package cmd_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sleeperEnv makes this test binary a program that does nothing.
const sleeperEnv = "ROTD_TEST_SLEEPER"

func init() {
	disguises[sleeperEnv] = func(string) int {
		debug.SetGCPercent(-1) // as little as there is to collect
		time.Sleep(time.Hour)
		return 0
	}
}

// sleeper starts one, until the end.
func sleeper(b *testing.B) (pid int) {
	b.Helper()
	program := exec.Command(os.Args[0])
	program.Env = append(os.Environ(), sleeperEnv+"=1")
	if err := program.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = program.Process.Kill()
		_ = program.Wait()
	})
	return program.Process.Pid
}

// BenchmarkAtRest is the daemon with 100 ROTs, a while after its start and one
// get: its memory, its children (a Chromium would be one), and how often it wakes
// up, beside a program of Go's that does nothing: its runtime looks after itself
// each minute. That is the number of times that any of its threads gave up a processor
// or was taken from it: a thread that makes a system call while nothing happens has
// first been woken. Three watches take a minute.
func BenchmarkAtRest(b *testing.B) {
	g := manyGround(b, 100)
	g.restartDaemon()
	if _, err := g.token(b.Context(), "rot-0"); err != nil {
		b.Fatal(err)
	}
	const settle, watch = 12 * time.Second, 20 * time.Second
	var wakeUps, idle, seconds float64
	nothing := sleeper(b)
	time.Sleep(settle)
	for b.Loop() {
		before, beforeIdle := switches(b, g.d.cmd.Process.Pid), switches(b, nothing)
		time.Sleep(watch)
		wakeUps += float64(switches(b, g.d.cmd.Process.Pid) - before)
		idle += float64(switches(b, nothing) - beforeIdle)
		seconds += watch.Seconds()
	}
	b.ReportMetric(float64(g.inStatus("VmRSS:"))/(1<<20), "RSS-MB")
	b.ReportMetric(wakeUps/seconds, "wake-ups/s")
	b.ReportMetric(idle/seconds, "sleeper-wake-ups/s")
	b.ReportMetric((wakeUps-idle)/seconds, "more-wake-ups/s")
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

// switches counts those of all threads of a process.
func switches(tb testing.TB, pid int) (n int) {
	tb.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		tb.Fatal(err)
	}
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			tb.Fatal(err)
		}
		n += statusOf(tb, tid, "voluntary_ctxt_switches:") + statusOf(tb, tid, "nonvoluntary_ctxt_switches:")
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
