package npmrc

import (
	"cmp"
	"strings"
)

// insert adds a line where npm reads it: at the end, or, in a file with
// sections, after the last setting above the first of them. A file whose last
// line has no end keeps it so. It returns the number of the new line too.
func insert(text string, settings []setting, line string) (string, int) {
	at := len(text)
	if first := firstSection(text); first >= 0 {
		at = len(text) - len(strings.TrimPrefix(text, "\ufeff"))
		for _, s := range settings {
			if !s.section {
				at = s.next
			}
		}
	}
	before, end := text[:at], lineEnd(text[:at])
	switch {
	case end != "" || before == "" || before == "\ufeff":
		end = cmp.Or(end, lineEnd(text[:firstEnd(text)]), "\n")
		line += end
	default:
		before += cmp.Or(lineEnd(text[:firstEnd(text)]), "\n")
	}
	n := 1
	for i := 0; i < len(before); i++ {
		if before[i] == '\n' || before[i] == '\r' {
			i = afterLineEnd(before, i) - 1
			n++
		}
	}
	return before + line + text[at:], n
}

// lineEnd is what ends the last line of text: "\n", "\r\n", "\r", or nothing.
func lineEnd(text string) string {
	switch {
	case strings.HasSuffix(text, "\r\n"):
		return "\r\n"
	case strings.HasSuffix(text, "\n"), strings.HasSuffix(text, "\r"):
		return text[len(text)-1:]
	}
	return ""
}

// firstEnd is where the first line of text ends, its line end included.
func firstEnd(text string) int {
	if i := strings.IndexAny(text, "\r\n"); i >= 0 {
		return afterLineEnd(text, i)
	}
	return len(text)
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
