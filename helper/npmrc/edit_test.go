package npmrc

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"rotd/ipc/secret"
)

const (
	registry = "http://localhost:4873/"
	key      = "//localhost:4873/:_authToken"
	value    = "npm_newEXAMPLE"
)

func TestEdit(t *testing.T) {
	const set = key + "=" + value
	for name, tc := range map[string]struct {
		src, want string
		others    []int
	}{
		"empty":                {"", set + "\n", nil},
		"replaced":             {key + "=npm_old\n", set + "\n", nil},
		"no final line end":    {"a=1\n" + key + "=npm_old", "a=1\n" + set, nil},
		"added, no line end":   {"a=1", "a=1\n" + set, nil},
		"added, CRLF":          {"a=1\r\nb=2\r\n", "a=1\r\nb=2\r\n" + set + "\r\n", nil},
		"added, CRLF, no end":  {"a=1\r\nb=2", "a=1\r\nb=2\r\n" + set, nil},
		"old Mac":              {"a=1\rb=2\r", "a=1\rb=2\r" + set + "\r", nil},
		"CRLF":                 {"a=1\r\n" + key + "=npm_old\r\nb=2\r\n", "a=1\r\n" + set + "\r\nb=2\r\n", nil},
		"byte order mark":      {"\ufeff" + key + "=npm_old\n", "\ufeff" + set + "\n", nil},
		"BOM only":             {"\ufeff", "\ufeff" + set + "\n", nil},
		"spaces":               {"  " + key + "  =  npm_old  \n", "  " + key + "  =  " + value + "  \n", nil},
		"tabs":                 {key + "\t=\tnpm_old\t\n", key + "\t=\t" + value + "\t\n", nil},
		"comment on the line":  {key + "=npm_old ; mine\n", key + "=" + value + " ; mine\n", nil},
		"comment, no value":    {key + "=;mine\n", key + "=" + value + ";mine\n", nil},
		"empty value":          {key + "=\n", set + "\n", nil},
		"no equal sign":        {key + " \na=1\n", key + " =" + value + "\na=1\n", nil},
		"double quotes":        {key + "=\"npm_old\"\n", set + "\n", nil},
		"single quotes":        {key + "='npm_old'\n", set + "\n", nil},
		"quoted key":           {`"` + key + "\"=npm_old\n", `"` + key + `"=` + value + "\n", nil},
		"equal sign in value":  {key + "=abc==\n", set + "\n", nil},
		"escaped comment":      {key + `=a\;b\#c` + "\n", set + "\n", nil},
		"commented out":        {"; " + key + "=npm_old\n#" + key + "=x\n", "; " + key + "=npm_old\n#" + key + "=x\n" + set + "\n", nil},
		"duplicates":           {key + "=a\nb=1\n" + key + "=c\n", key + "=a\nb=1\n" + set + "\n", []int{1}},
		"without slash":        {"//localhost:4873:_authToken=a\n", "//localhost:4873:_authToken=a\n" + set + "\n", []int{1}},
		"above a section":      {"a=1\n; about x\n[x]\nb=2\n", "a=1\n" + set + "\n; about x\n[x]\nb=2\n", nil},
		"only a section":       {"[x]\nb=2\n", set + "\n[x]\nb=2\n", nil},
		"below a section":      {"[x]\n" + key + "=a\n", set + "\n[x]\n" + key + "=a\n", []int{3}},
		"no section, indented": {" [x]\n" + key + "=a\n", " [x]\n" + set + "\n", nil},
		"another registry":     {"//localhost:4874/:_authToken=a\n", "//localhost:4874/:_authToken=a\n" + set + "\n", nil},
		"another setting":      {"//localhost:4873/:_auth=a\n", "//localhost:4873/:_auth=a\n" + set + "\n", nil},
		"not UTF-8":            {"a=\xff\n" + key + "=b\n", "a=\xff\n" + set + "\n", nil},
		"right already":        {"x=1\n" + key + " = \"" + value + "\" \n", "x=1\n" + key + " = \"" + value + "\" \n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, rep, err := Edit([]byte(tc.src), registry, secret.New(value))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
			if rep.Changed != (tc.src != tc.want) || fmt.Sprint(rep.Others) != fmt.Sprint(tc.others) || rep.Key != key {
				t.Errorf("report %+v, want others %v", rep, tc.others)
			}
			lines := strings.FieldsFunc(strings.ReplaceAll(string(got), "\r\n", "\n"), func(r rune) bool { return r == '\n' || r == '\r' })
			if !strings.Contains(lines[rep.Line-1], value) {
				t.Errorf("line %d is %q", rep.Line, lines[rep.Line-1])
			}
			again, rep, err := Edit(got, registry, secret.New(value))
			if err != nil || rep.Changed || string(again) != string(got) {
				t.Errorf("the second time: %q, %+v, %v", again, rep, err)
			}
		})
	}
}

