package sandbox

import (
	"hash/crc32"
	"strings"
)

// newTokenValue makes a token as npm prints it: "npm_", 30 random characters
// and the CRC-32 of those, in base 62, six digits (B.10). Session tokens look
// the same.
func newTokenValue() string {
	random := randomText(30, base62)
	return "npm_" + random + checksum(random)
}

func checksum(random string) string {
	sum := crc32.ChecksumIEEE([]byte(random))
	out := []byte("000000")
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = base62[sum%62]
		sum /= 62
	}
	return string(out)
}

// validTokenValue reports whether v has the form and the checksum of a token.
func validTokenValue(v string) bool {
	random, ok := strings.CutPrefix(v, "npm_")
	return ok && len(random) == 36 && checksum(random[:30]) == random[30:]
}

// redactedToken is how a listing shows a value: the first 8 characters and the
// last 4 (B.6).
func redactedToken(v string) string { return v[:8] + "..." + v[len(v)-4:] }
