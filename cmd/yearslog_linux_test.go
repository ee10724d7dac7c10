package cmd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rotd/store"
)

// BenchmarkYearsLog is one writing of a log of a year's 3 million reads of 100
// ROTs, as the daemon does it each second, with the step of pruning that it
// takes; and rot log, the whole process, over that log.
func BenchmarkYearsLog(b *testing.B) {
	const reads, batch = 3_000_000, 5000
	g := manyGround(b, 100)
	key, err := store.ParseKeySource("file:" + filepath.Join(g.dir, "key"))
	if err != nil {
		b.Fatal(err)
	}
	st, err := store.Open(b.Context(), g.stateDir(), key, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	rots, err := st.ROTs(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	st.LimitLog(store.LogLimits{Age: 2 * 366 * 24 * time.Hour, Most: 2 * reads})
	at, entries, n := time.Now().AddDate(-1, 0, 0), make([]store.LogEntry, batch), 0
	for range reads / batch {
		for i := range entries {
			at = at.Add(365 * 24 * time.Hour / reads)
			entries[i] = store.LogEntry{Kind: store.LogRead, At: at, ROT: rots[n%len(rots)].ID, Generation: 1, UID: new(uint32)}
			n++
		}
		if err := st.AddLog(b.Context(), entries...); err != nil {
			b.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(g.stateDir(), "rotd.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("prune-step", func(b *testing.B) {
		st.LimitLog(store.DefaultLogLimits)
		var took []time.Duration
		for b.Loop() {
			start := time.Now()
			if err := st.AddLog(b.Context(), entries[:10]...); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(start))
		}
		b.ReportMetric(percentile(took, 50), "p50-ms")
		b.ReportMetric(percentile(took, 99), "p99-ms")
	})
	if err := st.Close(); err != nil {
		b.Fatal(err)
	}
	for name, args := range map[string][]string{"first-page": {"log"}, "first-page-of-a-ROT": {"log", "rot-7"}} {
		b.Run(name, func(b *testing.B) {
			// Without a limit, as a daemon that has just been started with a long log.
			g.flags = []string{"--log-days", "3650", "--log-entries", fmt.Sprint(2 * reads)}
			g.restartDaemon()
			defer g.stop()
			g.rot(b, args...)
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				g.rot(b, args...)
				took = append(took, time.Since(start))
			}
			b.ReportMetric(percentile(took, 50), "p50-ms")
			b.ReportMetric(percentile(took, 95), "p95-ms")
			b.ReportMetric(float64(info.Size())/(1<<20), "database-MB")
		})
	}
}
