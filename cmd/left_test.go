package cmd_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "github.com/mattn/go-sqlite3" // looks into the daemon's database

	"rotd/ipc"
	"rotd/store"
)

// What is left of a daemon that was killed: on npm, in its journal, on its disk.

// leftOver are the tokens of ours that the registry takes and no ROT serves.
func (g *ground) leftOver() (names []string) {
	g.t.Helper()
	var st ipc.Status
	if err := g.client.Get(g.t.Context(), ipc.PathStatus, &st); err != nil {
		g.t.Fatal(err)
	}
	served := map[string]bool{}
	for _, r := range st.ROTs {
		served[r.TokenName] = true
	}
	for _, tk := range g.tokens() {
		if tk.Live && !served[tk.Name] {
			names = append(names, tk.Name)
		}
	}
	return names
}

// generation is a line of the daemon's journal.
type generation struct {
	step    store.Step
	planned time.Time
}

// unfinished reads the journal of the running daemon, beside it.
func (g *ground) unfinished() (open []generation) {
	g.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(g.stateDir(), "rotd.db")+"?mode=ro&_busy_timeout=10000")
	if err != nil {
		g.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT step, planned FROM generations WHERE step NOT IN ('current', 'revoked', 'abandoned')`)
	if err != nil {
		g.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var gen generation
		var planned int64
		if err := rows.Scan(&gen.step, &planned); err != nil {
			g.t.Fatal(err)
		}
		gen.planned = time.UnixMicro(planned)
		open = append(open, gen)
	}
	if err := rows.Err(); err != nil {
		g.t.Fatal(err)
	}
	return open
}

// doubt is how long the engine goes on looking for a token that npm may still
// be making.
const doubt = 2 * time.Minute

// settled reports whether the journal holds nothing but names that were asked
// for a moment ago, so that the engine looks for them again.
func (g *ground) settled() bool {
	g.t.Helper()
	for _, gen := range g.unfinished() {
		if gen.step != store.StepPlanned || time.Since(gen.planned) > doubt {
			return false
		}
	}
	return true
}

// checkDatabase looks at what a killed daemon left, in a copy, so that the next
// daemon finds it untouched. It names what is wrong.
func (g *ground) checkDatabase() string {
	g.t.Helper()
	dir, err := os.MkdirTemp(g.dir, "copy")
	if err != nil {
		g.t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"rotd.db", "rotd.db-wal"} {
		b, err := os.ReadFile(filepath.Join(g.stateDir(), name))
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			g.t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite3", filepath.Join(dir, "rotd.db"))
	if err != nil {
		g.t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil {
		return err.Error()
	}
	var orphans int
	if err := db.QueryRow(`SELECT count(*) FROM pragma_foreign_key_check`).Scan(&orphans); err != nil {
		return err.Error()
	}
	if verdict != "ok" || orphans > 0 {
		return fmt.Sprintf("%s; %d orphans", verdict, orphans)
	}
	return ""
}
