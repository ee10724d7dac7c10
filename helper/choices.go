package helper

import "strings"

// choices gathers what could stand for the word that is being typed.
type choices struct {
	prefix string // what is typed of it
	before string // of it, and not to be completed: "--for="
	text   string // a line each: the word, a tab, what it is
}

// add adds a word that begins as the one typed, once.
func (t *choices) add(word, what string) {
	line := "\n" + t.before + word + "\t"
	if strings.HasPrefix(word, t.prefix) && !strings.Contains("\n"+t.text, line) {
		t.text += line[1:] + clean(what) + "\n"
	}
}

// commands adds the next word of those whose names begin with typed.
func (t *choices) commands(all []command, typed string) {
	for _, cmd := range all {
		if rest, ok := strings.CutPrefix(cmd.name, typed); ok {
			word, more, _ := strings.Cut(rest, " ")
			if more != "" { // there is more to come, and it may be one of several
				t.add(word, "")
			} else {
				t.add(word, cmd.line)
			}
		}
	}
}

// flags adds those of a command that its help speaks of.
func (t *choices) flags(fs *flagSet, cmd command, help string) {
	for _, f := range fs.flags {
		if said := helpOf(help, f.name); len(said) > 0 && !said[0].literal() {
			t.add("--"+f.name, said[0].what)
		} else if len(said) > 0 || cmd.takes("--"+f.name) {
			t.add("--"+f.name, "")
		}
	}
	t.add("--help", "examples, and everything the command takes")
}

// values adds what a flag takes: what stands in the help after its name, where
// that is the thing itself.
func (t *choices) values(help, flag string) string {
	for _, h := range helpOf(help, flag) {
		switch {
		case h.literal():
			t.add(h.takes, h.what)
		case h.takes == "F" || h.takes == "FILE" || h.takes == "PATH":
			return completeFiles
		}
	}
	return completeWords + t.text
}

// reference adds a passcard or ROT: by its name where it has one, and else, or
// where that is how it was begun, as it is printed or without the scheme.
func (t *choices) reference(ref, name, what string) {
	if name != "" {
		t.add(name, ref+", "+what)
	}
	if name == "" || t.prefix != "" {
		t.add(ref, what)
	}
	if bare := strings.TrimPrefix(ref, "rot://"); len(t.prefix) >= len("rot_") && strings.HasPrefix(bare, t.prefix) {
		t.add(bare, what)
	}
}

// helpLine is a line of a help text on one flag: "  --for stage    stage …".
type helpLine struct{ takes, what string }

// literal tells whether it shows a value rather than a word for one.
func (h helpLine) literal() bool {
	return h.takes != "" && strings.Trim(h.takes, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// helpOf finds what a help text says of a flag.
func helpOf(help, flag string) []helpLine {
	var all []helpLine
	for line := range strings.Lines(help) {
		_, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "--"+flag)
		if !ok || !strings.HasPrefix(line, "  -") || rest != "" && rest[0] != ' ' {
			continue
		}
		takes, what := "", strings.TrimSpace(rest)
		if rest != "" && !strings.HasPrefix(rest, "  ") {
			takes, what, _ = strings.Cut(rest[1:], " ")
		}
		all = append(all, helpLine{takes, strings.TrimSpace(what)})
	}
	return all
}
