package browser

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Find returns the Chromium to start. With a path it is that one, or the
// program of that name on PATH; without, the first of the browsers that are
// driven alike: Chromium, Chrome, Edge, Brave, Chromium's headless shell. The
// usual places are looked at too, since a service's PATH is often shorter than
// a person's. Its error is an *Error of kind ErrNotFound.
func Find(path string, getenv func(string) string) (string, error) {
	dirs := filepath.SplitList(getenv("PATH"))
	if path != "" {
		if found := lookIn(path, dirs); found != "" {
			return found, nil
		}
		return "", &Error{Kind: ErrNotFound,
			Message: "there is no browser at " + path,
			Hint:    "name the program of a Chromium-based browser: rotd run --browser PATH"}
	}
	for _, c := range candidates(runtime.GOOS, getenv("HOME")) {
		if found := lookIn(c, dirs); found != "" {
			return found, nil
		}
	}
	return "", &Error{Kind: ErrNotFound,
		Message: "no Chromium-based browser was found",
		Hint:    "install one (Debian: apt install chromium; macOS: brew install --cask chromium), or name it: rotd run --browser PATH"}
}

// candidates lists what to look for, the likeliest first: bare names are
// looked up on PATH.
func candidates(goos, home string) []string {
	if goos == "darwin" {
		apps := []string{
			"Chromium.app/Contents/MacOS/Chromium",
			"Google Chrome.app/Contents/MacOS/Google Chrome",
			"Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
			"Brave Browser.app/Contents/MacOS/Brave Browser",
		}
		var all []string
		for _, folder := range []string{"/Applications", filepath.Join(home, "Applications")} {
			for _, app := range apps {
				all = append(all, filepath.Join(folder, app))
			}
		}
		return append(all, "chromium")
	}
	names := []string{
		"chromium", "chromium-browser",
		"google-chrome-stable", "google-chrome",
		"microsoft-edge-stable", "microsoft-edge",
		"brave-browser", "brave-browser-stable",
		"chromium-headless-shell",
	}
	all := names
	for _, folder := range []string{"/usr/bin", "/usr/local/bin", "/snap/bin"} {
		for _, name := range names {
			all = append(all, filepath.Join(folder, name))
		}
	}
	return all
}

// lookIn returns the absolute path of a program: the path itself where it has
// a slash, else the first of that name in dirs. Empty when there is none.
func lookIn(path string, dirs []string) string {
	if strings.ContainsRune(path, filepath.Separator) {
		if abs, err := filepath.Abs(path); err == nil && executable(abs) {
			return abs
		}
		return ""
	}
	for _, dir := range dirs {
		if !filepath.IsAbs(dir) {
			continue // a daemon has no folder of its own to look in
		}
		if p := filepath.Join(dir, path); executable(p) {
			return p
		}
	}
	return ""
}

func executable(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0
}
