package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test binary rot where a script or a test asks for that.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rot": func() { os.Exit(run()) }})
}

// forbidden are packages that the helper must not link, and why.
var forbidden = map[string]string{
	"net/http":                             "three times the size, twice the time to start: ipc has a client of its own",
	"crypto/tls":                           "rot talks to a socket only",
	"database/sql":                         "only rotd has the database",
	"github.com/mattn/go-sqlite3":          "only rotd has the database, and it needs cgo",
	"github.com/chromedp/chromedp":         "only rotd drives a browser",
	"github.com/zalando/go-keyring":        "only rotd has the master key",
	"github.com/godbus/dbus/v5":            "only rotd has the master key",
	"golang.org/x/crypto/chacha20poly1305": "rot seals nothing",
	"rotd/daemon":                          "rot is what talks to it",
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
const maxSize = 3_000_000

func TestSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rot")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if fi.Size() > maxSize {
		t.Errorf("rot is %d bytes large, and at most %d are promised", fi.Size(), maxSize)
	}
}
