package deliver

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"sync"

	"rotd/ipc/secret"
)

// maxRaw is how much of a command's output is kept until its end: much more
// than the caller keeps, so that what is cut here does not show there.
const maxRaw = 64 << 10

// tail keeps the end of what is written to it, in whatever pieces it comes. It
// is for two writers.
type tail struct {
	mu  sync.Mutex
	b   []byte
	cut bool // something is lost at the beginning
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if over := len(t.b) - maxRaw; over > 0 {
		t.b, t.cut = append(t.b[:0], t.b[over:]...), true
	}
	return len(p), nil
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.b)
}

// shortest is the length of a secret that is looked for in an output; a shorter
// one would be found everywhere.
const shortest = 6

const redacted = "[redacted]"

// redact returns the text without the secrets, plain, in base64 or in hex, also
// where white space parts them, as base64 and fold do. Where the text's
// beginning is cut off, so may be a secret's: what can be one's end goes too.
func redact(text []byte, cut bool, secrets []secret.Text) string {
	// The search is in the text without white space; at says where in the text
	// each byte of it stands.
	var dense []byte
	var at []int
	for i, c := range text {
		if c > ' ' {
			dense, at = append(dense, c), append(at, i)
		}
	}
	hidden := make([]bool, len(dense))
	hide := func(from, to int) {
		for i := from; i < to; i++ {
			hidden[i] = true
		}
	}
	for _, form := range forms(secrets) {
		for from := 0; ; {
			i := bytes.Index(dense[from:], []byte(form))
			if i < 0 {
				break
			}
			hide(from+i, from+i+len(form))
			from += i + 1
		}
		if n := cutEnd(dense, form); cut {
			hide(0, n)
		}
	}
	var b strings.Builder
	next := 0 // of text
	for i := 0; i < len(dense); i++ {
		if !hidden[i] {
			continue
		}
		b.Write(text[next:at[i]])
		b.WriteString(redacted)
		for i+1 < len(dense) && hidden[i+1] {
			i++
		}
		next = at[i] + 1
	}
	b.Write(text[next:])
	return strings.ToValidUTF8(b.String(), "\ufffd")
}

// cutEnd is how much of the text's beginning is the end of form, but not all.
func cutEnd(text []byte, form string) int {
	for n := min(len(form)-1, len(text)); n > 0; n-- {
		if string(text[:n]) == form[len(form)-n:] {
			return n
		}
	}
	return 0
}

// forms are the spellings of secrets that are looked for, without white space.
func forms(secrets []secret.Text) []string {
	var all []string
	for _, s := range secrets {
		plain := s.Reveal()
		if len(plain) < shortest {
			continue
		}
		all = append(all, strings.Join(strings.Fields(plain), ""))
		h := hex.EncodeToString([]byte(plain))
		all = append(all, h, strings.ToUpper(h))
		for shift := range 3 {
			b := inBase64(plain, shift)
			all = append(all, b, strings.NewReplacer("+", "-", "/", "_").Replace(b))
		}
	}
	return all
}

// inBase64 is what of s stands in the base64 of a text in which it begins shift
// bytes behind a multiple of three: the characters that depend on s alone.
func inBase64(s string, shift int) string {
	b := base64.RawStdEncoding.EncodeToString([]byte("\x00\x00"[:shift] + s))
	first := (shift*8 + 5) / 6
	last := (shift + len(s)) * 8 / 6
	return b[first:last]
}
