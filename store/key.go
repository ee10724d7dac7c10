package store

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// keySize is the length of a master key in bytes.
const keySize = 32

// Key is a master key. It prints as "[redacted]". In an unexported field, where
// fmt may not call its methods, it prints as an address: fmt looks into structs,
// arrays and what pointers lead to, but not into a function. The zero value is
// no key.
type Key struct{ reveal func() [keySize]byte }

// NewKey makes a Key of exactly 32 bytes, which it copies.
func NewKey(b []byte) (Key, error) {
	if len(b) != keySize {
		return Key{}, fmt.Errorf("a master key has %d bytes, not %d", keySize, len(b))
	}
	return keyOf([keySize]byte(b)), nil
}

// randomKey makes a new key from the system's randomness.
func randomKey() Key {
	var b [keySize]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the process instead
	return keyOf(b)
}

func keyOf(b [keySize]byte) Key { return Key{func() [keySize]byte { return b }} }

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.reveal == nil }

// Format redacts under every verb and flag.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// String redacts.
func (k Key) String() string { return "[redacted]" }

// LogValue redacts.
func (k Key) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalText redacts, and with it encoding/json does.
func (k Key) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// encode is how a key is kept, in a keyring as in a file: standard base64, one
// line. `head -c 32 /dev/urandom | base64` makes one.
func (k Key) encode() string {
	b := k.reveal()
	return base64.StdEncoding.EncodeToString(b[:])
}

var errNotAKey = errors.New("not a master key")

// decodeKey reads what encode wrote, with space around it, and the two other
// ways in which people write 32 bytes down: as they are, and in hexadecimal.
func decodeKey(s string) (Key, error) {
	if len(s) == keySize {
		return NewKey([]byte(s))
	}
	s = strings.TrimSpace(s)
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if len(s) == hex.EncodedLen(keySize) {
		b, err = hex.DecodeString(s)
	}
	if err != nil || len(b) != keySize {
		// The decoder's error would quote a part of the key.
		return Key{}, errNotAKey
	}
	return NewKey(b)
}

// KeySource is where the master key of a state is kept.
type KeySource interface {
	// String is what ParseKeySource makes this source of.
	String() string
	// Load returns the key of the state called account. Its error wraps
	// ErrKeyMissing where the source works and has no such key, ErrNoKeyring
	// or ErrKeyLocked where it cannot tell.
	Load(ctx context.Context, account string) (Key, error)
	// Create makes a new key for the state called account and returns it when
	// it is kept for good. It never replaces a key. A source that rotd cannot
	// write to answers ErrKeyMissing.
	Create(ctx context.Context, account string) (Key, error)
}

// ParseKeySource reads "keyring", "file:PATH" or "credential:NAME".
func ParseKeySource(s string) (KeySource, error) {
	kind, rest, _ := strings.Cut(s, ":")
	switch {
	case s == "keyring":
		return newKeyring(), nil
	case kind == "file" && rest != "":
		return keyFile(rest), nil
	case kind == "credential" && validCredential(rest):
		return credential(rest), nil
	}
	return nil, withHint(fmt.Errorf("%q does not say where the master key is", s),
		"say keyring, file:PATH or credential:NAME")
}
