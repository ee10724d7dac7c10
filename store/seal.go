package store

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"rotd/ipc/secret"
)

// A sealed value is
//
//	version byte 1 | 24 random bytes of nonce | XChaCha20-Poly1305 of the secret
//
// under the master key. The additional data names the place where the value
// stands, so that a row that was copied over another does not open.
const sealVersion = 1

// sealDomain begins the additional data of everything that rotd seals.
const sealDomain = "rotd"

// place is where a sealed value stands.
type place struct{ table, row, column string }

func (p place) String() string { return fmt.Sprintf("%s of %s in %s", p.column, p.row, p.table) }

// additionalData writes each part behind its length, so that no two places
// have the same.
func (p place) additionalData() []byte {
	ad := make([]byte, 0, 128)
	for _, part := range []string{sealDomain, p.table, p.row, p.column} {
		ad = binary.BigEndian.AppendUint32(ad, uint32(len(part)))
		ad = append(ad, part...)
	}
	return ad
}

// sealer seals and opens under one master key. It is safe for concurrent use.
type sealer struct{ aead cipher.AEAD }

func newSealer(k Key) (sealer, error) {
	if k.IsZero() {
		return sealer{}, fmt.Errorf("seal: no master key")
	}
	b := k.reveal()
	aead, err := chacha20poly1305.NewX(b[:])
	if err != nil {
		return sealer{}, fmt.Errorf("seal: %w", err)
	}
	return sealer{aead}, nil
}

// seal takes its nonce from the system's randomness and from nowhere else: a
// nonce used twice would give the secrets away.
func (s sealer) seal(p place, plain secret.Text) []byte {
	sealed := make([]byte, 1+chacha20poly1305.NonceSizeX, 1+chacha20poly1305.NonceSizeX+len(plain.Reveal())+chacha20poly1305.Overhead)
	sealed[0] = sealVersion
	nonce := sealed[1:]
	_, _ = rand.Read(nonce) // never fails: it ends the process instead
	return s.aead.Seal(sealed, nonce, []byte(plain.Reveal()), p.additionalData())
}

// open returns what was sealed for p. Its error wraps ErrSealed.
func (s sealer) open(p place, sealed []byte) (secret.Text, error) {
	const head = 1 + chacha20poly1305.NonceSizeX
	if len(sealed) < head+chacha20poly1305.Overhead || sealed[0] != sealVersion {
		return secret.Text{}, notSealed(p)
	}
	plain, err := s.aead.Open(nil, sealed[1:head], sealed[head:], p.additionalData())
	if err != nil {
		return secret.Text{}, notSealed(p)
	}
	return secret.New(string(plain)), nil
}

func notSealed(p place) error {
	return withHint(fmt.Errorf("%s: %w", p, ErrSealed),
		"something other than rotd changed the database: restore rotd.db from a backup, or connect the account again")
}
