package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestKeyPrintsNothing(t *testing.T) {
	raw := []byte("EXAMPLEEXAMPLEEXAMPLEEXAMPLE1234")
	k := must[Key](t)(NewKey(raw))
	var out bytes.Buffer
	inside := struct {
		Public  Key
		private Key
	}{k, k}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", k)
		fmt.Fprintf(&out, verb+"\n", &k)
		fmt.Fprintf(&out, verb+"\n", inside)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "key", k, "in", inside)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "key", k, "in", inside)
	out.Write(must[[]byte](t)(json.Marshal(inside)))
	for _, leak := range []string{"EXAMPLE", fmt.Sprintf("%x", raw[:4]), fmt.Sprintf("%X", raw[:4]), fmt.Sprintf("%d", raw[0]) + " " + fmt.Sprintf("%d", raw[1]), k.encode()} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the key shows as %q in:\n%s", leak, out.String())
		}
	}
}

func TestKeyHas32Bytes(t *testing.T) {
	for _, n := range []int{0, 31, 33} {
		if _, err := NewKey(make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes was taken", n)
		}
	}
}

func TestParseKeySource(t *testing.T) {
	for _, s := range []string{"keyring", "file:/a/b", "file:b:c", "credential:rotd.key"} {
		if got := must[KeySource](t)(ParseKeySource(s)).String(); got != s {
			t.Errorf("%s came back as %s", s, got)
		}
	}
	for _, s := range []string{"", "keyring:", "keyring:x", "file:", "file", "credential:", "credential:..", "credential:a/b", "/path", "env:X"} {
		if _, err := ParseKeySource(s); err == nil || HintOf(err) == "" {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestKeyFileIsChecked(t *testing.T) {
	dir := t.TempDir()
	good := keyFile(filepath.Join(dir, "good"))
	key := must[Key](t)(good.Create(t.Context(), ""))
	content := readFile(t, string(good))
	write := func(name string, b []byte, mode fs.FileMode) keyFile {
		p := filepath.Join(dir, name)
		ok(t, os.WriteFile(p, b, 0o600))
		ok(t, os.Chmod(p, mode))
		return keyFile(p)
	}
	link := keyFile(filepath.Join(dir, "link"))
	ok(t, os.Symlink("good", string(link)))
	for _, p := range []keyFile{good, link, write("readonly", content, 0o400), write("bare", bytes.TrimSpace(content), 0o600)} {
		if got, err := p.Load(t.Context(), ""); err != nil || got.reveal() != key.reveal() {
			t.Errorf("%s: %v", p, err)
		}
	}

	fifo := keyFile(filepath.Join(dir, "fifo"))
	ok(t, syscall.Mkfifo(string(fifo), 0o600))
	loose := write("loose", content, 0o640)
	linkToLoose := keyFile(filepath.Join(dir, "link-to-loose"))
	ok(t, os.Symlink("loose", string(linkToLoose)))
	bad := []keyFile{
		fifo, keyFile(dir), loose, linkToLoose,
		write("world", content, 0o604), write("executable", content, 0o700),
		write("31 bytes", make([]byte, 31), 0o600),
		write("short", content[:40], 0o600), write("long", append(content, content...), 0o600),
		write("huge", bytes.Repeat(content, 1000), 0o600),
	}
	for _, p := range bad {
		_, err := p.Load(t.Context(), "")
		if err == nil || HintOf(err) == "" || errors.Is(err, ErrKeyMissing) {
			t.Errorf("%s: %v (hint %q)", p, err, HintOf(err))
		}
		if err != nil && strings.Contains(err.Error(), string(content[:8])) {
			t.Errorf("%s: the error quotes the key: %v", p, err)
		}
	}
	if _, err := keyFile(filepath.Join(dir, "absent")).Load(t.Context(), ""); !errors.Is(err, ErrKeyMissing) || HintOf(err) == "" {
		t.Errorf("an absent file: %v", err)
	}
}

func TestKeyFileOfAnotherUserIsRefused(t *testing.T) {
	p := keyFile(filepath.Join(t.TempDir(), "key"))
	_ = must[Key](t)(p.Create(t.Context(), ""))
	if err := os.Chown(string(p), 65534, 65534); err != nil {
		t.Skipf("only root can give a file away: %v", err)
	}
	if _, err := p.Load(t.Context(), ""); err == nil || !strings.Contains(HintOf(err), "chown") {
		t.Errorf("Load: %v", err)
	}
}

func TestKeyFileIsNeverReplaced(t *testing.T) {
	dir := t.TempDir()
	p := keyFile(filepath.Join(dir, "key"))
	_ = must[Key](t)(p.Create(t.Context(), ""))
	before := readFile(t, string(p))
	if _, err := p.Create(t.Context(), ""); !errors.Is(err, fs.ErrExist) || HintOf(err) == "" {
		t.Errorf("a second Create: %v", err)
	}
	if !bytes.Equal(before, readFile(t, string(p))) {
		t.Error("the key was replaced")
	}
	if entries := must[[]fs.DirEntry](t)(os.ReadDir(dir)); len(entries) != 1 {
		t.Errorf("%d files are left in the folder", len(entries))
	}
	if _, err := keyFile(filepath.Join(dir, "no", "key")).Create(t.Context(), ""); err == nil || HintOf(err) == "" {
		t.Errorf("Create without a folder: %v", err)
	}
}

func TestCredential(t *testing.T) {
	dir := t.TempDir()
	c := must[KeySource](t)(ParseKeySource("credential:rotd"))
	check := func(when string) {
		t.Helper()
		for _, f := range []func() (Key, error){
			func() (Key, error) { return c.Load(t.Context(), "") },
			func() (Key, error) { return c.Create(t.Context(), "") },
		} {
			if _, err := f(); !errors.Is(err, ErrKeyMissing) || !strings.Contains(HintOf(err), "LoadCredential=rotd:") {
				t.Errorf("%s: %v (hint %q)", when, err, HintOf(err))
			}
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	check("no directory")
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	check("no credential")
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "state"), c, Options{}); !errors.Is(err, ErrKeyMissing) {
		t.Errorf("Open without the credential: %v", err)
	}

	ok(t, os.WriteFile(filepath.Join(dir, "rotd"), []byte(randomKey().encode()), 0o400))
	st := newState(t)
	for range 2 {
		s, err := Open(t.Context(), st.dir, c, Options{})
		ok(t, err)
		ok(t, s.Close())
	}
}
