package store

import (
	"bytes"
	"database/sql"
	"errors"
	"testing"
	"testing/quick"

	"rotd/ipc/secret"
)

func testSealer(t testing.TB) sealer {
	return must[sealer](t)(newSealer(must[Key](t)(NewKey(bytes.Repeat([]byte{7}, keySize)))))
}

func TestSealedOpensAtItsPlaceOnly(t *testing.T) {
	s := testSealer(t)
	roundTrip := func(p1, p2 struct{ Table, Row, Column string }, text string) bool {
		a, b := place{p1.Table, p1.Row, p1.Column}, place{p2.Table, p2.Row, p2.Column}
		sealed := s.seal(a, secret.New(text))
		back, err := s.open(a, sealed)
		if err != nil || back.Reveal() != text || (len(text) > 8 && bytes.Contains(sealed, []byte(text))) {
			return false
		}
		_, err = s.open(b, sealed)
		return a == b || errors.Is(err, ErrSealed)
	}
	if err := quick.Check(roundTrip, nil); err != nil {
		t.Error(err)
	}
}

// TestPlacesAreUnambiguous: what is cut between table, row and column counts.
func TestPlacesAreUnambiguous(t *testing.T) {
	s := testSealer(t)
	sealed := s.seal(place{"ab", "c", "d"}, secret.New("x"))
	for _, p := range []place{{"a", "bc", "d"}, {"abc", "", "d"}, {"ab", "cd", ""}, {"", "abc", "d"}, {"ab", "d", "c"}} {
		if _, err := s.open(p, sealed); !errors.Is(err, ErrSealed) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

func TestEveryBitOfASealedValueCounts(t *testing.T) {
	s, p := testSealer(t), place{"t", "r", "c"}
	sealed := s.seal(p, secret.New("npm_EXAMPLE"))
	for i := range len(sealed) * 8 {
		flipped := bytes.Clone(sealed)
		flipped[i/8] ^= 1 << (i % 8)
		if _, err := s.open(p, flipped); !errors.Is(err, ErrSealed) {
			t.Errorf("bit %d: %v", i, err)
		}
	}
	for n := range len(sealed) {
		if _, err := s.open(p, sealed[:n]); !errors.Is(err, ErrSealed) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}

func TestNoNonceComesTwice(t *testing.T) {
	s, seen := testSealer(t), map[string]bool{}
	for range 1000 {
		nonce := string(s.seal(place{"t", "r", "c"}, secret.New("x"))[1:25])
		if seen[nonce] {
			t.Fatal("a nonce came twice")
		}
		seen[nonce] = true
	}
}

// TestMovedRowsDoNotOpen moves sealed values about in the database itself, as
// somebody who can write to the file and does not have the key.
func TestMovedRowsDoNotOpen(t *testing.T) {
	s := openNew(t)
	ctx := t.Context()
	ada, bob := addPasscard(t, s, "ada"), addPasscard(t, s, "bob")
	ok(t, s.PutSecret(ctx, ada.ID, KindPassword, secret.New("ada-EXAMPLE")))
	ok(t, s.PutSecret(ctx, ada.ID, KindSession, secret.New("ada-session-EXAMPLE")))
	ok(t, s.PutSecret(ctx, bob.ID, KindPassword, secret.New("bob-EXAMPLE")))
	r1, r2 := addROT(t, s, ada.ID, "one"), addROT(t, s, ada.ID, "two")
	rotate(t, s, r1.ID, "t1", "npm_oneEXAMPLE")
	rotate(t, s, r2.ID, "t2", "npm_twoEXAMPLE")
	rotate(t, s, r2.ID, "t3", "npm_threeEXAMPLE")

	secretOf := `(SELECT sealed FROM passcard_secrets WHERE passcard = '` + ada.ID + `' AND kind = 'password')`
	valueOf := `(SELECT sealed FROM generations WHERE rot = '` + r1.ID + `' AND n = 1)`
	moves := []struct {
		name, update string
		read         func() error
	}{
		{"to another passcard", `UPDATE passcard_secrets SET sealed = ` + secretOf + ` WHERE passcard = '` + bob.ID + `'`,
			func() error { _, err := s.Secret(ctx, bob.ID, KindPassword); return err }},
		{"to another kind", `UPDATE passcard_secrets SET sealed = ` + secretOf + ` WHERE kind = 'session'`,
			func() error { _, err := s.Secret(ctx, ada.ID, KindSession); return err }},
		{"to another ROT", `UPDATE generations SET sealed = ` + valueOf + ` WHERE rot = '` + r2.ID + `' AND n = 2`,
			func() error { _, _, err := s.Current(ctx, r2.ID); return err }},
		{"to another table", `UPDATE generations SET sealed = ` + secretOf + ` WHERE rot = '` + r1.ID + `' AND n = 1`,
			func() error { _, err := s.Value(ctx, r1.ID, 1); return err }},
		{"nothing at all", `UPDATE passcard_secrets SET sealed = x'' WHERE kind = 'password'`,
			func() error { _, err := s.Secret(ctx, ada.ID, KindPassword); return err }},
	}
	for _, m := range moves {
		ok(t, m.read())
		ok(t, s.change(ctx, "move", func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, m.update)
			return err
		}))
		if err := m.read(); !errors.Is(err, ErrSealed) || HintOf(err) == "" {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

func FuzzOpenSealed(f *testing.F) {
	s, p := testSealer(f), place{"t", "r", "c"}
	// A fixed nonce, as the fuzzer's workers have to agree on what is genuine.
	nonce := bytes.Repeat([]byte{9}, s.aead.NonceSize())
	genuine := s.aead.Seal(append([]byte{sealVersion}, nonce...), nonce, []byte("npm_EXAMPLE"), p.additionalData())
	f.Add(genuine)
	f.Add([]byte{})
	f.Add([]byte{sealVersion})
	f.Add(bytes.Repeat([]byte{sealVersion}, 41))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		v, err := s.open(p, sealed)
		if bytes.Equal(sealed, genuine) {
			ok(t, err)
			return
		}
		if !errors.Is(err, ErrSealed) || !v.IsZero() {
			t.Errorf("a forged value: %v", err)
		}
	})
}
