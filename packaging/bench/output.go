package main

import (
	"bytes"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// measured is what benchmarks reported: by "cmd Gets", the last word of the
// package and the benchmark's name, and by the metric's unit.
type measured map[string]map[string]float64

// procs is what go test adds to a name: on how many processors it ran.
var procs = regexp.MustCompile(`-\d+$`)

// read takes the output of go test -bench.
func (m measured) read(out []byte) {
	pkg := ""
	for l := range bytes.Lines(out) {
		words := strings.Fields(string(l))
		switch {
		case len(words) == 2 && words[0] == "pkg:":
			pkg = path.Base(words[1])
		case len(words) > 3 && strings.HasPrefix(words[0], "Benchmark"):
			name := pkg + " " + procs.ReplaceAllString(strings.TrimPrefix(words[0], "Benchmark"), "")
			if m[name] == nil {
				m[name] = map[string]float64{}
			}
			for i := 2; i+1 < len(words); i += 2 {
				if v, err := strconv.ParseFloat(words[i], 64); err == nil {
					m[name][words[i+1]] = v
				}
			}
		}
	}
}