func TestEditRefuses(t *testing.T) {
	long := strings.Repeat("x", 10)
	for name, tc := range map[string]struct {
		src, registry, value string
		want                 func(error) bool
	}{
		"placeholder":         {"a=1\n" + key + "=${NPM_TOKEN}\n", registry, value, isPlaceholder(2, "${NPM_TOKEN}")},
		"optional":            {key + "=${NPM_TOKEN?} ; from CI\n", registry, value, isPlaceholder(1, "${NPM_TOKEN?}")},
		"quoted placeholder":  {key + "=\"${NPM_TOKEN}\"\n", registry, value, isPlaceholder(1, "${NPM_TOKEN}")},
		"beside a secret":     {key + "=npm_EXAMPLE${A}npm_EXAMPLE\n", registry, value, isPlaceholder(1, "${A}")},
		"without its end":     {key + "=${npm_EXAMPLE\n", registry, value, isPlaceholder(1, "${…}")},
		"list":                {key + "[]=a\n", registry, value, isA[*ListError]},
		"plain, then list":    {key + "=a\n" + key + "[]=b\n", registry, value, isA[*ListError]},
		"list, then plain":    {key + "[]=a\n" + key + "=b\n", registry, value, isA[*ListError]},
		"binary":              {"\x00\x01", registry, value, is(ErrNotText)},
		"UTF-16":              {"\xff\xfea\x00=\x001\x00", registry, value, is(ErrNotText)},
		"empty value":         {"", registry, "", is(ErrValue)},
		"two lines":           {"", registry, "a\nregistry=evil", is(ErrValue)},
		"comment in value":    {"", registry, "a;b", is(ErrValue)},
		"variable in value":   {"", registry, "${HOME}", is(ErrValue)},
		"constant":            {"", registry, "true", is(ErrValue)},
		"no scheme":           {"", "localhost:4873", value, is(ErrRegistry)},
		"another scheme":      {"", "ftp://localhost", value, is(ErrRegistry)},
		"no host":             {"", "http:///x", value, is(ErrRegistry)},
		"user in the address": {"", "http://u:p@localhost", value, is(ErrRegistry)},
		"two lines, address":  {"", "http://localhost/\n" + long, value, is(ErrRegistry)},
		"comment, address":    {"", "http://localhost/;x", value, is(ErrRegistry)},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, err := Edit([]byte(tc.src), tc.registry, secret.New(tc.value))
			if out != nil || !tc.want(err) {
				t.Errorf("got %q, %v", out, err)
			}
			if tc.value != "" && err != nil && strings.Contains(err.Error(), tc.value) {
				t.Errorf("the error has the value: %v", err)
			}
		})
	}
}

func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }

func isA[E error](err error) bool { var e E; return errors.As(err, &e) }

func isPlaceholder(line int, text string) func(error) bool {
	return func(err error) bool {
		var p *PlaceholderError
		return errors.As(err, &p) && p.Line == line && p.Placeholder == text
	}
}

func TestOverridePutsTheValueInAPlaceholdersPlace(t *testing.T) {
	got, _, err := Override([]byte(key+"=${X} ; c\n"), registry, secret.New(value))
	if want := key + "=" + value + " ; c\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestKey(t *testing.T) {
	for in, want := range map[string]string{
		"http://localhost:4873":         "//localhost:4873/:_authToken",
		"https://Registry.Example":      "//registry.example/:_authToken",
		"HTTPS://registry.example:443/": "//registry.example/:_authToken",
		"http://registry.example:443/":  "//registry.example:443/:_authToken",
		"http://registry.example:80":    "//registry.example/:_authToken",
		"https://h/npm/Private":         "//h/npm/Private/:_authToken",
		"https://h/npm//":               "//h/npm/:_authToken",
		"http://[::1]:4873/":            "//[::1]:4873/:_authToken",
	} {
		if got, err := Key(in); got != want || err != nil {
			t.Errorf("Key(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestKeys(t *testing.T) {
	want := []string{"//h:1/a/b/:x", "//h:1/a/b:x", "//h:1/a/:x", "//h:1/a:x", "//h:1/:x", "//h:1:x"}
	if got := Keys("http://h:1/a/b", ":x"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := Keys("nonsense", ":x"); got != nil {
		t.Errorf("%q", got)
	}
}

func TestValue(t *testing.T) {
	src := []byte("a=1\n" + key + "=x\n" + key + "=${T} ; c\n[s]\n" + key + "=y\n")
	if line, value, ok := Value(src, key); line != 3 || value.Reveal() != "${T}" || !ok {
		t.Errorf("%d, %q, %v", line, value.Reveal(), ok)
	}
	if _, _, ok := Value(src, "b"); ok {
		t.Error("b is set to nothing")
	}
}
