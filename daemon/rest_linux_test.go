package daemon

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestReleaseProgram: what is released is not in memory, and the program goes on.
func TestReleaseProgram(t *testing.T) {
	mapped := func() int {
		b, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(b), "RssFile:")
		n, err := strconv.Atoi(strings.Fields(rest)[0])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := mapped()
	if err := releaseProgram(); err != nil {
		t.Fatal(err)
	}
	if after := mapped(); after >= before {
		t.Errorf("%d kB of files were in memory, and %d kB are", before, after)
	}
}
