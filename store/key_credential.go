package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// credential is a master key that systemd hands to the service, as
// $CREDENTIALS_DIRECTORY/NAME (LoadCredential=, LoadCredentialEncrypted=). Who
// may read that file is systemd's business. Its content is as a key file's.
type credential string

func validCredential(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.Contains(name, "/")
}

func (c credential) String() string { return "credential:" + string(c) }

func (c credential) Load(context.Context, string) (Key, error) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return Key{}, c.missing("there is no $CREDENTIALS_DIRECTORY")
	}
	f, err := os.Open(filepath.Join(dir, string(c)))
	if errors.Is(err, fs.ErrNotExist) {
		return Key{}, c.missing("systemd passed no such credential")
	}
	if err != nil {
		return Key{}, fmt.Errorf("read the master key: %w", err)
	}
	defer f.Close()
	return readKey(f, c.String())
}

// Create cannot: a credential is made by whoever writes the unit.
func (c credential) Create(context.Context, string) (Key, error) {
	return Key{}, c.missing("rotd cannot make it")
}

func (c credential) missing(why string) error {
	return withHint(fmt.Errorf("%s: %w: %s", c, ErrKeyMissing, why),
		"make one with `head -c 32 /dev/urandom | base64 > FILE` (mode 0600) and put LoadCredential=%s:FILE into the unit", string(c))
}
