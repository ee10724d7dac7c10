package fmt_test

import (
	"errors"
	stdfmt "fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rotd/ipc"
	"rotd/ipc/fmt"
	"rotd/ipc/secret"
)

// The formats and values are variables: go vet would not let them meet.
var (
	formats = []string{"%s", "%d", "%v", "%q", "%-12s|", "%12d|", "%-3v|", "a %% b %v c", "%v", "100%%", "", "é%s"}
	strs    = []any{"", "x", "é\x00\"", ipc.CodeNotFound, errors.New("no"), &ipc.Error{Message: "m"}, fs.ErrNotExist}
	numbers = []any{0, -7, int64(1) << 40, uint32(9), time.Duration(3), uint8(200), rune('é'), time.Month(3)}
)

func TestItIsTheStandardLibrarys(t *testing.T) {
	tried := 0
	try := func(format string, arg any) {
		tried++
		if want, got := stdfmt.Sprintf(format, arg), fmt.Sprintf(format, arg); got != want {
			t.Errorf("%s of %T: %q, want %q", format, arg, got, want)
		}
	}
	for _, format := range formats {
		if strings.Count(format, "%")-2*strings.Count(format, "%%") != 1 {
			continue
		}
		for _, s := range strs {
			if !strings.Contains(format, "d") {
				try(format, s)
			}
		}
		for _, n := range numbers {
			_, named := n.(stdfmt.Stringer)
			if !strings.Contains(format, "s") && (named || !strings.Contains(format, "q")) {
				try(format, n)
			}
		}
	}
	try("%v", true)
	try("%v", nil)
	try("%q", 'é')
	try("%s", time.Minute)
	if tried < 80 {
		t.Errorf("only %d", tried)
	}
	for _, args := range [][]any{{"a", 1, errors.New("e")}, {"", -1, fs.ErrExist}} {
		const format = "%s and %d: %v, 5 %%"
		if want, got := stdfmt.Sprintf(format, args...), fmt.Sprintf(format, args...); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		var b strings.Builder
		n, err := fmt.Fprintf(&b, format, args...)
		if b.String() != stdfmt.Sprintf(format, args...) || n != b.Len() || err != nil {
			t.Errorf("%q, %d, %v", b.String(), n, err)
		}
	}
}

func TestErrorfWraps(t *testing.T) {
	if err := fmt.Errorf("open %s: %w", "x", fs.ErrNotExist); !errors.Is(err, fs.ErrNotExist) || err.Error() != "open x: file does not exist" {
		t.Errorf("%v", err)
	}
	if err := fmt.Errorf("open: %v", fs.ErrNotExist); errors.Is(err, fs.ErrNotExist) {
		t.Error("it wraps where nothing says so")
	}
}

// TestWhatMakesNoSenseSaysSo, and does not print a value.
func TestWhatMakesNoSenseSaysSo(t *testing.T) {
	const value = "npm_EXAMPLE"
	type box struct{ s string }
	for _, tc := range []struct {
		format string
		args   []any
		want   string
	}{
		{"%d", []any{"x"}, "%!d(string)"},
		{"%s", []any{5}, "%!s(int)"},
		{"%x", []any{value}, "%!x(string)"},
		{"%v", []any{box{value}}, "%!v(fmt_test.box)"},
		{"%v", []any{[]string{value}}, "%!v([]string)"},
		{"%v %v", []any{secret.New(value), secret.NewWire(value)}, "[redacted] [redacted]"},
		{"%d", []any{secret.New(value)}, "%!d(secret.Text)"},
		{"%s", nil, "%!s(MISSING)"},
		{"a", []any{value}, "a%!(EXTRA)"},
		{"a%", nil, "a%!(NOVERB)"},
		{"%-5", []any{value}, "%!(NOVERB)"},
	} {
		if got := fmt.Sprintf(tc.format, tc.args...); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.format, got, tc.want)
		}
	}
}

// TestTheHelperUsesIt: one import of the other is all of its size again.
func TestTheHelperUsesIt(t *testing.T) {
	seen := 0
	for _, pattern := range []string{"../*.go", "../json/*.go", "../../helper/*.go", "../../helper/npmrc/*.go", "../../cmd/rot/*.go"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			seen++
			if !strings.HasSuffix(file, "_test.go") && strings.Contains(string(src), "\t\"fmt\"\n") {
				t.Errorf("%s: import rotd/ipc/fmt, which is all that the helper needs", file)
			}
		}
	}
	if seen < 60 {
		t.Errorf("only %d files", seen)
	}
}
