package daemon

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"math/big"
	"strings"

	"rotd/ipc/secret"
)

// An access token is "rat_", 27 digits of base 62 (0-9A-Za-z) that hold 160
// random bits, and the CRC-32 of those 27 characters in 6 more: as GitHub's and
// npm's tokens are made, so that a secret scanner can tell one from chance:
//
//	rat_[0-9A-Za-z]{33}
const (
	accessPrefix = "rat_"
	accessRandom = 27 // characters; 62^27 > 2^160
	accessSum    = 6
	base62       = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// newAccessToken makes one.
func newAccessToken() secret.Text {
	var b [20]byte
	_, _ = rand.Read(b[:]) // it never fails
	random := inBase62(new(big.Int).SetBytes(b[:]), accessRandom)
	return secret.New(accessPrefix + random + accessCheck(random))
}

func accessCheck(random string) string {
	sum := crc32.ChecksumIEEE([]byte(random)) // less than 62^6
	var out [accessSum]byte
	for i := accessSum - 1; i >= 0; i-- {
		out[i] = base62[sum%62]
		sum /= 62
	}
	return string(out[:])
}

// inBase62 is n with so many digits.
func inBase62(n *big.Int, digits int) string {
	out := make([]byte, digits)
	base, rest := big.NewInt(62), new(big.Int)
	for i := digits - 1; i >= 0; i-- {
		n.DivMod(n, base, rest)
		out[i] = base62[rest.Int64()]
	}
	return string(out)
}

// isAccessToken tells what could be one by form and checksum from a slip of
// the hand.
func isAccessToken(text string) bool {
	random, ok := strings.CutPrefix(text, accessPrefix)
	if !ok || len(random) != accessRandom+accessSum {
		return false
	}
	return accessCheck(random[:accessRandom]) == random[accessRandom:]
}

// accessHash is what is kept of one. With 160 random bits in it nothing slower
// is needed.
func accessHash(t secret.Text) [32]byte { return sha256.Sum256([]byte(t.Reveal())) }
