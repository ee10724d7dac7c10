package desk

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestHelp has every command say what it does, with an example first.
func TestHelp(t *testing.T) {
	d := newDaemon(t)
	overview := d.run("help")
	for _, cmd := range commands {
		if !strings.Contains(overview.stdout, "\n  "+cmd.Name+" ") {
			t.Errorf("the overview does not have %s", cmd.Name)
		}
		words := strings.Fields(cmd.Name)
		d.run(append(words, "--help")...).want(t, 0, cmd.Help, "")
		d.run(append([]string{"help"}, words...)...).want(t, 0, cmd.Help, "")
		for line := range strings.Lines(cmd.Help) {
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
				t.Errorf("%s: more than 80 columns: %q", cmd.Name, line)
			}
		}
		if !strings.HasPrefix(cmd.Help, "rot "+cmd.Name) || !strings.Contains(cmd.Help, "usage: rot "+cmd.Name) {
			t.Errorf("%s: the help has no example first, or no usage", cmd.Name)
		}
	}
}

// TestHelpOfTwo: a word that two commands begin with has the help of both.
func TestHelpOfTwo(t *testing.T) {
	d := newDaemon(t)
	want := passkeyAdd.Help + "\n" + passkeyRemove.Help
	for _, args := range [][]string{{"help", "passkey"}, {"passkey", "--help"}, {"passkey", "-h"}} {
		d.run(args...).want(t, 0, want, "")
	}
}

// TestHelpNamesEveryFlag asks what completes each command: the flags that it
// takes and its help names.
func TestHelpNamesEveryFlag(t *testing.T) {
	d := newDaemon(t)
	for _, cmd := range commands {
		offered := d.run(append([]string{"completion", "words", "--"}, append(strings.Fields(cmd.Name), "--")...)...).stdout
		for line := range strings.Lines(cmd.Help) {
			_, name, ok := strings.Cut(line, "--")
			name, _, _ = strings.Cut(strings.Fields(name + " .")[0], " ")
			if ok && strings.HasPrefix(line, "  -") && !strings.Contains(offered, "\n--"+name+"\t") {
				t.Errorf("the help of %s has --%s, which it does not take: %q", cmd.Name, name, offered)
			}
		}
	}
}
