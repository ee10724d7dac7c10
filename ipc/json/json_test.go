package json_test

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rotd/ipc"
	"rotd/ipc/json"
	"rotd/ipc/secret"
)

// messages are some of package ipc's, and others are fields of these.
var messages = []any{
	ipc.Answer{}, ipc.Approve{}, ipc.Connect{}, ipc.Deliver{}, ipc.Doctor{}, ipc.ErrorBody{}, ipc.Event{}, ipc.LogEntry{}, ipc.Remove{},
	ipc.Revoke{}, ipc.Rotate{}, ipc.Status{}, ipc.Token{}, ipc.Version{},
}

// writtenByEncodingJSON is v as encoding/json has it without its HTML escapes.
func writtenByEncodingJSON(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := stdjson.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

var awkward = []string{"", "a", "<&>", "\"\\/", "\x00\b\f\n\r\t\x1f\x7f", "é€😀", "\u2028\u2029", "\xff\xc3(", "\ufffd", "𝄞"}

// fill gives v, and all in it, values of every kind, the empty ones too.
func fill(v reflect.Value, rnd *rand.Rand) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Unix(rnd.Int64N(1<<33), rnd.Int64N(2)*rnd.Int64N(1e9)).UTC()
		return
	case *secret.Wire:
		*x = secret.NewWire(awkward[rnd.IntN(len(awkward))])
		return
	}
	if v.Kind() != reflect.Struct && rnd.IntN(4) == 0 {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), rnd)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), rnd)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rnd.IntN(3), 3))
		for i := range v.Len() {
			fill(v.Index(i), rnd)
		}
	case reflect.String:
		v.SetString(awkward[rnd.IntN(len(awkward))])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64, reflect.Int32:
		v.SetInt(int64(rnd.Uint32()) - 1<<31)
	case reflect.Uint32:
		v.SetUint(uint64(rnd.Uint32()))
	default:
		panic("a message has a " + v.Type().String())
	}
}

func TestMessagesAreThoseOfEncodingJSON(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		for _, m := range messages {
			v := reflect.New(reflect.TypeOf(m))
			fill(v.Elem(), rnd)
			want := writtenByEncodingJSON(t, v.Interface())
			got, err := json.Marshal(v.Interface())
			if err != nil || string(got) != want {
				t.Fatalf("%T, %v: (-want +got)\n%s", m, err, cmp.Diff(want, string(got)))
			}
			ours, theirs := reflect.New(reflect.TypeOf(m)), reflect.New(reflect.TypeOf(m))
			if err := errors.Join(json.Unmarshal(got, ours.Interface()), stdjson.Unmarshal(got, theirs.Interface())); err != nil {
				t.Fatalf("%T: %v\n%s", m, err, got)
			}
			if !reflect.DeepEqual(ours.Interface(), theirs.Interface()) {
				t.Fatalf("%T is read in another way: %s", m, got)
			}
		}
	}
}

// TestMessagesAreMadeOfWhatIsKnown reads the source of package ipc: a message
// that is not among those above is made of the same.
func TestMessagesAreMadeOfWhatIsKnown(t *testing.T) {
	files, _ := filepath.Glob("../*.go")
	seen := 0
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			message, ok := n.(*ast.StructType)
			if !ok {
				return true
			}
			for _, f := range message.Fields.List {
				if f.Tag == nil {
					continue // no message, and none of the tagged ones is embedded
				}
				seen++
				if len(f.Names) != 1 || !known(f.Type) {
					t.Errorf("%s: the field with %s is of a type that package json does not know", name, f.Tag.Value)
				}
			}
			return true
		})
	}
	if seen < 100 {
		t.Errorf("only %d fields were found", seen)
	}
}

// known tells whether fill makes values of the type.
func known(expr ast.Expr) bool {
	switch x := expr.(type) {
	case *ast.StarExpr:
		return known(x.X)
	case *ast.ArrayType:
		return x.Len == nil && known(x.Elt)
	case *ast.SelectorExpr:
		pkg, _ := x.X.(*ast.Ident)
		return pkg != nil && (pkg.Name == "time" && x.Sel.Name == "Time" || pkg.Name == "secret" && x.Sel.Name == "Wire")
	case *ast.Ident:
		switch x.Name {
		case "string", "bool", "int", "int32", "int64", "uint32":
			return true
		}
		return ast.IsExported(x.Name) // another of the package's: a struct, or Code
	}
	return false
}

