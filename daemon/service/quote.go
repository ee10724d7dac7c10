package service

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// quoteArg writes one argument of an ExecStart= line: systemd splits the line at
// spaces, and expands $ and %.
func quoteArg(s string) string { return quote(s, "$$") }

// quoteWord writes a word of any other line that is split at spaces, and the
// program of an ExecStart= line: in those $ is a letter.
func quoteWord(s string) string { return quote(s, "$") }

func quote(s, dollar string) string {
	plain := true
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '%':
			b.WriteString("%%")
			continue
		case r == '$':
			b.WriteString(dollar)
			continue
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
		plain = plain && (r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("/._:=,@+-", r))
	}
	if plain && s != "" {
		return b.String()
	}
	return `"` + b.String() + `"`
}

// plainPath writes a path where systemd takes the rest of the line as it is.
func plainPath(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// checkText refuses what cannot stand in a unit file.
func checkText(what, s string) error {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return &Error{message: fmt.Sprintf("%s is not text: %q", what, s), hint: "choose another name"}
	}
	return nil
}

// checkPath refuses a path that cannot stand where plainPath is used.
func checkPath(what, s string) error {
	if err := checkText(what, s); err != nil {
		return err
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.TrimSpace(s) != s || strings.HasSuffix(s, `\`) {
		return &Error{message: fmt.Sprintf("%s has a name that a unit file cannot hold: %q", what, s), hint: "choose another name"}
	}
	return nil
}

// Error is an error with what to do about it.
type Error struct {
	message, hint string
	cause         error
}

func (e *Error) Error() string { return e.message }

// Hint says what to do.
func (e *Error) Hint() string  { return e.hint }
func (e *Error) Unwrap() error { return e.cause }
