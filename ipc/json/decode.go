package json

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"
	"strings"
)

// What is wrong with what was read.
var (
	ErrSyntax = errors.New("it is not JSON, or cut off")
	ErrForm   = errors.New("its JSON has another form")
)

// maxDepth is far more than any message has; it keeps the stack small.
const maxDepth = 100

// Unmarshal reads one JSON value into what v points to.
func Unmarshal(text []byte, v any) error {
	r := reader{text: text}
	if err := r.value(reflect.ValueOf(v).Elem(), 0); err != nil {
		return err
	}
	if r.peek(); r.at < len(text) {
		return ErrSyntax
	}
	return nil
}

type reader struct {
	text  []byte
	at    int
	known map[reflect.Type][]field
}

// peek skips white space and returns the next byte, 0 at the end.
func (r *reader) peek() byte {
	for ; r.at < len(r.text); r.at++ {
		if c := r.text[r.at]; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c
		}
	}
	return 0
}

// eat skips white space and the byte c, where that is next.
func (r *reader) eat(c byte) bool {
	if r.peek() != c || r.at == len(r.text) {
		return false
	}
	r.at++
	return true
}

// value reads a value into v. The invalid v is one that is not wanted.
func (r *reader) value(v reflect.Value, depth int) error {
	c := r.peek()
	if depth > maxDepth {
		return ErrForm
	}
	if v.IsValid() {
		if v.Kind() == reflect.Pointer && c != 'n' {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			return r.value(v.Elem(), depth)
		}
		if u, ok := v.Addr().Interface().(interface{ UnmarshalJSON([]byte) error }); ok {
			return r.whole(u.UnmarshalJSON, depth)
		}
	}
	switch c {
	case '{':
		return r.object(v, depth)
	case '[':
		return r.array(v, depth)
	case '"':
		s, err := r.quoted()
		if err == nil && v.IsValid() {
			if v.Kind() != reflect.String {
				return ErrForm
			}
			v.SetString(string(s))
		}
		return err
	case 't', 'f', 'n':
		return r.word(v)
	default:
		return r.number(v)
	}
}

// whole hands the text of the next value to a method that reads it.
func (r *reader) whole(read func([]byte) error, depth int) error {
	start := r.at
	if err := r.value(reflect.Value{}, depth); err != nil {
		return err
	}
	if read(r.text[start:r.at]) != nil {
		return ErrForm
	}
	return nil
}

// fieldsOf is fieldsOf, which a long list asks for the same struct at each element.
func (r *reader) fieldsOf(t reflect.Type) []field {
	all, ok := r.known[t]
	if !ok {
		all = fieldsOf(t)
		if r.known == nil {
			r.known = make(map[reflect.Type][]field)
		}
		r.known[t] = all
	}
	return all
}

func (r *reader) object(v reflect.Value, depth int) error {
	var fields []field
	if v.IsValid() {
		if v.Kind() != reflect.Struct {
			return ErrForm
		}
		fields = r.fieldsOf(v.Type())
	}
	r.at++
	next := 0 // members come in the order of the fields, as a rule
	for more := !r.eat('}'); more; {
		if r.peek() != '"' {
			return ErrSyntax
		}
		name, err := r.quoted()
		if err != nil {
			return err
		}
		if !r.eat(':') {
			return ErrSyntax
		}
		var member reflect.Value
		if i := find(fields, name, next); i >= 0 {
			member, next = v.Field(fields[i].index), i+1
		}
		if err := r.value(member, depth+1); err != nil {
			return err
		}
		if more = r.eat(','); !more && !r.eat('}') {
			return ErrSyntax
		}
	}
	return nil
}

// find returns the index of a field in fields: by its name, else by its name in other
// case; -1: there is none. It begins at one of them.
func find(fields []field, name []byte, begin int) int {
	for n := range fields {
		if i := (begin + n) % len(fields); fields[i].name == string(name) {
			return i
		}
	}
	for i, f := range fields {
		if strings.EqualFold(f.name, string(name)) {
			return i
		}
	}
	return -1
}

func (r *reader) array(v reflect.Value, depth int) error {
	if v.IsValid() {
		if v.Kind() != reflect.Slice {
			return ErrForm
		}
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	}
	r.at++
	for more := !r.eat(']'); more; {
		var element reflect.Value
		if v.IsValid() {
			n := v.Len()
			if n == v.Cap() {
				v.Grow(max(1, n))
			}
			v.SetLen(n + 1)
			element = v.Index(n)
		}
		if err := r.value(element, depth+1); err != nil {
			return err
		}
		if more = r.eat(','); !more && !r.eat(']') {
			return ErrSyntax
		}
	}
	return nil
}

// word reads true, false or null, which changes nothing but what can be nil.
func (r *reader) word(v reflect.Value) error {
	for _, word := range []string{"true", "false", "null"} {
		if !bytes.HasPrefix(r.text[r.at:], []byte(word)) {
			continue
		}
		r.at += len(word)
		switch {
		case !v.IsValid():
		case word == "null":
			switch v.Kind() {
			case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
				v.SetZero()
			}
		case v.Kind() != reflect.Bool:
			return ErrForm
		default:
			v.SetBool(word == "true")
		}
		return nil
	}
	return ErrSyntax
}

func (r *reader) number(v reflect.Value) error {
	start := r.at
	if r.at < len(r.text) && r.text[r.at] == '-' {
		r.at++
	}
	if zero := r.at; !r.digits() || r.text[zero] == '0' && r.at > zero+1 {
		return ErrSyntax
	}
	if r.at < len(r.text) && r.text[r.at] == '.' {
		r.at++
		if !r.digits() {
			return ErrSyntax
		}
	}
	if r.at < len(r.text) && r.text[r.at]|0x20 == 'e' {
		r.at++
		if r.at < len(r.text) && (r.text[r.at] == '+' || r.text[r.at] == '-') {
			r.at++
		}
		if !r.digits() {
			return ErrSyntax
		}
	}
	if !v.IsValid() {
		return nil
	}
	return setNumber(v, string(r.text[start:r.at]))
}

// digits skips at least one.
func (r *reader) digits() bool {
	start := r.at
	for r.at < len(r.text) && '0' <= r.text[r.at] && r.text[r.at] <= '9' {
		r.at++
	}
	return r.at > start
}

func setNumber(v reflect.Value, text string) error {
	var err error
	switch v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var n int64
		if n, err = strconv.ParseInt(text, 10, v.Type().Bits()); err == nil {
			v.SetInt(n)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var n uint64
		if n, err = strconv.ParseUint(text, 10, v.Type().Bits()); err == nil {
			v.SetUint(n)
		}
	default:
		return ErrForm
	}
	if err != nil {
		return ErrForm
	}
	return nil
}
