package npm

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"rotd/daemon/rotate"
)

// fields is a JSON object of the registry's, read leniently: a field of an
// unexpected type is one that was not told.
type fields map[string]any

// UnmarshalJSON takes an object; anything else tells nothing.
func (f *fields) UnmarshalJSON(b []byte) error {
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		if _, syntax := err.(*json.SyntaxError); syntax {
			return err
		}
	}
	*f = m
	return nil
}

// text is the first of the named fields that is a string and not empty.
func (f fields) text(names ...string) string {
	for _, n := range names {
		if s, ok := f[n].(string); ok && s != "" {
			return s
		}
	}
	return ""
}

// told reports whether one of the named fields is there, null or not.
func (f fields) told(names ...string) bool {
	for _, n := range names {
		if _, ok := f[n]; ok {
			return true
		}
	}
	return false
}

// null reports whether the registry told that there is no such thing: one of
// the named fields is null, and none holds a value.
func (f fields) null(names ...string) bool {
	for _, n := range names {
		if f[n] != nil {
			return false
		}
	}
	return f.told(names...)
}

// texts collects the strings of the named fields: a list, or a single one.
func (f fields) texts(names ...string) []string {
	var all []string
	for _, n := range names {
		switch v := f[n].(type) {
		case string:
			all = append(all, strings.FieldsFunc(v, func(c rune) bool { return c == ',' || c == ' ' })...)
		case []any:
			for _, e := range v {
				if s, ok := e.(string); ok {
					all = append(all, s)
				}
			}
		}
	}
	return all
}

// list reports whether the named field is a list, if only an empty one.
func (f fields) list(name string) bool {
	_, ok := f[name].([]any)
	return ok
}

// objects is a field that is a list of objects.
func (f fields) objects(name string) []fields {
	var all []fields
	list, _ := f[name].([]any)
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}

func (f fields) truth(name string) (value, told bool) {
	value, told = f[name].(bool)
	return value, told
}

// when reads a time, written as RFC 3339, as a date, or as milliseconds; the
// zero time for anything else.
func (f fields) when(names ...string) time.Time {
	for _, n := range names {
		switch v := f[n].(type) {
		case string:
			for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateTime, time.DateOnly} {
				if t, err := time.Parse(layout, v); err == nil {
					return t
				}
			}
		case float64:
			if v > 1e11 && v < 1e14 {
				return time.UnixMilli(int64(v)).UTC()
			}
		}
	}
	return time.Time{}
}

// id is the first of the named fields that is a string or a whole number.
func (f fields) id(names ...string) string {
	for _, n := range names {
		if v, ok := f[n].(float64); ok && v >= 0 && v < 1<<53 && v == float64(int64(v)) {
			return strconv.FormatInt(int64(v), 10)
		}
		if s := f.text(n); s != "" {
			return s
		}
	}
	return ""
}

// revoked reports a token that is listed as one that was.
func (f fields) revoked() bool {
	at, _ := f["revoked"].(string)
	yes, _ := f.truth("revoked")
	return yes || at != "" && at != "false"
}

// token is what a rotation needs of a listed or a new token. Where the
// registry names no time of creation it is now.
func (f fields) token(now time.Time) rotate.Token {
	t := rotate.Token{Key: f.id("key", "id", "uuid", "token_id"), Name: f.text("name", "token_name"), Created: f.when("created"), Expires: f.when("expiry", "expires")}
	if !keyLike.MatchString(t.Key) {
		t.Key = ""
	}
	if t.Created.IsZero() {
		t.Created = now
	}
	return t
}
