package npmrc

import (
	"errors"
	"strings"

	"rotd/ipc/fmt"
	"rotd/ipc/secret"
)

// Report says what was done to a file, and what else it has of the same kind.
type Report struct {
	Key     string // //host/path/:_authToken
	Line    int    // of the setting, from 1
	Added   bool   // the line is new
	Changed bool   // the file is not what it was
	// Others are lines of the file, as it is now, that look like the setting and
	// are not it: an earlier one of the same key, one without the final slash, one
	// below a [section]. What they hold stays in the file.
	Others []int
	// Moved are the scopes that had another registry.
	Moved []string

	// Set by Update and Remove only.
	Path      string // of the file, symbolic links followed
	Tightened bool   // others could read the file, and cannot any more
}

// ErrValue says that a value cannot stand in an .npmrc.
var ErrValue = errors.New("the value has characters that an .npmrc cannot carry")

// ErrNotText says that the file is not an .npmrc.
var ErrNotText = errors.New("it is not a text file")

// PlaceholderError says that the setting names an environment variable, and is
// not overwritten.
type PlaceholderError struct {
	Key         string
	Line        int
	Placeholder string // "${NPM_TOKEN}", without what may stand beside it
}

func (e *PlaceholderError) Error() string {
	return fmt.Sprintf("line %d takes its value from the environment: %s=%s", e.Line, e.Key, e.Placeholder)
}

// ListError says that the setting is spelled as a list, of which npm takes all
// the elements as one value.
type ListError struct {
	Key  string
	Line int
}

func (e *ListError) Error() string {
	return fmt.Sprintf("line %d makes a list of it: %s[]", e.Line, e.Key)
}

// Edit returns src with the token of a registry set to value. An error leaves
// nothing changed: *PlaceholderError, *ListError, or one that wraps
// ErrRegistry, ErrValue or ErrNotText.
func Edit(src []byte, registry string, value secret.Text) ([]byte, Report, error) {
	return editAll(src, registry, value, nil)
}

// Override is Edit for a copy that only one process reads: it puts the value in
// the place of a placeholder too.
func Override(src []byte, registry string, value secret.Text) ([]byte, Report, error) {
	key, err := Key(registry)
	if err != nil {
		return nil, Report{}, err
	}
	return set(src, key, value.Reveal(), true)
}

// Cut returns src without the line that sets a registry's token. A line that
// Edit would leave alone is left alone, with the same error. What Edit has
// added to a file, Cut takes out of it, to the byte. An earlier line of the same
// key counts again then; it is among the Others.
func Cut(src []byte, registry string) ([]byte, Report, error) {
	return cutAll(src, registry, nil)
}

// set gives a setting its value.
func set(src []byte, key, value string, override bool) ([]byte, Report, error) {
	if !writable(value) {
		return nil, Report{}, ErrValue
	}
	text := string(src)
	if strings.ContainsRune(text, 0) {
		return nil, Report{}, ErrNotText
	}
	settings := parse(text)
	rep := Report{Key: key}
	at := find(settings, key)
	if at < 0 {
		out, line := insert(text, settings, key+"="+value)
		rep.Line, rep.Added, rep.Changed = line, true, true
		return []byte(out), rep, nil
	}
	s := settings[at]
	rep.Line = s.line
	if err := s.untouchable(text, key, override); err != nil {
		return nil, Report{}, err
	}
	if s.hasValue && s.value == value {
		return src, rep, nil
	}
	equal := ""
	if !s.hasValue {
		equal = "="
	}
	rep.Changed = true
	return []byte(text[:s.valueAt] + equal + value + text[s.valueEnd:]), rep, nil
}

// cut takes a setting's line out, where its value is one that ours tells.
func cut(src []byte, key string, ours func(value string) bool) ([]byte, Report, error) {
	text := string(src)
	settings := parse(text)
	rep := Report{Key: key}
	at := find(settings, key)
	if at < 0 || !ours(settings[at].value) {
		return src, rep, nil
	}
	s := settings[at]
	if err := s.untouchable(text, key, false); err != nil {
		return nil, Report{}, err
	}
	rep.Line, rep.Changed = s.line, true
	before := text[:s.start]
	if s.next == s.end { // the last line, without an end: so is the one before it, then
		before = strings.TrimSuffix(strings.TrimSuffix(before, "\n"), "\r")
	}
	return []byte(before + text[s.next:]), rep, nil
}

// untouchable says why the setting's value is not ours to change.
func (s setting) untouchable(text, key string, override bool) error {
	switch spelled := text[s.valueAt:s.valueEnd]; {
	case s.list:
		return &ListError{Key: key, Line: s.line}
	case strings.Contains(spelled, "${") && !override:
		return &PlaceholderError{Key: key, Line: s.line, Placeholder: Placeholder(spelled)}
	}
	return nil
}

// Placeholder is the first variable that a value names, "${NPM_TOKEN}", and ""
// where there is none. What stands beside it may be a secret.
func Placeholder(value string) string {
	_, rest, ok := strings.Cut(value, "${")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "}")
	if name == rest { // it has no end, and may be anything
		name = "…"
	}
	return "${" + name + "}"
}

// find returns the index of the setting of a key that npm reads, or -1. That is
// the last one, and any one that makes a list of it.
func find(settings []setting, key string) int {
	at := -1
	for i, s := range settings {
		if s.key == key && !s.section && (at < 0 || !settings[at].list) { // nothing takes the list back
			at = i
		}
	}
	return at
}

// others are the lines of src that look like the setting of a key and are not
// the one that npm reads.
func others(src []byte, key string) (lines []int) {
	settings := parse(string(src))
	at := find(settings, key)
	variant := strings.Replace(key, "/"+tokenSetting, tokenSetting, 1)
	for i, s := range settings {
		if i != at && (s.key == variant || s.key == key) {
			lines = append(lines, s.line)
		}
	}
	return lines
}

// writable tells whether npm reads value back as it is: no comment, quote,
// escape, space or variable in it, and not a word that ini makes a constant of.
func writable(value string) bool {
	switch value {
	case "", "true", "false", "null":
		return false
	}
	for i := range len(value) {
		if c := value[i]; c <= ' ' || c > '~' || strings.IndexByte(";#\\\"'`", c) >= 0 {
			return false
		}
	}
	return !strings.Contains(value, "${")
}
