package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rotd/ipc/secret"
)

func TestEverythingIsForTheOwnerAlone(t *testing.T) {
	st := newState(t)
	s := st.open(t)
	addPasscard(t, s, "ada") // so that there is a WAL
	want := map[string]fs.FileMode{"rotd.db": 0o600, "rotd.db-wal": 0o600, "rotd.db-shm": 0o600}
	got := map[string]fs.FileMode{}
	for _, e := range must[[]fs.DirEntry](t)(os.ReadDir(st.dir)) {
		got[e.Name()] = must[fs.FileInfo](t)(e.Info()).Mode()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files of the state (-want +got):\n%s", diff)
	}
	if mode := must[fs.FileInfo](t)(os.Stat(st.dir)).Mode().Perm(); mode != 0o700 {
		t.Errorf("the directory has mode %04o", mode)
	}
	if mode := must[fs.FileInfo](t)(os.Stat(string(st.keys))).Mode().Perm(); mode != 0o600 {
		t.Errorf("the key has mode %04o", mode)
	}
}

func TestDirectoryThatOthersMayWriteToIsRefused(t *testing.T) {
	for _, mode := range []fs.FileMode{0o770, 0o702, 0o777} {
		st := newState(t)
		ok(t, os.Mkdir(st.dir, 0o700))
		ok(t, os.Chmod(st.dir, mode))
		_, err := Open(t.Context(), st.dir, st.keys, Options{})
		if err == nil || !strings.Contains(HintOf(err), "chmod 700 "+st.dir) {
			t.Errorf("mode %04o: %v (hint %q)", mode, err, HintOf(err))
		}
	}
}

func TestEmptyDirectoryIsClosedToOthers(t *testing.T) {
	st := newState(t)
	ok(t, os.Mkdir(st.dir, 0o755))
	s := must[*Store](t)(Open(t.Context(), st.dir, st.keys, Options{}))
	ok(t, s.Close())
	if mode := must[fs.FileInfo](t)(os.Stat(st.dir)).Mode().Perm(); mode != 0o700 {
		t.Errorf("the directory has mode %04o", mode)
	}
}

func TestDirectoryThatOthersCouldReadIsRefused(t *testing.T) {
	st := newState(t)
	ok(t, os.Mkdir(st.dir, 0o755))
	ok(t, os.WriteFile(filepath.Join(st.dir, "other"), nil, 0o644))
	_, err := Open(t.Context(), st.dir, st.keys, Options{})
	if err == nil || HintOf(err) != "chmod 700 "+st.dir {
		t.Errorf("Open: %v (hint %q)", err, HintOf(err))
	}
	if mode := must[fs.FileInfo](t)(os.Stat(st.dir)).Mode().Perm(); mode != 0o755 {
		t.Errorf("the directory has mode %04o now", mode)
	}
	if _, err := os.Stat(string(st.keys)); err == nil {
		t.Error("a key was made")
	}
}

// TestFilesThatOthersCouldReachAreRefused plays tricks with each file that a
// start opens. None of them is followed, and nothing is changed.
func TestFilesThatOthersCouldReachAreRefused(t *testing.T) {
	tricks := map[string]func(path string) error{
		"mode 0644":     func(path string) error { return os.Chmod(path, 0o644) },
		"a second name": func(path string) error { return os.Link(path, path+".too") },
		"a link": func(path string) error {
			return errors.Join(os.Rename(path, path+".real"), os.Symlink(path+".real", path))
		},
	}
	if os.Geteuid() == 0 {
		tricks["another owner"] = func(path string) error { return os.Chown(path, 65534, 65534) }
	}
	for _, name := range []string{"rotd.db", "rotd.db-wal", "rotd.db-shm", "key"} {
		for trick, play := range tricks {
			if name == "key" && trick == "a link" {
				continue // of ours, it may lead to the key
			}
			t.Run(name+" has "+trick, func(t *testing.T) {
				st := newState(t)
				leaveState(t, &st, true)
				path := filepath.Join(st.dir, name)
				if name == "key" {
					path = string(st.keys)
				}
				ok(t, play(path))
				before := snapshot(t, st.dir)
				s, err := Open(t.Context(), st.dir, st.keys, Options{})
				if err == nil {
					ok(t, s.Close())
				}
				if err == nil || HintOf(err) == "" || !strings.Contains(err.Error(), path) {
					t.Errorf("Open: %v (hint %q)", err, HintOf(err))
				}
				if diff := cmp.Diff(before, snapshot(t, st.dir)); diff != "" {
					t.Errorf("the refusal changed the state (-before +after):\n%s", diff)
				}
			})
		}
	}
}

