package json

import (
	"reflect"
	"strings"
)

// field is one of a struct's, by its json tag.
type field struct {
	index               int
	name                string
	omitEmpty, omitZero bool
}

func fieldsOf(t reflect.Type) []field {
	var all []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		options = "," + options + ","
		all = append(all, field{
			i, name, strings.Contains(options, ",omitempty,"), strings.Contains(options, ",omitzero,"),
		})
	}
	return all
}

// isEmpty is omitempty's: a struct never is.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

func isZero(v reflect.Value) bool {
	if z, ok := v.Interface().(interface{ IsZero() bool }); ok {
		return z.IsZero()
	}
	return v.IsZero()
}
