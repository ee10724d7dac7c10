package store

import "github.com/zalando/go-keyring"

// osKeyring is the keyring of this system, through go-keyring. What Ready asks
// differs by system: keyring_linux.go, keyring_darwin.go.
type osKeyring struct{}

func (osKeyring) Get(service, account string) (string, error) { return keyring.Get(service, account) }

func (osKeyring) Set(service, account, value string) error {
	return keyring.Set(service, account, value)
}

func (osKeyring) Delete(service, account string) error { return keyring.Delete(service, account) }