func TestKeyWhereOthersCouldPutTheirsIsRefused(t *testing.T) {
	st := newState(t)
	dir := filepath.Dir(string(st.keys))
	_ = must[Key](t)(st.keys.Create(t.Context(), ""))
	ok(t, os.Chmod(dir, 0o777))
	_, err := st.keys.Load(t.Context(), "")
	if err == nil || HintOf(err) != "chmod go-w "+dir {
		t.Errorf("Load: %v (hint %q)", err, HintOf(err))
	}
	ok(t, os.Chmod(dir, 0o777|fs.ModeSticky))
	_ = must[Key](t)(st.keys.Load(t.Context(), ""))
}

// TestKeysThatPeopleMake are key files as found in the wild. Each opens a new
// state, and the same state again.
func TestKeysThatPeopleMake(t *testing.T) {
	raw := bytes.Repeat([]byte{0x20, 0xff}, keySize/2) // spaces too: they are part of it
	for name, content := range map[string][]byte{
		"raw":                raw,
		"hexadecimal":        []byte(hex.EncodeToString(raw) + "\n"),
		"base64":             []byte(base64.StdEncoding.EncodeToString(raw) + "\n"),
		"empty, as mktemp's": nil,
	} {
		t.Run(name, func(t *testing.T) {
			st := newState(t)
			ok(t, os.WriteFile(string(st.keys), content, 0o600))
			for range 2 {
				s := must[*Store](t)(Open(t.Context(), st.dir, st.keys, Options{}))
				ok(t, s.Close())
			}
			if mode := must[fs.FileInfo](t)(os.Stat(string(st.keys))).Mode().Perm(); mode != 0o600 {
				t.Errorf("the key has mode %04o", mode)
			}
		})
	}
}

func TestDirectoryOfAnotherUserIsRefused(t *testing.T) {
	st := newState(t)
	ok(t, os.Mkdir(st.dir, 0o700))
	if err := os.Chown(st.dir, 65534, 65534); err != nil {
		t.Skipf("only root can give a directory away: %v", err)
	}
	_, err := Open(t.Context(), st.dir, st.keys, Options{})
	if err == nil || !strings.Contains(err.Error(), "another user") {
		t.Errorf("Open: %v", err)
	}
}

// refusals are the ways in which a state that exists is refused. Each spoils a
// state, or the key, and names the error that Open answers.
var refusals = []struct {
	name  string
	want  error
	spoil func(t *testing.T, st state)
}{
	{"missing key", ErrKeyMissing, func(t *testing.T, st state) { ok(t, os.Remove(string(st.keys))) }},
	{"wrong key", ErrWrongKey, func(t *testing.T, st state) {
		ok(t, os.Remove(string(st.keys)))
		_ = must[Key](t)(st.keys.Create(t.Context(), ""))
	}},
	{"garbled key", errNotAKey, func(t *testing.T, st state) {
		ok(t, os.WriteFile(string(st.keys), []byte("not a key\n"), 0o600))
	}},
	{"damaged database", ErrStorage, func(t *testing.T, st state) {
		ok(t, os.WriteFile(filepath.Join(st.dir, "rotd.db"), []byte(strings.Repeat("no database", 1000)), 0o600))
	}},
}