func TestWhatElseIsWritten(t *testing.T) {
	type named map[string]string
	for _, v := range []any{
		nil, map[string]any{"b": 1, "a": []string{"x"}, "c": nil}, named(nil), named{}, struct{ A, b int }{1, 2}, []*int{nil},
		struct {
			Skip string `json:"-"`
			Zero named  `json:",omitzero"`
		}{Skip: "x"},
		secret.New("EXAMPLE"), &ipc.Error{},
	} {
		want := writtenByEncodingJSON(t, v)
		if got, err := json.Marshal(v); err != nil || string(got) != want {
			t.Errorf("%#v: %s, %v, want %s", v, got, err, want)
		}
	}
	for _, v := range []any{1.5, []byte("x"), map[int]int{1: 1}, make(chan int), struct{ F func() }{func() {}}} {
		if got, err := json.Marshal(v); err == nil {
			t.Errorf("%T: %s, want an error", v, got)
		}
	}
}

func TestErrorsTellWhatIsWrong(t *testing.T) {
	for text, want := range map[string]error{
		"": json.ErrSyntax, `{"message":"cut`: json.ErrSyntax, `{} {}`: json.ErrSyntax, `{"retry_after":01}`: json.ErrSyntax,
		`{"message":1}`: json.ErrForm, `[]`: json.ErrForm, `{"retry_after":"x"}`: json.ErrForm, `{"retry_after":1.5}`: json.ErrForm,
		`{"retry_after":99999999999999999999}`: json.ErrForm, `{"x":` + strings.Repeat("[", 1<<20): json.ErrForm,
	} {
		if err := json.Unmarshal([]byte(text), new(ipc.Error)); !errors.Is(err, want) {
			t.Errorf("%.40s: %v, want %v", text, err, want)
		}
	}
	if err := json.Unmarshal([]byte(`{"created":"EXAMPLE"}`), new(ipc.Passcard)); !errors.Is(err, json.ErrForm) || strings.Contains(err.Error(), "EXAMPLE") {
		t.Errorf("a time that is none: %v", err)
	}
}

// FuzzUnmarshal reads what encoding/json reads, and refuses what that refuses.
func FuzzUnmarshal(f *testing.F) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, m := range messages {
		v := reflect.New(reflect.TypeOf(m))
		fill(v.Elem(), rnd)
		text, err := json.Marshal(v.Interface())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, s := range []string{
		`{"message":"\ud834\udd1e\ud834x\udd1e\u00e9\/\q"}`, `{"MESSAGE":"a","code":null}`, ` [ 1 , -0.5e+7, true,false,null ] `,
		`{"retry_after":1e2}`, `{"a":{"b":[{}]},"rots":null,"passcards":[]}`, `{"value":null}`, "{\"message\":\"\xff\t\"}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Count(s, "{")+strings.Count(s, "[") > 90 {
			t.Skip("deeper than what we read")
		}
		for _, m := range messages {
			ours, theirs := reflect.New(reflect.TypeOf(m)), reflect.New(reflect.TypeOf(m))
			err, stdErr := json.Unmarshal([]byte(s), ours.Interface()), stdjson.Unmarshal([]byte(s), theirs.Interface())
			if (err == nil) != (stdErr == nil) {
				t.Fatalf("%T: %v, encoding/json: %v", m, err, stdErr)
			}
			if err == nil && !reflect.DeepEqual(ours.Interface(), theirs.Interface()) {
				t.Fatalf("%T: %+v, encoding/json: %+v", m, ours, theirs)
			}
		}
	})
}

// FuzzString writes strings as encoding/json does, and reads them back.
func FuzzString(f *testing.F) {
	for _, s := range awkward {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := writtenByEncodingJSON(t, s)
		got, err := json.Marshal(s)
		if err != nil || string(got) != want {
			t.Fatalf("%q: %s, %v, want %s", s, got, err, want)
		}
		var back string
		if err := json.Unmarshal(got, &back); err != nil || back != string([]rune(s)) {
			t.Fatalf("%q comes back as %q, %v", s, back, err)
		}
	})
}
