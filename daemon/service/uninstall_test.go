package service

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestPurgeOfAChosenDirectory: what is not rotd's stays, and a key does.
func TestPurgeOfAChosenDirectory(t *testing.T) {
	dir := t.TempDir()
	ours := []string{"rotd.db", "rotd.db-wal", "rotd.lock", "reports/x", "replaced-20261123T234812Z/rotd.db", "restore/rotd.db"}
	theirs := []string{"key", "rotd.db.mine", "replaced-by-me/x", "letters/rotd.db"}
	for _, name := range slices.Concat(ours, theirs) {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := purgeState(dir); err != nil {
		t.Fatal(err)
	}
	left := func(name string) bool { _, err := os.Lstat(filepath.Join(dir, name)); return err == nil }
	for _, name := range ours {
		if left(name) {
			t.Errorf("%s is left", name)
		}
	}
	for _, name := range theirs {
		if !left(name) {
			t.Errorf("%s is gone", name)
		}
	}
	if _, err := purgeState("/"); err == nil {
		t.Error("it purges everything")
	}

	empty := filepath.Join(t.TempDir(), "state")
	if err := os.MkdirAll(filepath.Join(empty, "reports"), 0o700); err != nil {
		t.Fatal(err)
	}
	if removed, err := purgeState(empty); err != nil || !slices.Contains(removed, empty) {
		t.Errorf("of nothing but its own: %q, %v", removed, err)
	}
}
