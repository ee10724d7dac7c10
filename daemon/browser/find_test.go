package browser

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"google-chrome": 0o755, "my-browser": 0o700, "chromium": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	env := lookup([]string{"PATH=relative:" + dir})
	for path, want := range map[string]string{
		"":                               filepath.Join(dir, "google-chrome"), // chromium is no program there
		"my-browser":                     filepath.Join(dir, "my-browser"),
		filepath.Join(dir, "my-browser"): filepath.Join(dir, "my-browser"),
	} {
		if got, err := Find(path, env); err != nil || got != want {
			t.Errorf("Find(%q) = %q, %v", path, got, err)
		}
	}
	for _, path := range []string{"no-browser", filepath.Join(dir, "chromium"), dir} {
		_, err := Find(path, env)
		var e *Error
		if !errors.Is(err, ErrNotFound) || !errors.As(err, &e) || !strings.Contains(e.Hint, "--browser PATH") {
			t.Errorf("Find(%q): %v", path, err)
		}
	}
}

func TestCandidates(t *testing.T) {
	mac := candidates("darwin", "/Users/ada")
	for _, want := range []string{
		"/Applications/Chromium.app/Contents/MacOS/Chromium",
		"/Users/ada/Applications/Brave Browser.app/Contents/MacOS/Brave Browser",
	} {
		if !slices.Contains(mac, want) {
			t.Errorf("no %s", want)
		}
	}
	linux := candidates("linux", "/home/ada")
	for _, want := range []string{"chromium", "/snap/bin/chromium", "/usr/bin/microsoft-edge", "/usr/bin/chromium-headless-shell"} {
		if !slices.Contains(linux, want) {
			t.Errorf("no %s", want)
		}
	}
}
