package store

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rotd/ipc/secret"
)

// TestNoSecretIsInPlainText leads a whole life and looks for every secret in
// every file of the state, while it is open, after a crash and after Close.
func TestNoSecretIsInPlainText(t *testing.T) {
	st := newState(t)
	s, ctx := st.open(t), t.Context()
	p := addPasscard(t, s, "ada")
	r := addROT(t, s, p.ID, "deploy")
	secrets := []string{string(bytes.TrimSpace(readFile(t, string(st.keys))))}
	raw := must[Key](t)(st.keys.Load(ctx, "")).reveal()
	secrets = append(secrets, string(raw[:]), keyCheckText)
	put := func(k Kind, v string) {
		secrets = append(secrets, v)
		ok(t, s.PutSecret(ctx, p.ID, k, secret.New(v)))
	}
	for _, k := range []Kind{KindPassword, KindTOTP, KindPasskey, KindSession, KindCookies} {
		put(k, "first-"+string(k)+"-EXAMPLE")
		put(k, "second-"+string(k)+"-EXAMPLE")
	}
	ok(t, s.PutSecret(ctx, p.ID, KindPassword, secret.Text{}))
	for _, name := range []string{"t1", "t2", "t3"} {
		value := "npm_" + name + "EXAMPLE"
		secrets = append(secrets, value)
		rotate(t, s, r.ID, name, value)
		if _, v, err := s.Current(ctx, r.ID); err != nil || v.Reveal() != value {
			t.Fatalf("Current: %v", err)
		}
		grepFor(t, st.dir, secrets)
	}
	g := must[Generation](t)(s.Plan(ctx, r.ID, called("t4")))
	ok(t, s.Created(ctx, r.ID, g.N, "k4", secret.New("npm_t4EXAMPLE"), s.stamp(), time.Time{}))
	secrets = append(secrets, "npm_t4EXAMPLE")

	grepFor(t, crashedCopy(t, st.dir), secrets)
	ok(t, s.Close())
	grepFor(t, st.dir, secrets)
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if _, err := os.Stat(filepath.Join(st.dir, "rotd.db"+suffix)); err == nil {
			t.Errorf("rotd.db%s is there after Close", suffix)
		}
	}
}

// TestForgottenValuesAreGone: even sealed, a value that was forgotten is in no
// file any more.
func TestForgottenValuesAreGone(t *testing.T) {
	st := newState(t)
	s, ctx := st.open(t), t.Context()
	p := addPasscard(t, s, "ada")
	r := addROT(t, s, p.ID, "")
	sealed := func(query string, args ...any) string {
		t.Helper()
		var b []byte
		ok(t, s.db.QueryRowContext(ctx, query, args...).Scan(&b))
		return string(b)
	}
	const ofPasscard = `SELECT sealed FROM passcard_secrets WHERE kind = ?`
	long := secret.New(string(bytes.Repeat([]byte("EXAMPLE"), 2000))) // fills pages of its own
	var gone []string
	for _, k := range []Kind{KindPassword, KindCookies} {
		for range 2 {
			ok(t, s.PutSecret(ctx, p.ID, k, long))
			gone = append(gone, sealed(ofPasscard, k))
		}
		ok(t, s.PutSecret(ctx, p.ID, k, secret.Text{}))
	}
	for i, end := range []Step{StepAbandoned, StepAbandoned} {
		n := at(t, s, r.ID, "t"+string(rune('a'+i)), StepDiscarding)
		gone = append(gone, sealed(`SELECT sealed FROM generations WHERE n = ?`, n))
		ok(t, s.Advance(ctx, r.ID, n, StepDiscarding, end))
	}
	// A long value is cut up over pages: its middle is in one piece.
	for i, g := range gone {
		gone[i] = g[len(g)/2 : len(g)/2+20]
	}
	grepFor(t, st.dir, gone)
	if wal := readFile(t, filepath.Join(st.dir, "rotd.db-wal")); len(wal) != 0 {
		t.Errorf("the WAL has %d bytes after a value was forgotten", len(wal))
	}
}

func grepFor(t *testing.T, dir string, secrets []string) {
	t.Helper()
	files := 0
	ok(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		content := readFile(t, path)
		for i, s := range secrets {
			if bytes.Contains(content, []byte(s)) {
				t.Errorf("secret %d is in %s", i, filepath.Base(path))
			}
		}
		return nil
	}))
	if files == 0 {
		t.Errorf("there is nothing in %s", dir)
	}
}

// TestReadingWritesNothing: the path of `rot get`.
func TestReadingWritesNothing(t *testing.T) {
	st := newState(t)
	s, ctx := st.open(t), t.Context()
	p := addPasscard(t, s, "ada")
	r := addROT(t, s, p.ID, "deploy")
	rotate(t, s, r.ID, "t1", "npm_EXAMPLE")
	files := func() map[string][32]byte {
		all := snapshot(t, st.dir)
		delete(all, "rotd.db-shm") // memory that readers share for their locks
		return all
	}
	before := files()
	_ = must[Ref](t)(s.Resolve(ctx, "deploy"))
	_, _, err := s.Current(ctx, r.ID)
	ok(t, err)
	_ = must[[]ROT](t)(s.ROTs(ctx))
	_ = must[[]Generation](t)(s.Unfinished(ctx))
	after := files()
	for name := range after {
		if before[name] != after[name] {
			t.Errorf("reading wrote to %s", name)
		}
	}
}
