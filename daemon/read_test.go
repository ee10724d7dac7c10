package daemon

import (
	"crypto/sha256"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// TestGetWritesNothing holds the state's files against themselves: reading a
// value must not change a byte on the disk.
func TestGetWritesNothing(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	r.await("quiet", func() bool {
		open, err := r.d.store.Load().Unfinished(t.Context())
		return err == nil && len(open) == 0
	})
	before := hashes(t, r.d.cfg.StateDir)
	for range 50 {
		r.token(rot)
	}
	if after := hashes(t, r.d.cfg.StateDir); !maps.Equal(before, after) {
		t.Errorf("reading changed the state: %d files before, %d after", len(before), len(after))
	}
	if len(before) < 2 {
		t.Errorf("looked at %d files only", len(before))
	}
}

// hashes are the files below dir with a hash of each. The -shm file is shared
// memory: SQLite's readers take their locks in it.
func hashes(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	sums := make(map[string][32]byte)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Ext(path) == ".db-shm" {
			return err
		}
		b, err := os.ReadFile(path)
		sums[path] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}
