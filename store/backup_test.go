package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// backedUp is a state with one ROT, and a backup of it made while it is open.
func backedUp(t *testing.T) (st state, s *Store, file string) {
	t.Helper()
	st = newState(t)
	s = st.open(t)
	addROT(t, s, addPasscard(t, s, "ada").ID, "ci")
	rotate(t, s, must[Ref](t)(s.Resolve(t.Context(), "ci")).ID, "first", "npm_first_EXAMPLE")
	file = filepath.Join(t.TempDir(), "backup")
	ok(t, Backup(t.Context(), st.dir, file, false))
	return st, s, file
}

func valueOf(t *testing.T, s *Store, name string) string {
	t.Helper()
	_, v, err := s.Current(t.Context(), must[Ref](t)(s.Resolve(t.Context(), name)).ID)
	ok(t, err)
	return v.Reveal()
}

func TestBackupOfAStateThatIsOpen(t *testing.T) {
	st, s, file := backedUp(t)
	rotate(t, s, must[Ref](t)(s.Resolve(t.Context(), "ci")).ID, "second", "npm_second_EXAMPLE")
	ok(t, s.Close())
	if mode := must[fs.FileInfo](t)(os.Stat(file)).Mode(); mode != 0o600 {
		t.Errorf("the backup has mode %v", mode)
	}
	if left := must[[]fs.DirEntry](t)(os.ReadDir(filepath.Dir(file))); len(left) != 1 {
		t.Errorf("beside the backup: %v", left)
	}
	kept := must[string](t)(Restore(t.Context(), st.dir, file, st.keys, Options{Now: st.clock.now}))
	if got := valueOf(t, st.open(t), "ci"); got != "npm_first_EXAMPLE" {
		t.Errorf("the restored state serves %q", got)
	}
	aside := state{kept, st.keys, st.clock}
	if got := valueOf(t, aside.open(t), "ci"); got != "npm_second_EXAMPLE" {
		t.Errorf("the state that was kept serves %q", got)
	}
}

func TestBackupIsNotWrittenOverTheState(t *testing.T) {
	st, s, _ := backedUp(t)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		file := filepath.Join(st.dir, "..", filepath.Base(st.dir), databaseName+suffix)
		was := must[fs.FileInfo](t)(os.Stat(file))
		if err := Backup(t.Context(), st.dir, file, true); err == nil || HintOf(err) == "" {
			t.Errorf("Backup to %s: %v (hint %q)", file, err, HintOf(err))
		}
		if !os.SameFile(was, must[fs.FileInfo](t)(os.Stat(file))) {
			t.Errorf("%s was replaced", file)
		}
	}
	if got := valueOf(t, s, "ci"); got != "npm_first_EXAMPLE" {
		t.Errorf("the state serves %q", got)
	}
}

func TestBackupIsNotWrittenOverAnother(t *testing.T) {
	st, _, file := backedUp(t)
	before := readFile(t, file)
	if err := Backup(t.Context(), st.dir, file, false); !errors.Is(err, fs.ErrExist) || HintOf(err) == "" {
		t.Errorf("Backup: %v (hint %q)", err, HintOf(err))
	}
	if diff := cmp.Diff(before, readFile(t, file)); diff != "" {
		t.Error("the earlier backup changed")
	}
	ok(t, Backup(t.Context(), st.dir, file, true))
	if err := Backup(t.Context(), t.TempDir(), file+"2", false); err == nil || HintOf(err) == "" {
		t.Errorf("of no state: %v", err)
	}
}

// TestBackupWhereOthersWrite: in a directory that somebody else can change he
// could lead what is written elsewhere, and no restore would take it from there.
func TestBackupWhereOthersWrite(t *testing.T) {
	st, _, _ := backedUp(t)
	dir := filepath.Join(t.TempDir(), "shared")
	ok(t, os.Mkdir(dir, 0o700))
	ok(t, os.Chmod(dir, 0o777))
	err := Backup(t.Context(), st.dir, filepath.Join(dir, "backup"), false)
	if err == nil || HintOf(err) != "chmod go-w "+dir {
		t.Errorf("%v, hint %q", err, HintOf(err))
	}
	if left := must[[]fs.DirEntry](t)(os.ReadDir(dir)); len(left) != 0 {
		t.Errorf("left there: %v", left)
	}
	ok(t, os.Chmod(dir, 0o777|fs.ModeSticky)) // as /tmp
	ok(t, Backup(t.Context(), st.dir, filepath.Join(dir, "backup"), false))
}

