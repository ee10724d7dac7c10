package parcel

import (
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"

	"rotd/ipc/secret"
)

// maxWork bounds what a file from elsewhere can make this machine spend on a
// passphrase, as scrypt's work factor: 1 GiB.
const maxWork = 20

// Work is the factor of our own files: a quarter of that, and about a second. It
// is a variable for tests, which have less time.
var Work = 18

// minPassphrase is the least that protects a file anybody may try to open, in
// characters.
const minPassphrase = 10

// To is the recipient who knows a passphrase.
func To(passphrase secret.Text) ([]age.Recipient, error) {
	if len([]rune(passphrase.Reveal())) < minPassphrase {
		return nil, &Error{ErrRecipient, fmt.Sprintf("the passphrase is too short: it takes %d characters at least", minPassphrase), "take some random words"}
	}
	r, err := age.NewScryptRecipient(passphrase.Reveal())
	if err != nil {
		return nil, &Error{Kind: ErrRecipient, Message: "the passphrase cannot be used"}
	}
	r.SetWorkFactor(Work)
	return []age.Recipient{r}, nil
}

// Recipients parses age recipients and public SSH keys.
func Recipients(list []string) (all []age.Recipient, err error) {
	for i, s := range list {
		s = strings.TrimSpace(s)
		var r age.Recipient
		switch {
		case strings.HasPrefix(s, "age1pq1"):
			r, err = age.ParseHybridRecipient(s)
		case strings.HasPrefix(s, "age1"):
			r, err = age.ParseX25519Recipient(s)
		default:
			r, err = agessh.ParseRecipient(s)
		}
		if err != nil {
			return nil, &Error{ErrRecipient, fmt.Sprintf("recipient %d is none", i+1), "give age1…, as age-keygen -y prints it, or a public SSH key: ssh-ed25519 … or ssh-rsa …"}
		}
		all = append(all, r)
	}
	return all, nil
}

// By is the identity who knows a passphrase.
func By(passphrase secret.Text) ([]age.Identity, error) {
	id, err := age.NewScryptIdentity(passphrase.Reveal())
	if err != nil {
		return nil, &Error{ErrKey, "the passphrase is empty", "give the one that rot export asked for"}
	}
	id.SetMaxWorkFactor(maxWork)
	return []age.Identity{id}, nil
}

// Identities parses what stands in an identity file: keys of age-keygen, or a
// private SSH key without a passphrase.
func Identities(text secret.Text) ([]age.Identity, error) {
	s := text.Reveal()
	if strings.HasPrefix(strings.TrimSpace(s), "-----BEGIN") {
		id, err := agessh.ParseIdentity([]byte(s))
		if err != nil { // whose text might quote it
			return nil, &Error{ErrKey, "the identity is an SSH key that cannot be used", "it takes an ed25519 or RSA key without a passphrase of its own, or a key of age-keygen"}
		}
		return []age.Identity{id}, nil
	}
	ids, err := age.ParseIdentities(strings.NewReader(s))
	if err != nil {
		return nil, &Error{ErrKey, "the identity is no key of age-keygen and no SSH key", "name the file with the private key: --identity FILE"}
	}
	return ids, nil
}

// WantsPassphrase reports whether a file was sealed to a passphrase.
func WantsPassphrase(text string) bool {
	header, err := age.ExtractHeader(unarmored(text))
	return err == nil && strings.Contains(string(header), "\n-> scrypt ")
}

// mismatch says what would open the file.
func mismatch(text string, by []age.Identity) error {
	tried := slices.ContainsFunc(by, func(id age.Identity) bool { _, ok := id.(*age.ScryptIdentity); return ok })
	switch {
	case !WantsPassphrase(text):
		return &Error{ErrKey, "the file is for the holder of another key", "open it with the private key of one of its recipients: --identity FILE"}
	case tried:
		return &Error{ErrKey, "the passphrase is wrong", "give the one that rot export asked for"}
	}
	return &Error{ErrKey, "the file opens by a passphrase, and not by a key", "leave --identity out, to be asked for it"}
}
