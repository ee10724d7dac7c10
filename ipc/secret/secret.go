// Package secret holds the one type that carries secrets through rotd.
//
// A Text prints as "[redacted]" through fmt, slog and JSON, whatever the verb,
// so that a secret reaches a log, an error or a file only where somebody wrote
// Reveal. It does not protect memory: Go strings are copied and never wiped.
//
// log/slog is not imported for it, as the helper would carry that along: slog's
// handlers ask for text or JSON. So a Wire is redacted in a log of text, which
// is all that rotd writes, and would not be in one of JSON.
package secret

import (
	"crypto/subtle"
	"errors"
	"fmt"

	"rotd/ipc/json"
)

const redacted = "[redacted]"

// Text is a secret string. The zero value is the absent secret. Compare with
// Equal: == compares where two are kept, not what they are.
//
// It holds a pointer because fmt calls no methods of what is in an unexported
// field; of a string it would print the text there, of a pointer the address.
type Text struct{ p *string }

// New wraps s. The empty string is the absent secret.
func New(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{&s}
}

// Reveal returns the secret itself, "" where there is none. Every call is a
// place to review.
func (t Text) Reveal() string {
	if t.p == nil {
		return ""
	}
	return *t.p
}

// IsZero reports whether there is no secret. encoding/json's omitzero uses it.
func (t Text) IsZero() bool { return t.p == nil }

// Equal compares in a time that does not depend on where the two differ.
func (t Text) Equal(u Text) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(u.Reveal())) == 1
}

// Format redacts under every verb and flag.
func (t Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String redacts.
func (t Text) String() string { return redacted }

// MarshalJSON redacts. A secret that has to travel is a Wire.
func (t Text) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText redacts.
func (t Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalJSON takes a JSON string as the secret.
func (t *Text) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return errors.New("a secret must be a JSON string")
	}
	*t = New(s)
	return nil
}

// Wire is a Text that JSON reveals. It stands only in fields of messages that
// go to a peer which is meant to have the secret: the socket's requests and
// answers, npm's request bodies. fmt and a log of text still redact it.
type Wire struct{ Text }

// NewWire wraps s.
func NewWire(s string) Wire { return Wire{New(s)} }

// MarshalJSON reveals.
func (w Wire) MarshalJSON() ([]byte, error) { return json.AppendString(nil, w.Reveal()), nil }

// MarshalText reveals nothing: it is what map keys and text handlers use.
func (w Wire) MarshalText() ([]byte, error) { return []byte(redacted), nil }
