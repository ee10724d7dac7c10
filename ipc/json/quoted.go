package json

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted reads the string that is next. What is not UTF-8 becomes U+FFFD. What it
// returns may be a part of the text.
func (r *reader) quoted() ([]byte, error) {
	r.at++
	start := r.at
	for r.at < len(r.text) && ' ' <= r.text[r.at] && r.text[r.at] < utf8.RuneSelf && r.text[r.at] != '"' && r.text[r.at] != '\\' {
		r.at++
	}
	b := r.text[start:r.at:r.at]
	for r.at < len(r.text) {
		c := r.text[r.at]
		switch {
		case c == '"':
			r.at++
			return b, nil
		case c == '\\':
			char, ok := r.escaped()
			if !ok {
				return nil, ErrSyntax
			}
			b = utf8.AppendRune(b, char)
		case c < ' ':
			return nil, ErrSyntax
		default:
			char, n := utf8.DecodeRune(r.text[r.at:])
			b = utf8.AppendRune(b, char)
			r.at += n
		}
	}
	return nil, ErrSyntax
}

// escaped reads what a backslash begins.
func (r *reader) escaped() (rune, bool) {
	if r.at+1 == len(r.text) {
		return 0, false
	}
	c := r.text[r.at+1]
	if c != 'u' {
		r.at += 2
		i := strings.IndexByte(`"\/bfnrt`, c)
		if i < 0 {
			return 0, false
		}
		return rune("\"\\/\b\f\n\r\t"[i]), true
	}
	char, ok := r.unicode()
	if !ok || !utf16.IsSurrogate(char) {
		return char, ok
	}
	// Half of a character: the other half, or nothing that can be said.
	next := *r
	low, ok := next.unicode()
	if both := utf16.DecodeRune(char, low); ok && both != utf8.RuneError {
		*r = next
		return both, true
	}
	return utf8.RuneError, true
}

// unicode reads \uXXXX.
func (r *reader) unicode() (rune, bool) {
	if len(r.text) < r.at+6 || r.text[r.at] != '\\' || r.text[r.at+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(r.text[r.at+2:r.at+6]), 16, 16)
	r.at += 6
	return rune(n), err == nil
}
