package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestHelpFitsATerminal(t *testing.T) {
	all := map[string]string{"help": overview(commands)}
	for _, cmd := range commands {
		all[cmd.name] = cmd.help
		if !strings.Contains(all["help"], "\n  "+cmd.name+" ") || !strings.HasPrefix(cmd.help, "Usage: rotd "+cmd.name) {
			t.Errorf("rotd %s has no help, or is not in the overview", cmd.name)
		}
	}
	for name, text := range all {
		for line := range strings.Lines(text) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("%s: %d columns: %q", name, n, line)
			}
		}
	}
}