func TestRestoreWhereNothingWas(t *testing.T) {
	st, s, file := backedUp(t)
	ok(t, s.Close())
	elsewhere := state{filepath.Join(t.TempDir(), "state"), st.keys, st.clock}
	if kept := must[string](t)(Restore(t.Context(), elsewhere.dir, file, st.keys, Options{})); kept != "" {
		t.Errorf("kept %q of nothing", kept)
	}
	if got := valueOf(t, elsewhere.open(t), "ci"); got != "npm_first_EXAMPLE" {
		t.Errorf("it serves %q", got)
	}
}

// TestRestoreAfterDamage: the state cannot be opened any more, which is what
// backups are for.
func TestRestoreAfterDamage(t *testing.T) {
	st, _, file := backedUp(t)
	st.dir = crashedCopy(t, st.dir)
	ok(t, os.WriteFile(filepath.Join(st.dir, databaseName), []byte(strings.Repeat("no database", 1000)), 0o600))
	kept := must[string](t)(Restore(t.Context(), st.dir, file, st.keys, Options{}))
	if got := valueOf(t, st.open(t), "ci"); got != "npm_first_EXAMPLE" {
		t.Errorf("it serves %q", got)
	}
	if b := readFile(t, filepath.Join(kept, databaseName)); !strings.HasPrefix(string(b), "no database") {
		t.Error("what was there is not kept")
	}
}

func TestRestoreRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, file string)
		want  error
	}{
		"a damaged backup": {func(t *testing.T, file string) {
			b := readFile(t, file)
			ok(t, os.WriteFile(file, b[:len(b)-8192], 0o600))
		}, ErrStorage},
		"a newer one": {func(t *testing.T, file string) {
			db := openDatabase(file)
			defer db.Close()
			_ = must[sql.Result](t)(db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`))
		}, ErrNewerState},
		"no backup at all":          {func(t *testing.T, file string) { ok(t, os.WriteFile(file, nil, 0o600)) }, nil},
		"one that others may write": {func(t *testing.T, file string) { ok(t, os.Chmod(file, 0o666)) }, nil},
		"one that is gone":          {func(t *testing.T, file string) { ok(t, os.Remove(file)) }, fs.ErrNotExist},
		"another key": {func(t *testing.T, file string) {
			ok(t, os.WriteFile(filepath.Join(filepath.Dir(file), "key"), []byte(randomKey().encode()), 0o600))
		}, ErrWrongKey},
	} {
		t.Run(name, func(t *testing.T) {
			st, s, file := backedUp(t)
			ok(t, s.Close())
			keys := keyFile(filepath.Join(filepath.Dir(file), "key"))
			ok(t, os.WriteFile(string(keys), readFile(t, string(st.keys)), 0o600))
			c.spoil(t, file)
			before := snapshot(t, st.dir)
			_, err := Restore(t.Context(), st.dir, file, keys, Options{})
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("Restore: %v, want %v", err, c.want)
			}
			if diff := cmp.Diff(before, snapshot(t, st.dir)); diff != "" {
				t.Errorf("the refusal changed the state (-before +after):\n%s", diff)
			}
		})
	}
}

func TestRestoreOfWhatOthersMayReplace(t *testing.T) {
	st, s, file := backedUp(t)
	ok(t, s.Close())
	ok(t, os.Chmod(filepath.Dir(file), 0o777))
	_, err := Restore(t.Context(), st.dir, file, st.keys, Options{})
	if err == nil || HintOf(err) != "chmod go-w "+filepath.Dir(file) {
		t.Errorf("%v, hint %q", err, HintOf(err))
	}
}

// TestRestoreThatWasCutOff: a crash right before the backup gets the database's
// name leaves the old state, which opens.
func TestRestoreThatWasCutOff(t *testing.T) {
	st, s, file := backedUp(t)
	ok(t, s.Close())
	ok(t, takeBackup(filepath.Join(st.dir, "restore"), file))
	_ = must[string](t)(setAside(context.Background(), st.dir, "now"))
	if got := valueOf(t, st.open(t), "ci"); got != "npm_first_EXAMPLE" {
		t.Errorf("it serves %q", got)
	}
}
