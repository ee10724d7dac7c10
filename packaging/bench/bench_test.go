package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

const sample = `goos: linux
pkg: rotd/cmd
BenchmarkStart/ROTs=10000-2         	      11	  61e6 ns/op	       74.25 p50-ms
pkg: rotd/packaging/bench
BenchmarkGet-2   	     300	  18733582 ns/op	         0.5 c-ms	     2 git-ms	         2.5 rot-ms
PASS
`

func TestTable(t *testing.T) {
	all := measured{}
	all.read([]byte(sample))
	got := table([]line{
		head("a head"),
		{"rot get", "bench Get", "rot-ms", "", "ms", goal{}},
		{"beside git", "bench Get", "rot-ms", "git-ms", "ms", most(1)},
		{"beside C", "bench Get", "rot-ms", "c-ms", "ms", most(5)},
		{"start", "cmd Start/ROTs=10000", "p50-ms", "", "ms", most(100)},
		{"rate", "cmd Start/ROTs=10000", "gets/s", "", "/s", least(30_000)},
	}, all)
	const want = `
a head
rot get                                    2.50 ms
beside git                                 1.25 × 2 ms            ≤ 1.0 ×      ✗
beside C                                   5.00 × 0.50 ms         ≤ 5.0 ×      ✓
start                                      74.2 ms                ≤ 100 ms     ✓
rate                                       not measured           ≥ 30 000/s
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestLines: the table is no wider than a screen, and every line is of a
// benchmark that is run.
func TestLines(t *testing.T) {
	all := measured{}
	for _, l := range lines {
		if l.bench == "" {
			continue
		}
		if all[l.bench] == nil {
			all[l.bench] = map[string]float64{}
		}
		all[l.bench][l.value], all[l.bench][l.by] = 123_456, 99.9
		pkg, name, _ := strings.Cut(l.bench, " ")
		name, _, _ = strings.Cut(name, "/")
		found := false
		for _, s := range suites {
			found = found || filepath.Base(s.pkg) == pkg && strings.Contains("|"+s.bench+"|", "|"+name+"|")
		}
		if !found {
			t.Errorf("nothing runs the benchmark of %q", l.label)
		}
	}
	for l := range strings.Lines(thisMachine().text() + table(lines, all)) {
		if utf8.RuneCountInString(strings.TrimSuffix(l, "\n")) > 80 {
			t.Errorf("more than 80 columns: %q", l)
		}
	}
}

func TestReadme(t *testing.T) {
	path := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(path, []byte("a\n"+openMark+"old\n"+closeMark+"b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := putInto(path, "new\n"); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != "a\n"+openMark+"```\nnew\n```\n"+closeMark+"b\n" {
			t.Errorf("the file is %q", got)
		}
	}
	if err := os.WriteFile(path, []byte("a\n"+openMark), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := putInto(path, "new\n"); err == nil || !strings.Contains(err.Error(), "has no") {
		t.Errorf("without the marks: %v", err)
	}
	// The real one has them.
	if text, err := os.ReadFile("../../README.md"); err != nil || !strings.Contains(string(text), openMark) || !strings.Contains(string(text), closeMark) {
		t.Errorf("the README has no place for the table: %v", err)
	}
}
