package npmrc

import (
	"strings"

	"rotd/ipc/json"
)

// setting is a line of the file that sets something, in the words of npm's ini:
// what it does not match, a comment or an empty line, is no setting.
type setting struct {
	line       int // from 1
	start, end int // of the line, without its end
	next       int // where the next line starts
	key        string
	list       bool // key[]
	section    bool // it stands below a [section], where npm does not look
	hasValue   bool // there is an equal sign
	valueAt    int  // the value as it is spelled, quotes included, comment not
	valueEnd   int
	value      string // as npm reads it
}

// parse returns the settings of src in their order.
func parse(src string) []setting {
	var (
		all       []setting
		inSection bool
	)
	n := 0
	for at := 0; at < len(src); {
		n++
		end := len(src)
		if i := strings.IndexAny(src[at:], "\r\n"); i >= 0 {
			end = at + i
		}
		next := afterLineEnd(src, end)
		line := src[at:end]
		if isSection(line) {
			inSection = true
		} else if s, ok := parseLine(line, at); ok {
			s.line, s.start, s.end, s.next, s.section = n, at, end, next, inSection
			all = append(all, s)
		}
		at = next
	}
	return all
}

// afterLineEnd skips one line end: \n, \r\n, or the \r of a very old file.
func afterLineEnd(src string, at int) int {
	if strings.HasPrefix(src[at:], "\r\n") {
		return at + 2
	}
	return min(at+1, len(src))
}

// isSection is ini's ^\[([^\]]*)\]\s*$, with the bracket in the first column.
func isSection(line string) bool {
	if !strings.HasPrefix(line, "[") {
		return false
	}
	close := strings.IndexByte(line, ']')
	return close > 0 && trim(line[close+1:]) == ""
}

// parseLine is ini's ^([^=]+)(=(.*))?$. The line starts at byte at of the file.
func parseLine(line string, at int) (setting, bool) {
	t := trim(line)
	if t == "" || t[0] == ';' || t[0] == '#' {
		return setting{}, false
	}
	rawKey, rawValue, hasValue := strings.Cut(line, "=")
	// To a regular expression of JavaScript the dot is no line separator.
	if rawKey == "" || strings.ContainsAny(rawValue, "\u2028\u2029") {
		return setting{}, false
	}
	var s setting
	s.hasValue = hasValue
	s.key, _ = unsafe(rawKey)
	if len(s.key) > 2 && strings.HasSuffix(s.key, "[]") {
		s.key, s.list = s.key[:len(s.key)-2], true
	}
	if !hasValue {
		s.valueAt, s.valueEnd = at+len(line), at+len(line)
		return s, true
	}
	var spelled int
	s.value, spelled = unsafe(rawValue)
	s.valueAt = at + len(rawKey) + 1 + len(rawValue) - len(trimLeft(rawValue))
	s.valueEnd = s.valueAt + spelled
	return s, true
}

// unsafe is ini's function of that name: it takes quotes, escapes and the
// comment off. It also tells how many bytes of the trimmed raw are the value,
// without the comment.
func unsafe(raw string) (value string, spelled int) {
	raw = trim(raw)
	if isQuoted(raw) {
		return unquote(raw), len(raw)
	}
	var b strings.Builder
	end := len(raw)
	escaped := false
walk:
	for i := range len(raw) {
		c := raw[i]
		switch {
		case escaped:
			if c != '\\' && c != ';' && c != '#' {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
			escaped = false
		case c == ';' || c == '#':
			end = i
			break walk
		case c == '\\':
			escaped = true
		default:
			b.WriteByte(c)
		}
	}
	if escaped {
		b.WriteByte('\\')
	}
	return trim(b.String()), len(trimRight(raw[:end]))
}

func isQuoted(s string) bool {
	return strings.HasPrefix(s, `"`) && strings.HasSuffix(s, `"`) ||
		strings.HasPrefix(s, `'`) && strings.HasSuffix(s, `'`)
}

func unquote(s string) string {
	if s[0] == '\'' {
		s = s[1:max(1, len(s)-1)]
	}
	var v string
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		return s
	}
	return v
}

// space is what JavaScript's trim takes off: not what Go's does.
func space(r rune) bool {
	switch {
	case r >= '\t' && r <= '\r', r == ' ', r == 0xa0, r == 0x1680, r >= 0x2000 && r <= 0x200a,
		r == 0x2028, r == 0x2029, r == 0x202f, r == 0x205f, r == 0x3000, r == 0xfeff:
		return true
	}
	return false
}

func trim(s string) string      { return strings.TrimFunc(s, space) }
func trimLeft(s string) string  { return strings.TrimLeftFunc(s, space) }
func trimRight(s string) string { return strings.TrimRightFunc(s, space) }
