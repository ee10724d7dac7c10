package store

import (
	"bytes"
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rotd/ipc/secret"
)

// testdata/vN.sql is a state as the release with schema version N wrote it,
// sealed under dumpKey. Written once, with -dump, when the version is new.
var writeDump = flag.Bool("dump", false, "write testdata/vN.sql of the newest schema version, if there is none")

// dumpKey opens the dumps. It guards nothing.
var dumpKey = bytes.Repeat([]byte("k"), keySize)

const (
	dumpPassword = "pw-of-the-dump-EXAMPLE"
	dumpValue    = "npm_of_the_dump_EXAMPLE"
)

func dumpFile(version int64) string {
	return filepath.Join("testdata", fmt.Sprintf("v%d.sql", version))
}

// TestEveryVersionMigrates opens the dump of every schema version there was.
func TestEveryVersionMigrates(t *testing.T) {
	fresh := openNew(t)
	newest := must[int64](t)(newestVersion(fresh.db))
	if *writeDump {
		writeNewestDump(t, newest)
	}
	for version := int64(1); version <= newest; version++ {
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			dump, err := os.ReadFile(dumpFile(version))
			if err != nil {
				t.Fatalf("there is no dump of schema version %d: run go test ./store -run %s -dump, and commit it (%v)", version, "TestEveryVersionMigrates", err)
			}
			st := stateOfDump(t, string(dump))
			if got := must[probed](t)(probe(t.Context(), filepath.Join(st.dir, "rotd.db"))).version; got != version {
				t.Fatalf("the dump has version %d", got)
			}
			s := st.open(t)
			checkDumpContent(t, s)
			if diff := cmp.Diff(schemaOf(t, fresh.db), schemaOf(t, s.db)); diff != "" {
				t.Errorf("the migrated schema is not the one of a new state (-new +migrated):\n%s", diff)
			}
		})
	}
}

func TestMigrationsAreNumberedWithoutGaps(t *testing.T) {
	files := must[[]fs.DirEntry](t)(fs.ReadDir(migrations(), "."))
	for i, f := range files {
		if !strings.HasPrefix(f.Name(), fmt.Sprintf("%05d_", i+1)) {
			t.Errorf("migration %d is called %s", i+1, f.Name())
		}
	}
}

func stateOfDump(t *testing.T, dump string) state {
	t.Helper()
	st := newState(t)
	ok(t, os.WriteFile(string(st.keys), []byte(must[Key](t)(NewKey(dumpKey)).encode()), 0o600))
	ok(t, os.Mkdir(st.dir, 0o700))
	path := filepath.Join(st.dir, "rotd.db")
	ok(t, os.WriteFile(path, nil, 0o600))
	db := openDatabase(path)
	_ = must[sql.Result](t)(db.Exec(dump))
	ok(t, db.Close())
	return st
}

// checkDumpContent checks what every dump holds, in the words of today.
func checkDumpContent(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	ref := must[Ref](t)(s.Resolve(ctx, "dumped"))
	g, value, err := s.Current(ctx, ref.ID)
	ok(t, err)
	if g.N != 2 || value.Reveal() != dumpValue {
		t.Errorf("the ROT serves generation %d", g.N)
	}
	r := must[ROT](t)(s.ROT(ctx, ref.ID))
	if !r.Shape.PackagesAll || r.Next.IsZero() || r.Created.Year() != 2026 {
		t.Errorf("the ROT: %+v", r)
	}
	if v := must[secret.Text](t)(s.Secret(ctx, r.Passcard, KindPassword)); v.Reveal() != dumpPassword {
		t.Error("the password is another one")
	}
}

func schemaOf(t *testing.T, db *sql.DB) []string {
	t.Helper()
	scan := func(from row) (s string, err error) { return s, from.Scan(&s) }
	return must[[]string](t)(list(t.Context(), db, "read the schema", scan, `SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name`))
}

func writeNewestDump(t *testing.T, version int64) {
	t.Helper()
	if _, err := os.Stat(dumpFile(version)); err == nil {
		t.Logf("%s is there already and stays as it is", dumpFile(version))
		return
	}
	st := stateOfDump(t, "")
	s := st.open(t)
	p := addPasscard(t, s, "ada")
	ok(t, s.PutSecret(t.Context(), p.ID, KindPassword, secret.New(dumpPassword)))
	r := addROT(t, s, p.ID, "dumped")
	rotate(t, s, r.ID, "rotd-dump-1", "npm_old_EXAMPLE")
	rotate(t, s, r.ID, "rotd-dump-2", dumpValue)
	ok(t, s.SetTrouble(t.Context(), r.ID, Trouble{Code: "unreachable", Message: "m", Hint: "h"}, 1, st.clock.t.Add(time.Hour)))
	_ = must[Generation](t)(s.Plan(t.Context(), r.ID, called("rotd-dump-3")))
	ok(t, os.WriteFile(dumpFile(version), []byte(dumpOf(t, s.db)), 0o644))
}

// dumpOf writes db as SQL, as the shell's .dump does.
func dumpOf(t *testing.T, db *sql.DB) string {
	t.Helper()
	ctx := t.Context()
	var b strings.Builder
	b.WriteString("PRAGMA foreign_keys = OFF;\n")
	type table struct{ name, sql string }
	scan := func(from row) (v table, err error) { return v, from.Scan(&v.name, &v.sql) }
	objects := must[[]table](t)(list(ctx, db, "dump", scan,
		`SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type = 'index', rowid`))
	for _, o := range objects {
		b.WriteString(o.sql + ";\n")
		for _, line := range insertsOf(ctx, t, db, o.name) {
			b.WriteString(line + ";\n")
		}
	}
	b.WriteString("PRAGMA foreign_keys = ON;\n")
	return b.String()
}

// insertsOf has SQLite quote every row of a table; an index has no columns.
func insertsOf(ctx context.Context, t *testing.T, db *sql.DB, name string) []string {
	t.Helper()
	scan := func(from row) (s string, err error) { return s, from.Scan(&s) }
	columns := must[[]string](t)(list(ctx, db, "dump", scan,
		`SELECT 'quote(' || name || ')' FROM pragma_table_info(?) WHERE ? IN (SELECT name FROM sqlite_schema WHERE type = 'table') ORDER BY cid`, name, name))
	if len(columns) == 0 {
		return nil
	}
	return must[[]string](t)(list(ctx, db, "dump", scan,
		`SELECT 'INSERT INTO `+name+` VALUES (' || `+strings.Join(columns, " || ', ' || ")+` || ')' FROM `+name))
}
