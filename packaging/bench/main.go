// Command bench runs the benchmarks of all packages that say how fast and small
// rotd is, and prints what they measured as one table: beside what people use
// today, and beside what is to be reached.
//
//	bench                     make bench
//	bench -readme README.md   puts the table into that file, too
//
// The benchmarks are Go's, and their metrics' names say what each is; those of
// whole programs are in this package. Candidates are measured by turns, so that
// what else the machine does meets them alike, and figures are medians. Yet a
// machine that is busy measures itself: bench says so, and then leaves the file
// alone. A figure that is not what it should be fails nothing.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

func main() {
	readme := flag.String("readme", "", "the file that the table goes into")
	flag.Parse()
	if err := bench(*readme); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(readme string) error {
	m := thisMachine()
	if m.busy() {
		fmt.Fprintf(os.Stderr, "bench: this machine is busy (%s): the figures will be of that, too\n", m.loadText())
	}
	all := measured{}
	var failed error
	for _, s := range suites {
		out, err := s.run()
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", s.pkg, err))
		}
		all.read(out)
	}
	text := m.text() + "\n" + table(lines, all)
	fmt.Print(text)
	switch {
	case failed != nil || readme == "":
		return failed
	case m.busy():
		return fmt.Errorf("%s stays as it is, as the machine was busy: %s", readme, m.loadText())
	}
	return putInto(readme, text)
}

// suite is one call of go test.
type suite struct {
	pkg   string
	bench string
	time  string // how often, or how long, each
}

// run prints on the standard error what is measured as it goes.
func (s suite) run() ([]byte, error) {
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", "^Benchmark("+s.bench+")$", "-benchtime", s.time, "-benchmem", "-timeout", "10m", s.pkg)
	var out bytes.Buffer
	cmd.Stdout = io.MultiWriter(&out, os.Stderr)
	cmd.Stderr = os.Stderr
	err := cmd.Run()
	return out.Bytes(), err
}

// The table stands between these lines of the README.
const (
	openMark  = "<!-- make bench README=1 -->\n"
	closeMark = "<!-- /make bench -->\n"
)

func putInto(path, text string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(b), openMark)
	_, after, closed := strings.Cut(rest, closeMark)
	if !ok || !closed {
		return fmt.Errorf("%s has no %q … %q", path, strings.TrimSpace(openMark), strings.TrimSpace(closeMark))
	}
	return os.WriteFile(path, []byte(before+openMark+"```\n"+text+"```\n"+closeMark+after), 0o644)
}
