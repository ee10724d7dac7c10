package store

import (
	"fmt"
	"testing"
	"time"

	"rotd/ipc/secret"
)

// filled is a store with n ROTs that each serve a value.
func filled(b *testing.B, n int) (*Store, []string) {
	b.Helper()
	s := openNew(b)
	p := addPasscard(b, s, "ada").ID
	tx, err := s.db.Begin() // one transaction: 10 000 real rotations take minutes
	ok(b, err)
	defer tx.Rollback()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = must[string](b)(s.newID(prefixROT))
		_, err := tx.Exec(`INSERT INTO rots (id, passcard, name, shape, current, created, failures) VALUES (?, ?, ?, '{}', 1, 0, 0)`, ids[i], p, fmt.Sprintf("rot-%d", i))
		ok(b, err)
		_, err = tx.Exec(`INSERT INTO generations (rot, n, token_name, key, step, sealed, planned, changed) VALUES (?, 1, ?, 'k', 'current', ?, 0, 0)`,
			ids[i], "token-"+ids[i], s.seals.seal(generationPlace(ids[i], 1), secret.New("npm_0123456789012345678901234567EXAMPLE")))
		ok(b, err)
	}
	ok(b, tx.Commit())
	return s, ids
}

var sizes = []int{10, 10_000}

func BenchmarkCurrent(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("ROTs=%d", n), func(b *testing.B) {
			s, ids := filled(b, n)
			i := 0
			for b.Loop() {
				if _, _, err := s.Current(b.Context(), ids[i%n]); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

func BenchmarkResolveName(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("ROTs=%d", n), func(b *testing.B) {
			s, _ := filled(b, n)
			i := 0
			for b.Loop() {
				if _, err := s.Resolve(b.Context(), fmt.Sprintf("rot-%d", i%n)); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

func BenchmarkMakeCurrent(b *testing.B) {
	s, ids := filled(b, 10)
	i := 0
	for b.Loop() {
		b.StopTimer()
		g := must[Generation](b)(s.Plan(b.Context(), ids[0], called(fmt.Sprintf("t%d", i))))
		ok(b, s.Created(b.Context(), ids[0], g.N, "k", secret.New("npm_EXAMPLE"), s.stamp(), time.Time{}))
		ok(b, s.Advance(b.Context(), ids[0], g.N, StepCreated, StepVerified))
		b.StartTimer()
		ok(b, s.MakeCurrent(b.Context(), ids[0], g.N, time.Time{}, Shape{}))
		i++
	}
}

func BenchmarkOpen(b *testing.B) {
	st := newState(b)
	ok(b, st.open(b).Close())
	for b.Loop() {
		s, err := Open(b.Context(), st.dir, st.keys, Options{})
		ok(b, err)
		ok(b, s.Close())
	}
}
