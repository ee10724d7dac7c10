package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"rotd/helper"
	"rotd/helper/desk"
)

// TestMain makes this test binary rot where a script or a test asks for that, and
// what rot leaves to rotd.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"rot":  func() { os.Exit(run()) },
		"rotd": func() { os.Exit(desk.Run(context.Background(), helper.Process(), os.Args[2:])) },
	})
}

// forbidden are packages that the helper must not link, and why.
var forbidden = map[string]string{
	"net/http":                             "three times the size, twice the time to start: ipc has a client of its own",
	"net":                                  "a twentieth of the size: ipc dials by itself, and the listener is in ipc/socket",
	"encoding/json":                        "a tenth of the size: ipc/json writes and reads the messages",
	"log/slog":                             "rot logs nothing",
	"github.com/spf13/pflag":               "it brings net and more along: helper has a flag set of its own",
	"crypto/tls":                           "rot talks to a socket only",
	"database/sql":                         "only rotd has the database",
	"github.com/mattn/go-sqlite3":          "only rotd has the database, and it needs cgo",
	"github.com/chromedp/chromedp":         "only rotd drives a browser",
	"github.com/zalando/go-keyring":        "only rotd has the master key",
	"github.com/godbus/dbus/v5":            "only rotd has the master key",
	"golang.org/x/crypto/chacha20poly1305": "rot seals nothing",
	"rotd/daemon":                          "rot is what talks to it",
	"rotd/helper/desk":                     "rotd does its commands: rot has their names",
	"rotd/store":                           "only rotd has the database",
	"text/template":                        "it makes the linker keep every method of every type",
	"os/exec":                              "exec starts one process, without pipes: os.StartProcess does",
	"testing":                              "tests are not part of the program",
}

func TestWhatIsLinked(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		if why, bad := forbidden[dep]; bad {
			t.Errorf("rot links %s: %s", dep, why)
		}
		if strings.HasPrefix(dep, "rotd/daemon/") {
			t.Errorf("rot links %s: %s", dep, forbidden["rotd/daemon"])
		}
	}
}

// maxSize is the promise about the released program, in bytes.
const maxSize = 2_500_000

func TestSize(t *testing.T) {
	fi, err := os.Stat(build(t, "GOOS=linux", "GOARCH=amd64"))
	if err != nil {
		t.Fatal(err)
	}
	if fi.Size() > maxSize {
		t.Errorf("rot is %d bytes large, and at most %d are promised", fi.Size(), maxSize)
	}
}

// build builds rot as it is released and returns its path.
func build(tb testing.TB, env ...string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "rot")
	goBuildFor(tb, env, path, "-trimpath", "-gcflags", makefile(tb, "SMALL_GC"), "-ldflags", makefile(tb, "SMALL_LD"))
	return path
}

func goBuild(tb testing.TB, path string, flags ...string) {
	tb.Helper()
	goBuildFor(tb, nil, path, flags...)
}

func goBuildFor(tb testing.TB, env []string, path string, flags ...string) {
	tb.Helper()
	cmd := exec.Command("go", append(append([]string{"build"}, flags...), "-o", path, ".")...)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
}

// makefile is the value of a variable there.
func makefile(tb testing.TB, name string) string {
	tb.Helper()
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		tb.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n"+name+" := ")
	value, _, _ := strings.Cut(rest, "\n")
	if !ok || value == "" {
		tb.Fatalf("the Makefile has no %s", name)
	}
	return value
}

// BenchmarkGet is the whole of rot get: the process, the socket, the answer.
func BenchmarkGet(b *testing.B) {
	dir, err := runtimeDir()
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	stop, err := serveToken(socket)
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	rot := build(b)
	for b.Loop() {
		if out, err := exec.Command(rot, "get", "ci", "--socket", socket).Output(); err != nil || string(out) != testToken+"\n" {
			b.Fatalf("%q, %v", out, err)
		}
	}
}
