package json

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Marshal writes v as JSON.
func Marshal(v any) ([]byte, error) { return appendValue(nil, reflect.ValueOf(v)) }

func appendValue(b []byte, v reflect.Value) ([]byte, error) {
	switch v.Kind() {
	case reflect.Invalid:
		return append(b, "null"...), nil
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		if v.IsNil() {
			return append(b, "null"...), nil
		}
	}
	if m, ok := v.Interface().(interface{ MarshalJSON() ([]byte, error) }); ok {
		text, err := m.MarshalJSON()
		return append(b, text...), err
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return appendValue(b, v.Elem())
	case reflect.Struct:
		return appendStruct(b, v)
	case reflect.Map:
		return appendMap(b, v)
	case reflect.Slice:
		return appendSlice(b, v)
	case reflect.String:
		return AppendString(b, v.String()), nil
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(b, v.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(b, v.Uint(), 10), nil
	}
	return nil, errors.New("no JSON for a " + v.Type().String())
}

func appendStruct(b []byte, v reflect.Value) (_ []byte, err error) {
	b = append(b, '{')
	first := true
	for _, f := range fieldsOf(v.Type()) {
		fv := v.Field(f.index)
		if f.omitEmpty && isEmpty(fv) || f.omitZero && isZero(fv) {
			continue
		}
		if b, err = appendMember(b, first, f.name, fv); err != nil {
			return nil, err
		}
		first = false
	}
	return append(b, '}'), nil
}

// appendMap writes the keys in their order.
func appendMap(b []byte, v reflect.Value) (_ []byte, err error) {
	if v.Type().Key().Kind() != reflect.String {
		return nil, errors.New("no JSON for a " + v.Type().String())
	}
	members := map[string]reflect.Value{}
	for i := v.MapRange(); i.Next(); {
		members[i.Key().String()] = i.Value()
	}
	b = append(b, '{')
	for i, name := range slices.Sorted(maps.Keys(members)) {
		if b, err = appendMember(b, i == 0, name, members[name]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendMember(b []byte, first bool, name string, v reflect.Value) ([]byte, error) {
	if !first {
		b = append(b, ',')
	}
	return appendValue(append(AppendString(b, name), ':'), v)
}

func appendSlice(b []byte, v reflect.Value) (_ []byte, err error) {
	if v.Type().Elem().Kind() == reflect.Uint8 { // encoding/json has base64 there
		return nil, errors.New("no JSON for bytes")
	}
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendValue(b, v.Index(i)); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// AppendString appends s as JSON has it: what has to be escaped, and the two line
// ends that JavaScript once did not have in its strings.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	for s != "" {
		n := 0
		for n < len(s) && ' ' <= s[n] && s[n] < utf8.RuneSelf && s[n] != '"' && s[n] != '\\' {
			n++
		}
		b = append(b, s[:n]...)
		if s = s[n:]; s != "" {
			var r rune
			r, n = utf8.DecodeRuneInString(s)
			b = appendRune(b, r, n)
			s = s[n:]
		}
	}
	return append(b, '"')
}

// appendRune appends one that is not simply ASCII; size is that of what it was read
// from, as no UTF-8 reads as U+FFFD, of 1 byte.
func appendRune(b []byte, r rune, size int) []byte {
	const hex = "0123456789abcdef"
	short := strings.IndexRune("\b\f\n\r\t\"\\", r)
	switch {
	case short >= 0:
		return append(b, '\\', `bfnrt"\`[short])
	case r < ' ':
		return append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
	case r == '\u2028', r == '\u2029':
		return append(append(b, `\u202`...), hex[r&15])
	case r == utf8.RuneError && size == 1:
		return append(b, `\ufffd`...)
	}
	return utf8.AppendRune(b, r)
}
