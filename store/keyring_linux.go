package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"
)

// The Secret Service on the session bus.
const (
	secretService    = "org.freedesktop.secrets"
	servicePath      = dbus.ObjectPath("/org/freedesktop/secrets")
	loginCollection  = servicePath + "/collection/login"
	defaultAlias     = servicePath + "/aliases/default"
	collectionsProp  = "org.freedesktop.Secret.Service.Collections"
	collectionLocked = "org.freedesktop.Secret.Collection.Locked"
)

// Ready finds the session bus and asks, without a prompt, whether the
// collection that go-keyring will use is unlocked. go-keyring itself would
// start a bus where there is none, and would wait for ever on a locked one.
func (osKeyring) Ready(ctx context.Context) error {
	address := busAddress()
	if address == "" {
		return noKeyring(errors.New("there is no D-Bus session bus"))
	}
	// go-keyring looks here and nowhere but in /run/user.
	if err := os.Setenv("DBUS_SESSION_BUS_ADDRESS", address); err != nil {
		return noKeyring(err)
	}
	bus, err := dbus.Connect(address, dbus.WithContext(ctx))
	if err != nil {
		return noKeyring(err)
	}
	defer bus.Close()
	return checkUnlocked(ctx, bus)
}

// busAddress returns where the session bus is, or "".
func busAddress() string {
	if a := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); a != "" && !strings.HasPrefix(a, "autolaunch:") {
		return a
	}
	for _, dir := range []string{os.Getenv("XDG_RUNTIME_DIR"), "/run/user/" + strconv.Itoa(os.Geteuid())} {
		if dir == "" {
			continue
		}
		socket := filepath.Join(dir, "bus")
		if info, err := os.Stat(socket); err == nil && info.Mode().Type() == os.ModeSocket {
			return "unix:path=" + dbus.EscapeBusAddressValue(socket)
		}
	}
	return ""
}

// checkUnlocked chooses the collection as go-keyring does: login where there
// is one, else the default.
func checkUnlocked(ctx context.Context, bus *dbus.Conn) error {
	var collections []dbus.ObjectPath
	if err := property(ctx, bus, servicePath, collectionsProp, &collections); err != nil {
		return noKeyring(err)
	}
	collection := defaultAlias
	if slices.Contains(collections, loginCollection) {
		collection = loginCollection
	}
	var locked bool
	if err := property(ctx, bus, collection, collectionLocked, &locked); err != nil {
		return withHint(fmt.Errorf("%w: there is no login or default collection: %w", ErrNoKeyring, err),
			"make a keyring once with your desktop's password program, or keep the key elsewhere: --key file:PATH")
	}
	if locked {
		return withHint(fmt.Errorf("%w (%s)", ErrKeyLocked, collection),
			"unlock it, with your desktop's password program or by logging in there, and start rotd again")
	}
	return nil
}

func property(ctx context.Context, bus *dbus.Conn, object dbus.ObjectPath, name string, to any) error {
	dot := strings.LastIndexByte(name, '.')
	var v dbus.Variant
	call := bus.Object(secretService, object).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, name[:dot], name[dot+1:])
	if err := call.Store(&v); err != nil {
		return err
	}
	return v.Store(to)
}

// noKeyring says, of what D-Bus says of a session without a Secret Service
// ("The name … was not provided by any .service files") or without a bus, what
// to do.
func noKeyring(err error) error {
	return withHint(fmt.Errorf("%w: %w", ErrNoKeyring, err), "%s", noKeyringHint)
}
