package store

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"rotd/ipc/secret"
)

// onlyOne leaves the store one connection and sets a pragma on it.
func onlyOne(t *testing.T, s *Store, pragma string) {
	t.Helper()
	s.db.SetMaxOpenConns(1)
	_ = must[sql.Result](t)(s.db.ExecContext(t.Context(), pragma))
}

func TestFullDisk(t *testing.T) {
	s, ctx := openNew(t), t.Context()
	p := addPasscard(t, s, "ada")
	onlyOne(t, s, "PRAGMA max_page_count = 1") // SQLite takes the present size
	err := s.PutSecret(ctx, p.ID, KindCookies, secret.New(strings.Repeat("EXAMPLE", 10000)))
	if !errors.Is(err, ErrStorage) || !strings.Contains(HintOf(err), "free some space") {
		t.Errorf("PutSecret: %v (hint %q)", err, HintOf(err))
	}
	if kinds := must[[]Kind](t)(s.Kinds(ctx, p.ID)); len(kinds) != 0 {
		t.Error("half a change is there")
	}
	onlyOne(t, s, "PRAGMA max_page_count = 100000")
	ok(t, s.PutSecret(ctx, p.ID, KindCookies, secret.New(strings.Repeat("EXAMPLE", 10000))))
}

// TestACommitThatFails has SQLite take the change back at the last moment: nobody
// is answered by it, and what it had done is done again.
func TestACommitThatFails(t *testing.T) {
	st := newState(t)
	s, ctx := st.open(t), t.Context()
	rot := addROT(t, s, addPasscard(t, s, "ada").ID, "").ID
	rotate(t, s, rot, "t1", "npm_EXAMPLE1")
	ok(t, s.AddLog(ctx, LogEntry{Kind: LogRead, ROT: rot}))
	st.clock.advance(DefaultLogLimits.Age + time.Hour)
	commits := func(do bool) {
		t.Helper()
		s.db.SetMaxOpenConns(1)
		conn := must[*sql.Conn](t)(s.db.Conn(ctx))
		defer conn.Close()
		ok(t, conn.Raw(func(c any) error {
			c.(interface{ RegisterCommitHook(func() int) }).RegisterCommitHook(func() int { return map[bool]int{false: 1}[do] })
			return nil
		}))
	}
	commits(false)
	if err := s.Withdraw(ctx, rot, nil); err == nil {
		t.Error("it was committed")
	}
	if _, v, err := s.Current(ctx, rot); err != nil || v.Reveal() != "npm_EXAMPLE1" {
		t.Errorf("the value: %v", err)
	}
	if err := s.AddLog(ctx, LogEntry{Kind: LogRefused}); err == nil {
		t.Error("it was committed")
	}
	commits(true)
	ok(t, s.AddLog(ctx, LogEntry{Kind: LogRefused}))
	for _, e := range lastLog(t, s, LogQuery{}) {
		if e.Kind == LogRead {
			t.Error("what is too old is still there")
		}
	}
	ok(t, s.Withdraw(ctx, rot, nil))
	if _, _, err := s.Current(ctx, rot); !errors.Is(err, ErrNoValue) {
		t.Errorf("after the withdrawal: %v", err)
	}
}

func TestReadOnlyDisk(t *testing.T) {
	s, ctx := openNew(t), t.Context()
	p := addPasscard(t, s, "ada")
	r := addROT(t, s, p.ID, "")
	rotate(t, s, r.ID, "t1", "npm_EXAMPLE")
	onlyOne(t, s, "PRAGMA query_only = ON")
	_, err := s.Plan(ctx, r.ID, called("t2"))
	if !errors.Is(err, ErrStorage) || HintOf(err) == "" {
		t.Errorf("Plan: %v (hint %q)", err, HintOf(err))
	}
	if _, _, err := s.Current(ctx, r.ID); err != nil {
		t.Errorf("the value cannot be read: %v", err)
	}
}

func TestCancelledContext(t *testing.T) {
	s := openNew(t)
	p := addPasscard(t, s, "ada")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.AddROT(ctx, ROT{Passcard: p.ID}); !errors.Is(err, context.Canceled) {
		t.Errorf("AddROT: %v", err)
	}
	if _, err := s.ROTs(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ROTs: %v", err)
	}
	s.writing <- struct{}{} // somebody writes
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := s.AddROT(ctx, ROT{Passcard: p.ID}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("AddROT behind another writer: %v", err)
	}
	<-s.writing
	if n := len(must[[]ROT](t)(s.ROTs(t.Context()))); n != 0 {
		t.Errorf("%d ROTs", n)
	}
}

