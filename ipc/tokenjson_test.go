package ipc

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"rotd/ipc/secret"
)

// TestTokenAsJSON: what is written by hand is what encoding/json writes, of every field.
func TestTokenAsJSON(t *testing.T) {
	whole := Token{
		ROT: "rot://rot_a2c4", Generation: 17, Value: secret.NewWire("npm_EXAMPLE"),
		Expires: new(time.Date(2027, 2, 28, 16, 9, 26, 224_000_000, time.UTC)), Registry: "http://localhost:4873/a\"b\\c\né\u2028\x7f",
		DefaultRegistry: true, Lease: true,
	}
	v := reflect.ValueOf(whole)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s is not tested", v.Type().Field(i).Name)
		}
	}
	for _, tok := range []Token{{}, whole, {Value: secret.NewWire("a")}, {Expires: new(time.Date(2027, 2, 28, 16, 9, 26, 0, time.UTC))}, {ROT: "\xff", Lease: true}, {Generation: -1, DefaultRegistry: true}} {
		want, err := json.Marshal(tok)
		if err != nil {
			t.Fatal(err)
		}
		if got := tok.AppendJSON([]byte("x")); string(got) != "x"+string(want) {
			t.Errorf("%s, want %s", got[1:], want)
		}
	}
}
