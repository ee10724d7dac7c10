// Package parcel is a passcard on its way to another machine: one file,
// encrypted by age (armored, so that it is text) to a passphrase, to age
// recipients or to SSH keys, as `age -d` would open it, too.
//
// It promises: what Open returns was sealed whole by whoever had the passphrase
// or knew the recipient, is of a version that this rotd knows, and is no larger
// than Max; every other file is an *Error that says in one sentence what is
// wrong with it, and quotes nothing of what was in it. age does not tell who
// sealed a file to a recipient: anybody may have. What the fields mean is for
// the caller to check.
package parcel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"

	"rotd/ipc/secret"
)

// version is that of the files that Seal makes. One that a rotd does not know
// it refuses: a field that it would not understand may matter.
const version = 1

// Max bounds a file, in bytes of its text; honest ones have a few thousand.
const Max = 512 << 10

// Parcel is what goes to another machine: an account and what is kept of it, and
// none of its ROTs.
type Parcel struct {
	Version  int       `json:"version"`
	Exported time.Time `json:"exported"`

	Registry string    `json:"registry"`
	Username string    `json:"username"`
	Name     string    `json:"name,omitempty"`
	Via      string    `json:"via"`
	Site     string    `json:"site,omitempty"`
	Terms    time.Time `json:"terms,omitzero"` // when the user agreed to the website way

	Secrets map[string]secret.Wire `json:"secrets"` // by store.Kind
}

// The kinds of failure that a caller decides by.
var (
	ErrKey  = errors.New("not the right passphrase or key")
	ErrFile = errors.New("not a file of rot export that can be read")
	// ErrRecipient: to nobody, or to what is no recipient.
	ErrRecipient = errors.New("not a recipient")
)

// Error is what is wrong, in words for a person.
type Error struct {
	Kind    error
	Message string
	hint    string
}

func (e *Error) Error() string { return e.Message }

// Unwrap makes errors.Is find the kind.
func (e *Error) Unwrap() error { return e.Kind }

// Hint says what to do.
func (e *Error) Hint() string { return e.hint }

// Seal encrypts p to the recipients and returns the text of the file.
func Seal(p Parcel, to ...age.Recipient) (string, error) {
	p.Version = version
	plain, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("seal a passcard: %w", err)
	}
	var text strings.Builder
	lines := armor.NewWriter(&text)
	w, err := age.Encrypt(lines, to...)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = lines.Close()
	}
	switch {
	case err != nil:
		return "", &Error{ErrRecipient, "the file cannot be sealed: " + err.Error(), "name recipients that go together: --recipient age1…"}
	case text.Len() > Max:
		return "", &Error{ErrFile, "the passcard keeps more than a file may hold", "sign in again, which makes its session small: rot connect npm"}
	}
	return text.String(), nil
}

// Open decrypts the text of a file, armored or not.
func Open(text string, by ...age.Identity) (Parcel, error) {
	plain, err := decrypt(text, by)
	if err != nil {
		return Parcel{}, err
	}
	var is struct {
		Version  int    `json:"version"`
		Registry string `json:"registry"`
	}
	bad := &Error{ErrFile, "the file opens, and holds no passcard", "make it by rot export"}
	if json.Unmarshal(plain, &is) != nil || is.Version < 1 || is.Registry == "" && is.Version == version {
		return Parcel{}, bad
	}
	if is.Version > version {
		return Parcel{}, &Error{ErrFile, fmt.Sprintf("the file was made by a newer rotd: its version is %d, and this one knows %d", is.Version, version), "bring rotd to that version here"}
	}
	var p Parcel
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.DisallowUnknownFields()
	if dec.Decode(&p) != nil { // whose text might quote it
		return Parcel{}, bad
	}
	return p, nil
}

func decrypt(text string, by []age.Identity) ([]byte, error) {
	if len(text) > Max {
		return nil, &Error{ErrFile, "the file is too large for one of rot export", "make it again by rot export"}
	}
	r, err := age.Decrypt(unarmored(text), by...)
	if err != nil {
		return nil, explain(text, by, err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, spoilt
	}
	return plain, nil
}

func unarmored(text string) io.Reader {
	if strings.HasPrefix(text, intro) {
		return strings.NewReader(text)
	}
	return armor.NewReader(strings.NewReader(text))
}

// intro begins a file that is not armored.
const intro = "age-encryption.org/"

var spoilt = &Error{ErrFile, "the file is cut off or damaged", "copy it again, whole"}

// explain says why a file does not open.
func explain(text string, by []age.Identity, err error) error {
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return mismatch(text, by)
	case !strings.HasPrefix(strings.TrimSpace(text), armor.Header) && !strings.HasPrefix(text, intro):
		return &Error{ErrFile, "this is not a file of rot export", "make one where the passcard is: rot export PASSCARD > FILE"}
	}
	return spoilt
}