// TestReadersSeeWholeRotations rotates one ROT in a row while others read it:
// every read answers a generation with its own value, none ever goes back.
func TestReadersSeeWholeRotations(t *testing.T) {
	s, ctx := openNew(t), t.Context()
	r := addROT(t, s, addPasscard(t, s, "ada").ID, "")
	value := func(n int) string { return fmt.Sprintf("npm_%dEXAMPLE", n) }
	rotate(t, s, r.ID, "t1", value(1))
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			last := 0
			for {
				g, v, err := s.Current(ctx, r.ID)
				if err != nil || v.Reveal() != value(g.N) || g.N < last {
					t.Errorf("generation %d after %d: %v", g.N, last, err)
					return
				}
				last = g.N
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for n := 2; n <= 30; n++ {
		rotate(t, s, r.ID, fmt.Sprintf("t%d", n), value(n))
	}
	close(done)
	readers.Wait()
}

func TestWritersTakeTurns(t *testing.T) {
	s, ctx := openNew(t), t.Context()
	p := addPasscard(t, s, "ada")
	r := addROT(t, s, p.ID, "")
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := range 10 {
				if _, err := s.Plan(ctx, r.ID, called(fmt.Sprintf("t-%d-%d", w, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	all := must[[]Generation](t)(s.Generations(ctx, r.ID))
	for i, g := range all {
		if g.N != i+1 {
			t.Fatalf("generation %d has number %d", i+1, g.N)
		}
	}
	if len(all) != 80 {
		t.Errorf("%d generations", len(all))
	}
}

// killedWriter marks the copy of this test binary that writes until it is
// killed. It holds the directories of the state and of the key.
const killedWriter = "ROTD_TEST_KILLED_WRITER"

// TestKilledStoreKeepsWhatItAcknowledged kills a process with SIGKILL while it
// opens a state and rotates, again and again on the same state.
func TestKilledStoreKeepsWhatItAcknowledged(t *testing.T) {
	if dirs := os.Getenv(killedWriter); dirs != "" {
		writeUntilKilled(t, dirs)
		return
	}
	st := newState(t)
	served := 0
	for round := range 8 {
		served = max(served, acknowledged(t, st, round))
		s := st.open(t)
		ref := must[[]ROT](t)(s.ROTs(t.Context()))
		if len(ref) == 0 {
			if served > 0 {
				t.Fatal("the ROT is gone")
			}
			ok(t, s.Close())
			continue
		}
		g, v, err := s.Current(t.Context(), ref[0].ID)
		named := "" // as the generation is that is served
		for _, of := range must[[]Generation](t)(s.Generations(t.Context(), ref[0].ID, StepCurrent)) {
			named = of.TokenName
		}
		if served > 0 && (err != nil || g.N < served || v.Reveal() != "npm_"+named) {
			t.Fatalf("round %d: generation %d was acknowledged, %d is served: %v", round, served, g.N, err)
		}
		ok(t, s.Close())
	}
	if served == 0 {
		t.Error("no round came as far as a rotation")
	}
}

// acknowledged runs a writer, kills it after some of its lines, and returns the
// last generation that it called current.
func acknowledged(t *testing.T, st state, lines int) (last int) {
	t.Helper()
	cmd := exec.Command(must[string](t)(os.Executable()), "-test.run=^TestKilledStoreKeepsWhatItAcknowledged$")
	cmd.Env = append(os.Environ(), killedWriter+"="+st.dir+":"+string(st.keys))
	out, err := cmd.StdoutPipe()
	ok(t, err)
	ok(t, cmd.Start())
	defer cmd.Wait()
	scanner := bufio.NewScanner(out)
	for range lines {
		if !scanner.Scan() {
			t.Fatalf("the writer ended by itself: %v", scanner.Err())
		}
		if _, err := fmt.Sscanf(scanner.Text(), "current %d", &last); err != nil {
			t.Fatalf("the writer says %q", scanner.Text())
		}
	}
	ok(t, cmd.Process.Kill())
	for scanner.Scan() { // what it said before it died counts
		_, _ = fmt.Sscanf(scanner.Text(), "current %d", &last)
	}
	return last
}

func writeUntilKilled(t *testing.T, dirs string) {
	dir, key, _ := strings.Cut(dirs, ":")
	s, err := Open(t.Context(), dir, keyFile(key), Options{})
	ok(t, err)
	rots := must[[]ROT](t)(s.ROTs(t.Context()))
	if len(rots) == 0 {
		passcards := must[[]Passcard](t)(s.Passcards(t.Context()))
		if len(passcards) == 0 {
			passcards = append(passcards, addPasscard(t, s, "ada"))
		}
		rots = append(rots, addROT(t, s, passcards[0].ID, ""))
	}
	for {
		name := fmt.Sprintf("t-%d-%d-EXAMPLE", os.Getpid(), time.Now().UnixNano())
		g := rotate(t, s, rots[0].ID, name, "npm_"+name)
		fmt.Printf("current %d\n", g.N)
	}
}
