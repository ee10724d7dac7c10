package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// manuals makes rot(1) and rotd(8) of what the programs say about themselves.
func (b *build) manuals() error {
	for _, m := range []struct {
		program, section, other string
	}{
		{"rot", "1", "rotd (8)"},
		{"rotd", "8", "rot (1)"},
	} {
		page, err := b.manual(m.program, m.section, m.other)
		if err != nil {
			return fmt.Errorf("the manual of %s: %w", m.program, err)
		}
		var packed bytes.Buffer
		z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression) // no name, no time
		if err == nil {
			_, err = z.Write(page)
		}
		if err == nil {
			err = z.Close()
		}
		if err != nil {
			return err
		}
		if err := b.put(fmt.Sprintf("/usr/share/man/man%s/%s.%[1]s.gz", m.section, m.program), packed.Bytes(), ""); err != nil {
			return err
		}
	}
	return nil
}

func (b *build) manual(program, section, other string) ([]byte, error) {
	help := func(args ...string) (string, error) {
		out, err := exec.Command(filepath.Join(b.bin, program), append([]string{"help"}, args...)...).Output()
		return string(out), err
	}
	overview, err := help()
	if err != nil {
		return nil, err
	}
	about, commands, end := parts(overview)
	if len(commands) == 0 {
		return nil, fmt.Errorf("no commands in %q", overview)
	}
	first, _, _ := strings.Cut(about, "\n")
	var w bytes.Buffer
	fmt.Fprintf(&w, ".\\\" Made of the program's help texts.\n.TH %s %s %s %q rotd\n", strings.ToUpper(program), section, b.time.Format("2006-01-02"), "rotd "+b.version)
	fmt.Fprintf(&w, ".SH NAME\n%s \\- %s\n", program, roff(strings.TrimSuffix(strings.TrimPrefix(first, program+" "), ".")))
	fmt.Fprintf(&w, ".SH SYNOPSIS\n.B %s\n.I command\n.RI [ flags ]\n.SH DESCRIPTION\n", program)
	verbatim(&w, about)
	w.WriteString(".SH COMMANDS\n")
	for _, line := range commands {
		words := strings.Fields(line)
		name := words[0]
		if name == "help" {
			continue // it prints what stands here
		}
		text, err := help(name)
		if err != nil { // one word is half of a name, as of connect npm
			name += " " + words[1]
			text, err = help(words[:2]...)
		}
		if err != nil {
			return nil, fmt.Errorf("help %s: %w", name, err)
		}
		fmt.Fprintf(&w, ".SS %s %s\n%s.\n", program, roff(name), roff(strings.TrimSpace(strings.TrimPrefix(line, name))))
		w.WriteString(".PP\n")
		verbatim(&w, text)
	}
	if end != "" {
		w.WriteString(".SH NOTES\n")
		verbatim(&w, end)
	}
	fmt.Fprintf(&w, ".SH SEE ALSO\n.BR %s\n", other)
	return w.Bytes(), nil
}

// parts takes an overview apart: what stands before its list of commands, the
// lines of the list, and what stands after it.
func parts(overview string) (about string, commands []string, end string) {
	before, after, _ := cutFold(overview, "\ncommands:\n")
	list, end, _ := strings.Cut(after, "\n\n")
	for line := range strings.Lines(list) {
		if len(strings.Fields(line)) > 1 {
			commands = append(commands, strings.TrimSpace(line))
		}
	}
	return strings.TrimSpace(before), commands, strings.TrimSpace(end)
}

// cutFold is strings.Cut for a mark in any case.
func cutFold(s, mark string) (before, after string, found bool) {
	i := strings.Index(strings.ToLower(s), mark)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(mark):], true
}

// verbatim writes text line for line.
func verbatim(w *bytes.Buffer, text string) {
	w.WriteString(".nf\n")
	for line := range strings.Lines(strings.TrimSpace(text) + "\n") {
		w.WriteString(roff(strings.TrimRight(line, "\n")) + "\n")
	}
	w.WriteString(".fi\n")
}

var roffEscapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`)

// roff keeps roff from reading anything into a line.
func roff(line string) string {
	line = roffEscapes.Replace(line)
	if strings.HasPrefix(line, ".") {
		line = `\&` + line
	}
	return line
}
