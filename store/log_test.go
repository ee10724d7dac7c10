package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rotd/ipc/secret"
)

// kinds are the entries' kinds and generations: "rotated 1".
func kinds(entries []LogEntry) string {
	var words []string
	for _, e := range entries {
		words = append(words, fmt.Sprintf("%s %d", e.Kind, e.Generation))
	}
	return strings.Join(words, ", ")
}

func lastLog(t testing.TB, s *Store, q LogQuery) []LogEntry {
	t.Helper()
	q.After = -1
	if q.Limit == 0 {
		q.Limit = 100
	}
	return must[[]LogEntry](t)(s.Log(t.Context(), q))
}

func TestTheLogTellsWhatBecameOfTokens(t *testing.T) {
	s := openNew(t)
	ctx := t.Context()
	rot := addROT(t, s, addPasscard(t, s, "ada").ID, "ci").ID
	const value = "npm_0123456789012345678901234567EXAMPLE"
	rotate(t, s, rot, "one", value)
	rotate(t, s, rot, "two", value+"2")
	g := must[Generation](t)(s.Plan(ctx, rot, called("three")))
	ok(t, s.Advance(ctx, rot, g.N, StepPlanned, StepAbandoned))
	ok(t, s.SetTrouble(ctx, rot, Trouble{Code: "refused", Message: "npm said no"}, 1, time.Time{}))
	ok(t, s.SetTrouble(ctx, rot, Trouble{Code: "refused", Message: "npm said no"}, 1, time.Time{})) // put off
	ok(t, s.SetTrouble(ctx, rot, Trouble{}, 0, time.Time{}))
	uid := uint32(7)
	ok(t, s.Withdraw(ctx, rot, &uid))

	log := lastLog(t, s, LogQuery{})
	if got, want := kinds(log), "rotated 1, rotated 2, revoked 1, undone 3, failed 0, withdrawn 2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if d := log[0].Detail; !strings.HasPrefix(d, "fingerprint ") || len(d) != len("fingerprint 01234567, one") {
		t.Errorf("the detail of a rotation is %q", d)
	}
	if u := log[5].UID; u == nil || *u != 7 || log[0].UID != nil {
		t.Errorf("who: %v and %v", u, log[0].UID)
	}
	for _, e := range log {
		if strings.Contains(fmt.Sprintf("%+v", e), value) {
			t.Errorf("a value: %+v", e)
		}
	}
}

func TestFingerprint(t *testing.T) {
	if got := Fingerprint(secret.New("npm_0123456789012345678901234567EXAMPLE")); len(got) != 8 {
		t.Errorf("got %q", got)
	}
	if got := Fingerprint(secret.New("short-EXAMPLE")); got != "" {
		t.Errorf("a text that can be tried out has the fingerprint %q", got)
	}
}

// TestLogPages reads 25 entries of two ROTs and a passcard in pages of every
// size, from the beginning and from the end.
func TestLogPages(t *testing.T) {
	s := openNew(t)
	p := addPasscard(t, s, "ada").ID
	a, b := addROT(t, s, p, "a").ID, addROT(t, s, p, "b").ID
	for i := range 25 {
		e := LogEntry{Kind: LogRead, ROT: a, Generation: i}
		switch i % 5 {
		case 1:
			e.ROT = b
		case 2:
			e = LogEntry{Kind: LogConnected, Passcard: p, Generation: i}
		case 3:
			e = LogEntry{Kind: LogConnected, Passcard: "pas_other", Generation: i}
		}
		ok(t, s.AddLog(t.Context(), e))
	}
	of := map[string]LogQuery{"all": {}, "a ROT": {ROT: a}, "a passcard": {Passcard: p}}
	for name, q := range of {
		whole := lastLog(t, s, q)
		if want := map[string]int{"all": 25, "a ROT": 10, "a passcard": 20}[name]; len(whole) != want {
			t.Errorf("%s: %d entries, want %d", name, len(whole), want)
		}
		for limit := 1; limit < 30; limit++ {
			q.Limit, q.After = limit, 0
			var paged []LogEntry
			for {
				page := must[[]LogEntry](t)(s.Log(t.Context(), q))
				if len(page) == 0 {
					break
				}
				if len(page) > limit {
					t.Fatalf("%s: a page of %d, asked for %d", name, len(page), limit)
				}
				paged = append(paged, page...)
				q.After = page[len(page)-1].ID
			}
			if diff := cmp.Diff(whole, paged); diff != "" {
				t.Fatalf("%s in pages of %d: %s", name, limit, diff)
			}
			if last := lastLog(t, s, q); kinds(last) != kinds(whole[max(0, len(whole)-limit):]) {
				t.Errorf("%s, the last %d: %s", name, limit, kinds(last))
			}
		}
	}
}

