package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zalando/go-keyring"
)

// keyringService is the name under which rotd's keys stand in a keyring; the
// account beside it is the state's id.
const keyringService = "rotd"

// keyringPatience is how long one call may take. A keyring that wants to ask
// the person something never answers.
const keyringPatience = 10 * time.Second

// keyringSource is a master key in the OS keyring: the Secret Service on Linux,
// the login keychain on macOS.
type keyringSource struct {
	ring     ring
	patience time.Duration
}

// ring is the keyring's own API. Its calls cannot be cancelled and may hang.
type ring interface {
	// Ready returns ErrNoKeyring or ErrKeyLocked where Get and Set would
	// fail, or would ask the person.
	Ready(ctx context.Context) error
	Get(service, account string) (string, error) // keyring.ErrNotFound
	Set(service, account, value string) error
	Delete(service, account string) error // keyring.ErrNotFound
}

func newKeyring() keyringSource { return keyringSource{osKeyring{}, keyringPatience} }

func (k keyringSource) String() string { return "keyring" }

// Load asks the keyring for the key. ErrNoKeyring, ErrKeyLocked, ErrKeyMissing.
func (k keyringSource) Load(ctx context.Context, account string) (Key, error) {
	_, err := bounded(ctx, k.patience, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, k.ring.Ready(ctx)
	})
	if err != nil {
		return Key{}, err
	}
	return k.get(ctx, account)
}

func (k keyringSource) get(ctx context.Context, account string) (Key, error) {
	text, err := bounded(ctx, k.patience, func(context.Context) (string, error) {
		return k.ring.Get(keyringService, account)
	})
	if errors.Is(err, keyring.ErrNotFound) {
		return Key{}, withHint(fmt.Errorf("keyring: %w: it has no key %s of %s", ErrKeyMissing, account, keyringService),
			"open the keyring that rotd used before; without its key what was sealed cannot be opened, and a new --state-dir starts afresh")
	}
	if err != nil {
		return Key{}, keyringFailed("read the master key", err)
	}
	key, err := decodeKey(text)
	if err != nil {
		return Key{}, withHint(fmt.Errorf("keyring: the entry %s of %s: %w", account, keyringService, err),
			"something other than rotd changed it: restore the keyring")
	}
	return key, nil
}

// Create makes a key.
func (k keyringSource) Create(ctx context.Context, account string) (Key, error) {
	return k.put(ctx, account, randomKey())
}

// put keeps a key. Whatever Set answers, the keyring is read again: a Set that
// timed out may have happened, and one that reported success may not.
func (k keyringSource) put(ctx context.Context, account string, key Key) (Key, error) {
	_, setErr := bounded(ctx, k.patience, func(context.Context) (struct{}, error) {
		return struct{}{}, k.ring.Set(keyringService, account, key.encode())
	})
	kept, err := k.get(ctx, account)
	switch {
	case err == nil && kept.reveal() == key.reveal():
		return key, nil
	case setErr != nil:
		return Key{}, keyringFailed("keep the master key", setErr)
	case err != nil:
		return Key{}, err
	}
	return Key{}, keyringFailed("keep the master key", errors.New("the keyring answers another one"))
}

// nextAccount is the second slot of a state.
func nextAccount(account string) string { return account + ".next" }

func (k keyringSource) Stage(ctx context.Context, account string) (Key, error) {
	return k.Create(ctx, nextAccount(account))
}

func (k keyringSource) Staged(ctx context.Context, account string) (Key, error) {
	return k.Load(ctx, nextAccount(account))
}

func (k keyringSource) Promote(ctx context.Context, account string) error {
	key, err := k.Staged(ctx, account)
	if err != nil {
		return err
	}
	if _, err := k.put(ctx, account, key); err != nil {
		return err
	}
	return k.Drop(ctx, nextAccount(account))
}

func (k keyringSource) Drop(ctx context.Context, account string) error {
	_, err := bounded(ctx, k.patience, func(context.Context) (struct{}, error) {
		return struct{}{}, k.ring.Delete(keyringService, account)
	})
	if err != nil && !errors.Is(err, keyring.ErrNotFound) {
		return keyringFailed("remove a master key", err)
	}
	return nil
}

// keyringFailed wraps an error of the keyring that is none of ours yet.
func keyringFailed(doing string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, ErrNoKeyring) || errors.Is(err, ErrKeyLocked) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return withHint(fmt.Errorf("%s: %w: %w", doing, ErrNoKeyring, err), "%s", noKeyringHint)
}

const noKeyringHint = "start rotd in a session with a keyring, or keep the key elsewhere: --key file:PATH or --key credential:NAME"

// bounded runs a call that may not heed its context until it answers, ctx ends
// or patience runs out. A call that never answers keeps its goroutine until the
// process ends.
func bounded[T any](ctx context.Context, patience time.Duration, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	type answer struct {
		v   T
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		v, err := call(ctx)
		answers <- answer{v, err}
	}()
	select {
	case a := <-answers:
		if a.err == nil || ctx.Err() == nil {
			return a.v, a.err
		}
	case <-ctx.Done():
	}
	var none T
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return none, withHint(fmt.Errorf("%w: it did not answer within %s", ErrKeyLocked, patience),
			"it may be waiting for you: unlock the keyring and start rotd again")
	}
	return none, ctx.Err()
}
