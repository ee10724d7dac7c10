package npmrc

import (
	"errors"
	"strings"

	"rotd/ipc/fmt"
	"rotd/ipc/secret"
)

// Report says what Edit did, and what else the file has for the same registry.
type Report struct {
	Key     string // //host/path/:_authToken
	Line    int    // of the setting, from 1
	Added   bool   // the line is new
	Changed bool   // the file is not what it was
	// Others are lines that look like the setting and are not read as it: an
	// earlier one of the same key, one without the final slash, one below a
	// [section]. What they hold stays in the file.
	Others []int

	// Set by Update only.
	Path      string // of the file, symbolic links followed
	Tightened bool   // others could read the file, and cannot any more
}

// ErrValue says that a value cannot stand in an .npmrc.
var ErrValue = errors.New("the value has characters that an .npmrc cannot carry")

// ErrNotText says that the file is not an .npmrc.
var ErrNotText = errors.New("it is not a text file")

// PlaceholderError says that the setting names an environment variable, which
// Edit does not overwrite.
type PlaceholderError struct {
	Key         string
	Line        int
	Placeholder string // as it stands there: "${NPM_TOKEN}"
}

func (e *PlaceholderError) Error() string {
	return fmt.Sprintf("line %d takes its token from the environment: %s=%s", e.Line, e.Key, e.Placeholder)
}

// ListError says that the setting is spelled as a list, of which npm sends all
// the elements as one token.
type ListError struct {
	Key  string
	Line int
}

func (e *ListError) Error() string {
	return fmt.Sprintf("line %d makes a list of the token: %s[]", e.Line, e.Key)
}

// Edit returns src with the token of a registry set to value. An error leaves
// nothing changed: *PlaceholderError, *ListError, or one that wraps
// ErrRegistry, ErrValue or ErrNotText.
func Edit(src []byte, registry string, value secret.Text) ([]byte, Report, error) {
	return set(src, registry, value, false)
}

// Override is Edit for a copy that only one process reads: it puts the value in
// the place of a placeholder too.
func Override(src []byte, registry string, value secret.Text) ([]byte, Report, error) {
	return set(src, registry, value, true)
}

// Cut returns src without the line that sets a registry's token. A line that
// Edit would leave alone is left alone, with the same error.
func Cut(src []byte, registry string) ([]byte, Report, error) {
	scope, err := scope(registry)
	if err != nil {
		return nil, Report{}, err
	}
	text := string(src)
	settings := parse(text)
	rep := Report{Key: scope + tokenSetting}
	at := find(settings, scope, &rep)
	if at < 0 {
		return src, rep, nil
	}
	s := settings[at]
	if err := s.untouchable(text, rep.Key, false); err != nil {
		return nil, Report{}, err
	}
	rep.Line, rep.Changed = s.line, true
	return []byte(text[:s.start] + text[s.next:]), rep, nil
}

// untouchable says why the setting's value is not ours to change.
func (s setting) untouchable(text, key string, override bool) error {
	switch spelled := text[s.valueAt:s.valueEnd]; {
	case s.list:
		return &ListError{Key: key, Line: s.line}
	case strings.Contains(spelled, "${") && !override:
		return &PlaceholderError{Key: key, Line: s.line, Placeholder: spelled}
	}
	return nil
}

// AddRegistry returns src with registry as the default one, unless src names
// one already.
func AddRegistry(src []byte, registry string) []byte {
	settings := parse(string(src))
	for _, s := range settings {
		if s.key == "registry" && !s.section {
			return src
		}
	}
	out, _ := insert(string(src), settings, "registry="+strings.TrimRight(registry, "/")+"/")
	return []byte(out)
}

func set(src []byte, registry string, value secret.Text, override bool) ([]byte, Report, error) {
	scope, err := scope(registry)
	if err != nil {
		return nil, Report{}, err
	}
	if !writable(value.Reveal()) {
		return nil, Report{}, ErrValue
	}
	text := string(src)
	if strings.ContainsRune(text, 0) {
		return nil, Report{}, ErrNotText
	}
	settings := parse(text)
	rep := Report{Key: scope + tokenSetting}
	at := find(settings, scope, &rep)
	if at < 0 {
		out, line := insert(text, settings, rep.Key+"="+value.Reveal())
		rep.Line, rep.Added, rep.Changed = line, true, true
		return []byte(out), rep, nil
	}
	s := settings[at]
	rep.Line = s.line
	if err := s.untouchable(text, rep.Key, override); err != nil {
		return nil, Report{}, err
	}
	if s.hasValue && s.value == value.Reveal() {
		return src, rep, nil
	}
	equal := ""
	if !s.hasValue {
		equal = "="
	}
	rep.Changed = true
	return []byte(text[:s.valueAt] + equal + value.Reveal() + text[s.valueEnd:]), rep, nil
}

// find returns the index of the setting that npm reads the token from, or -1.
// That is the last one of its key, and any one that makes a list of it.
func find(settings []setting, scope string, rep *Report) int {
	at := -1
	for i, s := range settings {
		if s.key == rep.Key && !s.section && (at < 0 || !settings[at].list) { // nothing takes the list back
			at = i
		}
	}
	variant := strings.TrimSuffix(scope, "/") + tokenSetting
	for i, s := range settings {
		if s.key == variant || s.key == rep.Key && (s.section || i < at) {
			rep.Others = append(rep.Others, s.line)
		}
	}
	return at
}

// insert adds a line where npm reads it: at the end, or, in a file with
// sections, after the last setting above the first of them. It returns the
// number of the new line too.
func insert(text string, settings []setting, line string) (string, int) {
	eol := "\n"
	if i := strings.IndexAny(text, "\r\n"); i >= 0 {
		eol = text[i:afterLineEnd(text, i)]
	}
	at := len(text)
	if first := firstSection(text); first >= 0 {
		at = len(text) - len(strings.TrimPrefix(text, "\ufeff"))
		for _, s := range settings {
			if !s.section {
				at = s.next
			}
		}
	}
	before := text[:at]
	if before != "" && !strings.HasSuffix(before, "\n") && !strings.HasSuffix(before, "\r") && before != "\ufeff" {
		before += eol
	}
	n := 1
	for i := 0; i < len(before); i++ {
		if before[i] == '\n' || before[i] == '\r' {
			i = afterLineEnd(before, i) - 1
			n++
		}
	}
	return before + line + eol + text[at:], n
}

// firstSection is where the first [section] starts, or -1.
func firstSection(text string) int {
	for at := 0; at < len(text); {
		end := len(text)
		if i := strings.IndexAny(text[at:], "\r\n"); i >= 0 {
			end = at + i
		}
		if isSection(text[at:end]) {
			return at
		}
		at = afterLineEnd(text, end)
	}
	return -1
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

// Lookup tells where src sets the registry's token and to what, if that is a
// placeholder; a literal value it keeps to itself.
func Lookup(src []byte, registry string) (line int, placeholder string, ok bool) {
	scope, err := scope(registry)
	if err != nil {
		return 0, "", false
	}
	settings := parse(string(src))
	at := find(settings, scope, &Report{Key: scope + tokenSetting})
	if at < 0 {
		return 0, "", false
	}
	if strings.HasPrefix(settings[at].value, "${") {
		placeholder = settings[at].value
	}
	return settings[at].line, placeholder, true
}
