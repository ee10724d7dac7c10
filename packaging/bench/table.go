package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The columns, 80 characters together.
const (
	labelWidth = 42
	valueWidth = 22
	goalWidth  = 13
)

// table prints what was measured of the lines.
func table(lines []line, all measured) string {
	var b strings.Builder
	for _, l := range lines {
		if l.bench == "" {
			b.WriteString("\n" + l.label + "\n")
			continue
		}
		value, text, ok := l.measure(all)
		if !ok {
			text = "not measured"
		}
		row := pad(l.label, labelWidth) + " " + pad(text, valueWidth)
		if l.goal.sign != "" {
			row += " " + pad(l.goal.text(l), goalWidth)
			switch {
			case !ok:
			case l.goal.reached(value):
				row += "✓"
			default:
				row += "✗"
			}
		}
		b.WriteString(strings.TrimRight(row, " ") + "\n")
	}
	return b.String()
}

// measure is the line's figure, or its ratio to another with that one behind it.
func (l line) measure(all measured) (value float64, text string, ok bool) {
	value, ok = all[l.bench][l.value]
	if !ok || l.by == "" {
		return value, figure(value, l.unit), ok
	}
	by := all[l.bench][l.by]
	if by == 0 {
		return 0, "", false
	}
	return value / by, fmt.Sprintf("%.2f × %s", value/by, figure(by, l.unit)), true
}

func (g goal) reached(v float64) bool {
	if g.sign == "≤" {
		return v <= g.value
	}
	return v >= g.value
}

func (g goal) text(l line) string {
	if l.by != "" {
		return fmt.Sprintf("%s %.1f ×", g.sign, g.value)
	}
	return g.sign + " " + figure(g.value, l.unit)
}

// figure prints a number with the digits that mean something.
func figure(v float64, unit string) string {
	text := fmt.Sprintf("%.0f", v)
	switch {
	case v == float64(int(v)):
	case v < 10:
		text = fmt.Sprintf("%.2f", v)
	case v < 100:
		text = fmt.Sprintf("%.1f", v)
	}
	if len(text) > 4 && !strings.Contains(text, ".") {
		text = text[:len(text)-3] + " " + text[len(text)-3:]
	}
	if strings.HasPrefix(unit, "/") {
		return text + unit
	}
	return strings.TrimSpace(text + " " + unit)
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}
