package cmd_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"

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

// unfinished reads the journal of the running daemon, beside it: the steps of
// the generations that wait for something.
func (g *ground) unfinished() (open []store.Step) {
	g.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(g.stateDir(), "rotd.db")+"?mode=ro&_busy_timeout=10000")
	if err != nil {
		g.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT step FROM generations WHERE step NOT IN ('current', 'revoked', 'abandoned')`)
	if err != nil {
		g.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var step store.Step
		if err := rows.Scan(&step); err != nil {
			g.t.Fatal(err)
		}
		open = append(open, step)
	}
	if err := rows.Err(); err != nil {
		g.t.Fatal(err)
	}
	return open
}

// settled reports whether the journal holds nothing but names that npm may
// still be making tokens of. The engine looks for those again two minutes after
// it, since its last start, has looked in vain; the long run waits for that.
func (g *ground) settled() bool {
	g.t.Helper()
	return !slices.ContainsFunc(g.unfinished(), func(step store.Step) bool { return step != store.StepPlanned })
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
