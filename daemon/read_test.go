package daemon

import (
	"crypto/sha256"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rotd/store"
)

// TestGetWritesNothing holds the state's files against themselves: reading a
// value must not change a byte on the disk. What is noted of it is written by
// somebody else, later, once for all that was read.
func TestGetWritesNothing(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	r.await("quiet", func() bool {
		open, err := r.d.store.Load().Unfinished(t.Context())
		return err == nil && len(open) == 0
	})
	r.d.book.pause = time.Hour // before the first read, which is what wakes the writer
	before := hashes(t, r.d.cfg.StateDir)
	for range 50 {
		r.token(rot)
	}
	if after := hashes(t, r.d.cfg.StateDir); !maps.Equal(before, after) {
		t.Errorf("reading changed the state: %d files before, %d after", len(before), len(after))
	}
	if err := r.d.writeLog(t.Context()); err != nil {
		t.Fatal(err)
	}
	if reads := r.entries("", store.LogRead); len(reads) != 1 || reads[0].Count != 50 {
		t.Errorf("50 reads are noted as %+v", reads)
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
