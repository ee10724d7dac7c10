package parcel

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"

	"rotd/ipc/secret"
)

var sample = Parcel{
	Exported: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
	Registry: "http://localhost:4873", Username: "ada", Name: "work", Via: "website",
	Site: "http://localhost:4873", Terms: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
	Secrets: map[string]secret.Wire{"session": secret.NewWire("npm_EXAMPLE"), "password": secret.NewWire("pw EXAMPLE")},
}

// own is a key pair of the test.
func own(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func seal(t testing.TB, p Parcel, to ...age.Recipient) string {
	t.Helper()
	text, err := Seal(p, to...)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// fails checks an error: its kind, a part of it, and that it says what to do.
func fails(t *testing.T, err error, kind error, says string) {
	t.Helper()
	var e *Error
	if !errors.Is(err, kind) || !errors.As(err, &e) || !strings.Contains(e.Message, says) || e.Hint() == "" {
		t.Errorf("got %v, want %v that says %q", err, kind, says)
	}
	if err != nil && strings.Contains(err.Error(), "EXAMPLE") {
		t.Errorf("a secret is in the error: %v", err)
	}
}

func TestThereAndBack(t *testing.T) {
	defer func(was int) { Work = was }(Work)
	Work = 10
	pass := secret.New("ten words and more EXAMPLE")
	toPass, err := To(pass)
	if err != nil {
		t.Fatal(err)
	}
	byPass, err := By(pass)
	if err != nil {
		t.Fatal(err)
	}
	key := own(t)
	public, private := sshKey(t)
	several, err := Recipients([]string{key.Recipient().String(), public})
	if err != nil {
		t.Fatal(err)
	}
	byKey, err := Identities(secret.New("# made by a test\n" + key.String() + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	bySSH, err := Identities(secret.New(private))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		to []age.Recipient
		by []age.Identity
	}{
		"passphrase": {toPass, byPass}, "age key": {several, byKey}, "ssh key": {several, bySSH},
	} {
		text := seal(t, sample, tc.to...)
		if !strings.HasPrefix(text, armor.Header) || strings.Contains(text, "ada") || WantsPassphrase(text) != (name == "passphrase") {
			t.Errorf("%s: not sealed as it should be: %.40q…", name, text)
		}
		got, err := Open(text, tc.by...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, got2 := sample, got
		want.Version = version
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(got2)
		if !bytes.Equal(a, b) {
			t.Errorf("%s: %s\nwant %s", name, b, a)
		}
		raw, err := io.ReadAll(armor.NewReader(strings.NewReader(text)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(string(raw), tc.by...); err != nil {
			t.Errorf("%s, not armored: %v", name, err)
		}
	}
	_, err = Open(seal(t, sample, toPass...), byKey...)
	fails(t, err, ErrKey, "opens by a passphrase")
	_, err = Open(seal(t, sample, several...), byPass...)
	fails(t, err, ErrKey, "another key")
	_, err = Open(seal(t, sample, own(t).Recipient()), byKey...)
	fails(t, err, ErrKey, "another key")
	wrong, _ := By(secret.New("another EXAMPLE"))
	_, err = Open(seal(t, sample, toPass...), wrong...)
	fails(t, err, ErrKey, "the passphrase is wrong")
}

func sshKey(t *testing.T) (public, private string) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(priv, "")
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(p)), string(pem.EncodeToMemory(block))
}

func TestBadFiles(t *testing.T) {
	key := own(t)
	whole := seal(t, sample, key.Recipient())
	raw := func(plain string) string {
		var text strings.Builder
		w, err := age.Encrypt(&text, key.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, plain)
		_ = w.Close()
		return text.String()
	}
	for name, tc := range map[string]struct{ text, says string }{
		"empty":          {"", "not a file of rot export"},
		"something":      {"hello EXAMPLE", "not a file of rot export"},
		"cut in two":     {whole[:len(whole)/2], "cut off or damaged"},
		"cut at a line":  {whole[:strings.LastIndexByte(strings.TrimSpace(whole), '\n')], "cut off or damaged"},
		"raw, cut":       {raw(`{}`)[:150], "cut off or damaged"},
		"a byte flipped": {raw(`{"version":1}`)[:len(raw(`{"version":1}`))-1] + "x", "cut off or damaged"},
		"not JSON":       {raw("EXAMPLE"), "holds no passcard"},
		"other JSON":     {raw(`{"version":0,"registry":"EXAMPLE"}`), "holds no passcard"},
		"no account":     {raw(`{"version":1}`), "holds no passcard"},
		"more fields":    {raw(`{"version":1,"registry":"x","EXAMPLE":1}`), "holds no passcard"},
		"newer":          {raw(`{"version":2,"quite":"EXAMPLE"}`), "made by a newer rotd: its version is 2, and this one knows 1"},
		"huge":           {strings.Repeat("x", Max+1), "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(tc.text, key)
			fails(t, err, ErrFile, tc.says)
		})
	}
	big := sample
	big.Secrets = map[string]secret.Wire{"cookies": secret.NewWire(strings.Repeat("x", Max))}
	_, err := Seal(big, key.Recipient())
	fails(t, err, ErrFile, "more than a file may hold")
}

func TestBadKeys(t *testing.T) {
	_, err := To(secret.New("short"))
	fails(t, err, ErrRecipient, "10 characters")
	_, err = By(secret.Text{})
	fails(t, err, ErrKey, "empty")
	for _, s := range []string{"", "ada", "age1", "age1pq1x", "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", "ssh-ed25519 AAAA", "AGE-SECRET-KEY-1EXAMPLE"} {
		_, err := Recipients([]string{s})
		fails(t, err, ErrRecipient, "recipient 1 is none")
	}
	for _, s := range []string{"", "AGE-SECRET-KEY-1EXAMPLE", "-----BEGIN OPENSSH PRIVATE KEY-----\nEXAMPLE\n"} {
		_, err := Identities(secret.New(s))
		fails(t, err, ErrKey, "the identity is")
	}
}

// FuzzOpen: whatever stands in a file, encrypted or not, Open returns a passcard
// or says what is wrong.
func FuzzOpen(f *testing.F) {
	key := own(f)
	f.Add("", true)
	f.Add(seal(f, sample, key.Recipient()), false)
	f.Add(`{"version":1,"registry":"http://localhost","username":"ada","via":"registry","secrets":{"totp":"EXAMPLE"}}`, true)
	f.Add("age-encryption.org/v1\n-> scrypt AAAA 30\n", false)
	f.Fuzz(func(t *testing.T, s string, inside bool) {
		if inside {
			var text strings.Builder
			w, err := age.Encrypt(&text, key.Recipient())
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(w, s)
			_ = w.Close()
			s = text.String()
		}
		WantsPassphrase(s)
		p, err := Open(s, key)
		var e *Error
		switch {
		case err == nil && (p.Version != version || p.Registry == ""):
			t.Errorf("%+v", p)
		case err != nil && (!errors.As(err, &e) || e.Message == "" || e.Hint() == "" || strings.Contains(e.Message, "\n")):
			t.Errorf("%#v", err)
		}
	})
}
