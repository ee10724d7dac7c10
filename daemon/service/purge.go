package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"rotd/ipc"
)

// stateLine begins the line of an installed unit that says where the state is.
const stateLine = "StateDir="

// installedState is the state directory of an installed service; empty where
// the file does not say.
func installedState(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	if strings.HasSuffix(path, ".plist") {
		_, after, _ := strings.Cut(string(b), "<string>--state-dir</string>")
		_, after, _ = strings.Cut(after, "<string>")
		dir, _, _ := strings.Cut(after, "</string>")
		return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&#34;", `"`, "&#39;", "'", "&amp;", "&").Replace(dir)
	}
	for line := range strings.Lines(string(b)) {
		if dir, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), stateLine); ok {
			return strings.ReplaceAll(dir, "%%", "%")
		}
	}
	return ""
}

// ofState are the names that rotd makes in its state directory.
var ofState = []string{"rotd.db", "rotd.db-wal", "rotd.db-shm", "rotd.lock", "reports"}

// purgeState removes a state directory. One that rotd has not chosen itself may
// hold what is not rotd's: of that it removes what rotd has made there, save a
// key, and the directory where nothing else is in it.
func purgeState(dir string) (removed []string, err error) {
	if !filepath.IsAbs(dir) || filepath.Clean(dir) == "/" {
		return nil, fmt.Errorf("%q is no state directory", dir)
	}
	system, _ := SystemPlaces(runtime.GOOS)
	own, err := ipc.StateDir(os.Getenv, runtime.GOOS, os.Getuid())
	if dir == system || err == nil && dir == own {
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("purge: %w", err)
		}
		return []string{dir}, nil
	}
	for _, name := range ofState {
		p := filepath.Join(dir, name)
		if _, err := os.Lstat(p); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.RemoveAll(p); err != nil {
			return removed, fmt.Errorf("purge: %w", err)
		}
		removed = append(removed, p)
	}
	if os.Remove(dir) == nil {
		removed = append(removed, dir)
	}
	return removed, nil
}
