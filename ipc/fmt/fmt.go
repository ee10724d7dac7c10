// Package fmt is as much of the standard library's fmt as the helper prints
// with, at a tenth of its size. Whoever imports it reads and writes the same:
//
//	%s     a string, an error, what has String
//	%d     a whole number
//	%v     all these, and true or false
//	%q     a string or a character, quoted
//	%w     an error, in Errorf
//	%-12s  any of them, filled up to 12 characters; %12s: with spaces before it
//
// The tests hold it against the standard library, and go vet looks at its calls
// as at that one's. Of anything else it prints the type and nothing of the value.
package fmt

import (
	"errors"
	stdfmt "fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Sprintf formats as the standard library's does.
func Sprintf(format string, args ...any) string {
	if false {
		_ = stdfmt.Sprintf(format, args...) // by this go vet knows what it is
	}
	return sprintf(format, args)
}

func sprintf(format string, args []any) string {
	var b strings.Builder
	for {
		text, rest, more := strings.Cut(format, "%")
		b.WriteString(text)
		if !more {
			break
		}
		left := strings.HasPrefix(rest, "-")
		verb := strings.TrimLeft(rest, "-0123456789")
		width, _ := strconv.Atoi(strings.TrimPrefix(rest[:len(rest)-len(verb)], "-"))
		switch {
		case verb == "":
			b.WriteString("%!(NOVERB)")
			return b.String()
		case verb[0] == '%':
			b.WriteByte('%')
		case len(args) == 0:
			b.WriteString("%!" + verb[:1] + "(MISSING)")
		default:
			value := format1(verb[0], args[0])
			fill := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(value)))
			if left {
				b.WriteString(value + fill)
			} else {
				b.WriteString(fill + value)
			}
			args = args[1:]
		}
		format = verb[1:]
	}
	if len(args) > 0 {
		b.WriteString("%!(EXTRA)")
	}
	return b.String()
}

// format1 formats one value.
func format1(verb byte, arg any) string {
	if verb != 'd' {
		switch x := arg.(type) {
		case error:
			arg = x.Error()
		case interface{ String() string }:
			arg = x.String()
		}
	}
	v := reflect.ValueOf(arg)
	switch v.Kind() {
	case reflect.String:
		switch verb {
		case 's', 'v', 'w':
			return v.String()
		case 'q':
			return strconv.Quote(v.String())
		}
	case reflect.Bool:
		if verb == 'v' {
			return strconv.FormatBool(v.Bool())
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		switch verb {
		case 'd', 'v':
			return strconv.FormatInt(v.Int(), 10)
		case 'q':
			return strconv.QuoteRune(rune(v.Int()))
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if verb == 'd' || verb == 'v' {
			return strconv.FormatUint(v.Uint(), 10)
		}
	case reflect.Invalid:
		return "<nil>"
	}
	return "%!" + string(verb) + "(" + v.Type().String() + ")"
}

// Fprintf writes what Sprintf makes.
func Fprintf(w io.Writer, format string, args ...any) (int, error) {
	if false {
		_, _ = stdfmt.Fprintf(w, format, args...)
	}
	return io.WriteString(w, sprintf(format, args))
}

// Errorf makes an error of what Sprintf makes. With %w it wraps the first of the
// arguments that is an error.
func Errorf(format string, args ...any) error {
	if false {
		_ = stdfmt.Errorf(format, args...)
	}
	text := sprintf(format, args)
	if strings.Contains(format, "%w") {
		for _, arg := range args {
			if err, ok := arg.(error); ok {
				return &wrapped{text, err}
			}
		}
	}
	return errors.New(text)
}

type wrapped struct {
	text string
	err  error
}

func (w *wrapped) Error() string { return w.text }

func (w *wrapped) Unwrap() error { return w.err }
