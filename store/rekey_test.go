package store

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// rekeyEnv makes this test binary one that changes the key of a state and kills
// itself after a step: "DIR FROM TO STEP".
const rekeyEnv = "ROTD_TEST_REKEY"

func TestMain(m *testing.M) {
	if f := strings.Fields(os.Getenv(rekeyEnv)); len(f) == 4 {
		_, _ = rekey(context.Background(), f[0], keyFile(f[1]), keyFile(f[2]), Options{}, func(step string) {
			if step == f[3] {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		})
		os.Exit(3) // it came past the step
	}
	os.Exit(m.Run())
}

// TestRekeyThatIsKilled kills it after each step. The state opens with one of
// the keys, at once, and a second run brings the change to its end.
func TestRekeyThatIsKilled(t *testing.T) {
	for _, c := range []struct {
		to    string
		steps []string
	}{
		{"key", []string{"made", "resealed", "promoted"}},
		{"elsewhere", []string{"made", "resealed", "dropped"}},
	} {
		for _, step := range c.steps {
			t.Run(c.to+" "+step, func(t *testing.T) {
				st, s, _ := backedUp(t)
				ok(t, s.Close())
				to := keyFile(filepath.Join(filepath.Dir(string(st.keys)), c.to))
				before := string(readFile(t, string(st.keys)))
				cmd := exec.Command(os.Args[0])
				cmd.Env = []string{rekeyEnv + "=" + strings.Join([]string{st.dir, string(st.keys), string(to), step}, " ")}
				var exit *exec.ExitError
				if err := cmd.Run(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("it was not killed: %v", err)
				}

				opens := 0
				for _, keys := range []keyFile{st.keys, to} {
					s, err := Open(t.Context(), st.dir, keys, Options{})
					if err != nil {
						continue
					}
					opens++
					if got := valueOf(t, s, "ci"); got != "npm_first_EXAMPLE" {
						t.Errorf("it serves %q", got)
					}
					ok(t, s.Close())
				}
				if opens == 0 {
					t.Fatal("no key opens the state")
				}
				if step != "promoted" && step != "dropped" || c.to != "key" {
					_ = must[bool](t)(Rekey(t.Context(), st.dir, st.keys, to, Options{}))
				}
				st.keys = to
				if got := valueOf(t, st.open(t), "ci"); got != "npm_first_EXAMPLE" {
					t.Errorf("in the end it serves %q", got)
				}
				files, _ := filepath.Glob(filepath.Dir(string(to)) + "/key*")
				for _, f := range files {
					if string(readFile(t, f)) == before {
						t.Errorf("the old key is still in %s", f)
					}
				}
			})
		}
	}
}

func TestRekeyInTheKeyring(t *testing.T) {
	ring := newFakeRing()
	keys := keyringSource{ring, keyringPatience}
	dir := filepath.Join(t.TempDir(), "state")
	s := must[*Store](t)(Open(t.Context(), dir, keys, Options{}))
	addROT(t, s, addPasscard(t, s, "ada").ID, "ci")
	rotate(t, s, must[Ref](t)(s.Resolve(t.Context(), "ci")).ID, "first", "npm_first_EXAMPLE")
	ok(t, s.Close())
	before := must[Key](t)(keys.Load(t.Context(), accountOf(t, ring)))

	// Cut off after the commit: the next start finds the second slot's key.
	func() {
		defer func() { _ = recover() }()
		_, _ = rekey(t.Context(), dir, keys, keys, Options{}, func(step string) {
			if step == "resealed" {
				panic("cut off")
			}
		})
	}()
	if len(ring.kept) != 2 {
		t.Fatalf("the keyring has %d keys", len(ring.kept))
	}
	s = must[*Store](t)(Open(t.Context(), dir, keys, Options{}))
	if got := valueOf(t, s, "ci"); got != "npm_first_EXAMPLE" {
		t.Errorf("it serves %q", got)
	}
	ok(t, s.Close())
	after := must[Key](t)(keys.Load(t.Context(), accountOf(t, ring)))
	if before.reveal() == after.reveal() || len(ring.kept) != 1 {
		t.Errorf("the keyring has %d keys, the old one among them: %v", len(ring.kept), before.reveal() == after.reveal())
	}

	// And from there to a file.
	to := keyFile(filepath.Join(t.TempDir(), "key"))
	if removed := must[bool](t)(Rekey(t.Context(), dir, keys, to, Options{})); !removed || len(ring.kept) != 0 {
		t.Errorf("the keyring still has %d keys", len(ring.kept))
	}
	s = must[*Store](t)(Open(t.Context(), dir, to, Options{}))
	if got := valueOf(t, s, "ci"); got != "npm_first_EXAMPLE" {
		t.Errorf("it serves %q", got)
	}
	ok(t, s.Close())
}

// accountOf is the one account of a keyring.
func accountOf(t *testing.T, ring *fakeRing) string {
	t.Helper()
	for name := range ring.kept {
		return strings.TrimPrefix(name, keyringService+"/")
	}
	t.Fatal("the keyring is empty")
	return ""
}

// TestRekeyToTheSamePlaceUnderAnotherName must not remove the key it has just
// sealed everything under.
func TestRekeyToTheSamePlaceUnderAnotherName(t *testing.T) {
	st, s, _ := backedUp(t)
	ok(t, s.Close())
	same := keyFile(filepath.Dir(string(st.keys)) + "/./key")
	if _, err := Rekey(t.Context(), st.dir, st.keys, same, Options{}); err == nil || HintOf(err) == "" {
		t.Errorf("Rekey: %v", err)
	}
	if got := valueOf(t, st.open(t), "ci"); got != "npm_first_EXAMPLE" {
		t.Errorf("it serves %q", got)
	}
}

func TestRekeyOfWhatRotdCannotWrite(t *testing.T) {
	st, s, _ := backedUp(t)
	ok(t, s.Close())
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	ok(t, os.WriteFile(filepath.Join(dir, "k"), readFile(t, string(st.keys)), 0o600))
	if _, err := Rekey(t.Context(), st.dir, credential("k"), credential("k"), Options{}); err == nil || HintOf(err) == "" {
		t.Errorf("in place: %v", err)
	}
	to := keyFile(filepath.Join(t.TempDir(), "key"))
	if removed := must[bool](t)(Rekey(t.Context(), st.dir, credential("k"), to, Options{})); removed {
		t.Error("a credential was removed")
	}
	st.keys = to
	_ = valueOf(t, st.open(t), "ci")

	link := keyFile(filepath.Join(t.TempDir(), "link"))
	ok(t, os.Symlink(string(to), string(link)))
	if _, err := Rekey(t.Context(), st.dir, link, link, Options{}); err == nil || HintOf(err) == "" {
		t.Errorf("a link: %v", err)
	}
}

// TestNothingStaysSealedUnderTheOldKey looks at the files themselves, and at
// every column that could hold something sealed.
func TestNothingStaysSealedUnderTheOldKey(t *testing.T) {
	st, s, _ := backedUp(t)
	var sealed []byte
	ok(t, s.db.QueryRow(`SELECT sealed FROM generations WHERE sealed IS NOT NULL`).Scan(&sealed))
	ok(t, s.Close())
	_ = must[bool](t)(Rekey(t.Context(), st.dir, st.keys, st.keys, Options{}))
	for name := range snapshot(t, st.dir) {
		if strings.Contains(string(readFile(t, filepath.Join(st.dir, name))), string(sealed)) {
			t.Errorf("%s has a value sealed under the old key", name)
		}
	}
	known := map[string]bool{"meta.key_check": true, "passcard_secrets.sealed": true, "generations.sealed": true,
		"access_tokens.hash": true} // not sealed
	scan := func(from row) (s string, err error) { return s, from.Scan(&s) }
	blobs := must[[]string](t)(list(t.Context(), st.open(t).db, "read the schema", scan,
		`SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.type = 'BLOB'`))
	for _, b := range blobs {
		if !known[b] {
			t.Errorf("%s may be sealed: have everySealed list it, or say here that it is not", b)
		}
	}
}