func TestRefusalTouchesNothing(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		for _, r := range refusals {
			name := r.name
			if crashed {
				name += " after a crash"
			}
			t.Run(name, func(t *testing.T) {
				st := newState(t)
				leaveState(t, &st, crashed)
				r.spoil(t, st)
				before := snapshot(t, st.dir)
				_, err := Open(t.Context(), st.dir, st.keys, Options{})
				if !errors.Is(err, r.want) || HintOf(err) == "" {
					t.Errorf("Open: %v (hint %q), want %v", err, HintOf(err), r.want)
				}
				if diff := cmp.Diff(before, snapshot(t, st.dir)); diff != "" {
					t.Errorf("the refusal changed the state (-before +after):\n%s", diff)
				}
			})
		}
	}
}

func TestNewerStateIsRefused(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		st := newState(t)
		s := st.open(t)
		_ = must[sql.Result](t)(s.db.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`))
		if crashed {
			st.dir = crashedCopy(t, st.dir)
		} else {
			ok(t, s.Close())
		}
		before := snapshot(t, st.dir)
		_, err := Open(t.Context(), st.dir, st.keys, Options{})
		if !errors.Is(err, ErrNewerState) || HintOf(err) == "" {
			t.Errorf("Open: %v (hint %q)", err, HintOf(err))
		}
		if diff := cmp.Diff(before, snapshot(t, st.dir)); diff != "" {
			t.Errorf("the refusal changed the state (-before +after):\n%s", diff)
		}
	}
}

func TestDatabaseOfAnotherProgramIsRefused(t *testing.T) {
	st := newState(t)
	ok(t, os.Mkdir(st.dir, 0o700))
	path := filepath.Join(st.dir, "rotd.db")
	ok(t, os.WriteFile(path, nil, 0o600))
	db := openDatabase(path)
	_ = must[sql.Result](t)(db.Exec("CREATE TABLE theirs (x)"))
	ok(t, db.Close())
	before := snapshot(t, st.dir)
	_, err := Open(t.Context(), st.dir, st.keys, Options{})
	if err == nil || !strings.Contains(err.Error(), "another program") || HintOf(err) == "" {
		t.Errorf("Open: %v", err)
	}
	if diff := cmp.Diff(before, snapshot(t, st.dir)); diff != "" {
		t.Errorf("the refusal changed the state (-before +after):\n%s", diff)
	}
	if _, err := os.Stat(string(st.keys)); err == nil {
		t.Error("a key was made")
	}
}

// TestStateThatWasNotClosedOpens: what was committed is there after a crash,
// though it stands in the WAL only.
func TestStateThatWasNotClosedOpens(t *testing.T) {
	st := newState(t)
	leaveState(t, &st, true)
	s := st.open(t)
	if p := must[[]Passcard](t)(s.Passcards(t.Context())); len(p) != 1 {
		t.Errorf("%d passcards", len(p))
	}
	if _, err := os.Stat(filepath.Join(st.dir, "probe")); err == nil {
		t.Error("the copy that was looked into is still there")
	}
}

// leaveState makes a state with something in it, and closes it or leaves it as
// a crash does.
func leaveState(t *testing.T, st *state, crashed bool) {
	t.Helper()
	s := st.open(t)
	addPasscard(t, s, "ada")
	if crashed {
		st.dir = crashedCopy(t, st.dir)
	} else {
		ok(t, s.Close())
	}
}

// crashedCopy copies the files of an open state, which is what a crash leaves.
func crashedCopy(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "state")
	ok(t, os.Mkdir(to, 0o700))
	for _, name := range []string{"rotd.db", "rotd.db-wal", "rotd.db-shm"} {
		ok(t, os.WriteFile(filepath.Join(to, name), readFile(t, filepath.Join(dir, name)), 0o600))
	}
	return to
}

// snapshot is every file of dir with a hash of its content.
func snapshot(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	files := map[string][32]byte{}
	for _, e := range must[[]fs.DirEntry](t)(os.ReadDir(dir)) {
		files[e.Name()] = sha256.Sum256(readFile(t, filepath.Join(dir, e.Name())))
	}
	return files
}

// cutOff is a key source that a crash cuts off in Create, before the key is
// kept or after it.
type cutOff struct {
	KeySource
	after bool
}

var errCutOff = errors.New("cut off")

func (c cutOff) Create(ctx context.Context, account string) (Key, error) {
	if c.after {
		if _, err := c.KeySource.Create(ctx, account); err != nil {
			return Key{}, err
		}
	}
	return Key{}, errCutOff
}

func TestFirstStartThatWasCutOffHeals(t *testing.T) {
	for _, after := range []bool{false, true} {
		keys := keyringSource{newFakeRing(), keyringPatience}
		dir := filepath.Join(t.TempDir(), "state")
		if _, err := Open(t.Context(), dir, cutOff{keys, after}, Options{}); !errors.Is(err, errCutOff) {
			t.Fatalf("Open: %v", err)
		}
		s, err := Open(t.Context(), dir, keys, Options{})
		ok(t, err)
		ok(t, s.Close())
		if n := len(keys.ring.(*fakeRing).kept); n != 1 {
			t.Errorf("cut off after the key was kept %t: the keyring holds %d keys", after, n)
		}
	}
}

// TestFirstStartCutOffBetweenItsSteps leaves the database as the first start
// has it after each of its commits.
func TestFirstStartCutOffBetweenItsSteps(t *testing.T) {
	for name, undo := range map[string]string{
		"the key check is not written": `UPDATE meta SET key_check = NULL`,
		"the id is not written":        `DELETE FROM meta`,
		"no migration is done": `DROP TABLE grants; DROP TABLE access_tokens; DROP TABLE log; DROP TABLE deliveries; DROP TABLE generations; DROP TABLE rots; DROP TABLE passcard_secrets; DROP TABLE passcards;
			DROP TABLE meta; DELETE FROM goose_db_version WHERE version_id > 0`,
	} {
		for _, crashed := range []bool{false, true} {
			st := newState(t)
			s := st.open(t)
			key := readFile(t, string(st.keys))
			_ = must[sql.Result](t)(s.db.ExecContext(t.Context(), undo))
			if crashed {
				st.dir = crashedCopy(t, st.dir)
			} else {
				ok(t, s.Close())
			}
			p := addPasscard(t, st.open(t), "ada")
			if p.ID == "" || !bytes.Equal(key, readFile(t, string(st.keys))) {
				t.Errorf("%s: the key changed", name)
			}
		}
	}
}

func TestKeyFileWithoutDatabaseIsUsed(t *testing.T) {
	st := newState(t)
	key := must[Key](t)(st.keys.Create(t.Context(), ""))
	s := st.open(t)
	sealed := must[sealer](t)(newSealer(key)).seal(place{"t", "r", "c"}, secret.New("x"))
	if _, err := s.seals.open(place{"t", "r", "c"}, sealed); err != nil {
		t.Error("the store does not use the key that was there")
	}
}

func TestEmptyDatabaseFileIsAFirstStart(t *testing.T) {
	st := newState(t)
	ok(t, os.Mkdir(st.dir, 0o700))
	ok(t, os.WriteFile(filepath.Join(st.dir, "rotd.db"), nil, 0o600))
	addPasscard(t, st.open(t), "ada")
}

func TestClosedStoreAnswersErrors(t *testing.T) {
	s := openNew(t)
	ok(t, s.Close())
	ok(t, s.Close())
	if _, err := s.ROTs(t.Context()); err == nil {
		t.Error("a closed store reads")
	}
	if _, err := s.AddPasscard(t.Context(), Passcard{Registry: "r", Username: "u", Via: "registry"}); err == nil {
		t.Error("a closed store writes")
	}
}

func TestUnknownDirectoryNamesOpen(t *testing.T) {
	base := t.TempDir()
	for _, name := range []string{"with space", "a?b", "a#b", "a%20b", "ü"} {
		dir := filepath.Join(base, name, "deep")
		s, err := Open(t.Context(), dir, keyFile(filepath.Join(base, "key")), Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		ok(t, s.Close())
		if _, err := os.Stat(filepath.Join(dir, "rotd.db")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
