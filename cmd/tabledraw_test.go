package cmd_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var updateTable = flag.Bool("update", false, "write the table of package managers into README.md")

// footnotes say of what does not work why: client, way ("" for all), deed. One
// for what works is an error, as is none for what does not.
var footnotes = map[[3]string]string{
	{"pnpm 10", "pnpm", "whoami"}: "pnpm 10 leaves whoami to npm, which knows no tokenHelper.",
	{"yarn 1", "", "whoami"}:      "Yarn 1 has no command for whoami.",
}

// drawTable is what README.md has of the cases.
func drawTable(t *testing.T, cases []*tableCase) string {
	t.Helper()
	var lines []string // the client of each
	cells := map[string][]string{}
	var notes []string
	used := map[[3]string]bool{}
	for _, c := range cases {
		line := c.client.name + " " + c.client.version
		if cells[line] == nil {
			lines = append(lines, line)
			cells[line] = slices.Repeat([]string{"–"}, len(ways))
		}
		cell := "ok"
		for _, deed := range c.failed {
			key := [3]string{c.client.major(), c.way.title, deed}
			if footnotes[key] == "" {
				key[1] = ""
			}
			text := footnotes[key]
			if text == "" {
				t.Errorf("%s: %s", c, c.words.String())
				continue
			}
			used[key] = true
			if !slices.Contains(notes, text) {
				notes = append(notes, text)
			}
			if mark := fmt.Sprintf(" (%d)", slices.Index(notes, text)+1); !strings.Contains(cell, mark) {
				cell += mark
			}
		}
		cells[line][slices.IndexFunc(ways, func(w way) bool { return w.title == c.way.title })] = cell
	}
	for key := range footnotes {
		if !used[key] {
			t.Errorf("a footnote for what works: %q", key)
		}
	}
	var b strings.Builder
	row := func(first string, rest []string) { fmt.Fprintf(&b, "| %s | %s |\n", first, strings.Join(rest, " | ")) }
	var titles []string
	for _, w := range ways {
		titles = append(titles, w.title)
	}
	row("", titles)
	row("---", slices.Repeat([]string{"---"}, len(ways)))
	for _, line := range lines {
		row(line, cells[line])
	}
	for i, text := range notes {
		fmt.Fprintf(&b, "\n(%d) %s\n", i+1, text)
	}
	return b.String()
}

// compareTable compares, or with -update writes, the table in README.md.
func compareTable(t *testing.T, table string) {
	t.Helper()
	const file, begin, end = "../README.md", "<!-- seen by TestClients: go test ./cmd -run TestClients -update -->\n", "<!-- end -->\n"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(b), begin)
	had, after, ok2 := strings.Cut(rest, end)
	switch {
	case !ok1 || !ok2:
		t.Fatal("README.md has no place for the table")
	case had == table:
	case t.Failed() || !*updateTable:
		t.Errorf("README.md has another table than\n%s", table)
	default:
		if err := os.WriteFile(file, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
