package sandbox

import (
	"strings"
	"testing"
)

func TestTokenValue(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		v := newTokenValue()
		if len(v) != 40 || !validTokenValue(v) || seen[v] {
			t.Fatalf("%d characters, valid %v, seen %v", len(v), validTokenValue(v), seen[v])
		}
		seen[v] = true
	}
	// By zlib.crc32 and division, outside of this program.
	for char, want := range map[string]string{"0": "2C8GjS", "A": "0uCPlr"} {
		if got := checksum(strings.Repeat(char, 30)); got != want {
			t.Errorf("checksum of %s…: %q, want %q", char, got, want)
		}
	}
	for _, bad := range []string{"", "npm_", "npm_" + strings.Repeat("0", 36), "ghp_" + strings.Repeat("0", 36), strings.Repeat("x", 40)} {
		if validTokenValue(bad) {
			t.Errorf("%q is valid", bad)
		}
	}
	if got := redactedToken("npm_aBcDefghijklmnopqrstuvwxyz0123457890"); got != "npm_aBcD...7890" {
		t.Errorf("redacted: %q", got)
	}
}