func TestOldReadsArePruned(t *testing.T) {
	st := newState(t)
	s := st.open(t)
	many := func(kind string, n int) {
		for range n {
			ok(t, s.AddLog(t.Context(), LogEntry{Kind: kind, ROT: "rot_x"}))
		}
	}
	many(LogRead, 30)
	many(LogRotated, 5)
	many(LogRefused, 3)
	st.clock.advance(80 * 24 * time.Hour)
	many(LogRead, 2)
	if n := len(lastLog(t, s, LogQuery{})); n != 40 {
		t.Fatalf("%d entries before anything is old", n)
	}
	st.clock.advance(20 * 24 * time.Hour)
	many(LogRead, 1)
	log := lastLog(t, s, LogQuery{})
	reads := slices.DeleteFunc(slices.Clone(log), func(e LogEntry) bool { return e.Kind != LogRead })
	if len(log) != 8 || len(reads) != 3 {
		t.Errorf("left: %s", kinds(log))
	}
}

func TestTooManyEntriesArePruned(t *testing.T) {
	s := openNew(t)
	fillLog(t, s, 1, logStep)
	fillLog(t, s, int(DefaultLogLimits.Most)+10, 3)
	ok(t, s.AddLog(t.Context(), LogEntry{Kind: LogRotated}))
	log := lastLog(t, s, LogQuery{Limit: 2 * logStep})
	if len(log) != logStep-13+3+1 || log[0].ID != 14 {
		t.Errorf("%d left, from %d", len(log), log[0].ID)
	}
}

// TestTheLogIsLimitedAsTold: to fewer entries and a shorter time, and however
// many come at once.
func TestTheLogIsLimitedAsTold(t *testing.T) {
	st := newState(t)
	s := st.open(t)
	ids := func() (first, last int64) {
		log := lastLog(t, s, LogQuery{Limit: 100_000})
		return log[0].ID, log[len(log)-1].ID
	}
	s.LimitLog(LogLimits{Age: 24 * time.Hour, Most: 1000})
	batch := make([]LogEntry, 3*logStep)
	for i := range batch {
		batch[i] = LogEntry{Kind: LogRead, ROT: "rot_x"}
	}
	for range 4 {
		ok(t, s.AddLog(t.Context(), batch...))
	}
	if first, last := ids(); last != 6000 || first != 5001 {
		t.Errorf("of 6000 entries those from %d to %d are kept", first, last)
	}
	st.clock.advance(25 * time.Hour)
	for range 4 {
		ok(t, s.AddLog(t.Context(), LogEntry{Kind: LogRead, ROT: "rot_x"}))
	}
	if first, last := ids(); first != 6001 || last != 6004 {
		t.Errorf("a day later those from %d to %d are kept", first, last)
	}
}

// fillLog writes n reads from the given id on, of 100 ROTs.
func fillLog(t testing.TB, s *Store, from, n int) {
	t.Helper()
	_, err := s.db.Exec(`WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n + 1 < ?)
		INSERT INTO log (id, at, kind, rot, generation, uid) SELECT ? + n, ?, 'read', 'rot_' || (n % 100), 1, 0 FROM i`,
		n, from, s.now().UnixMicro())
	ok(t, err)
}

// TestTheFirstPageOfALongLog holds each kind of page to the query plan that
// reads no more than it returns, whatever the log's length.
func TestTheFirstPageOfALongLog(t *testing.T) {
	s := openNew(t)
	for where, want := range map[string]string{
		`TRUE`:                        "USING INTEGER PRIMARY KEY",
		`rot = 'rot_1'`:               "USING INDEX log_rot",
		`rot = '' AND passcard = 'p'`: "USING INDEX log_rot",
	} {
		for _, order := range []string{"id", "id DESC"} {
			scan := func(from row) (plan string, err error) {
				var a, b, c int
				return plan, from.Scan(&a, &b, &c, &plan)
			}
			plan := strings.Join(must[[]string](t)(list(t.Context(), s.db, "explain", scan,
				`EXPLAIN QUERY PLAN SELECT detail FROM log WHERE id > -1 AND `+where+` ORDER BY `+order+` LIMIT 50`)), "; ")
			if !strings.Contains(plan, want) || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("%s by %s: %s", where, order, plan)
			}
		}
	}
}

func BenchmarkFirstPageOfLog(b *testing.B) {
	s := openNew(b)
	fillLog(b, s, 1, 3_000_000)
	for name, q := range map[string]LogQuery{"all": {}, "ROT": {ROT: "rot_42"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				lastLog(b, s, q)
			}
		})
	}
}
