package store

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zalando/go-keyring"
)

// fakeRing is a keyring in memory that can be told to misbehave.
type fakeRing struct {
	mu   sync.Mutex
	kept map[string]string

	ready    error
	hang     chan struct{} // Get, Set and Ready wait for it where it is not nil
	setHangs chan struct{} // Set keeps the value and then waits for it
	setFails error         // Set keeps nothing
	setLies  bool          // Set keeps nothing and answers nil
}

func newFakeRing() *fakeRing { return &fakeRing{kept: map[string]string{}} }

func (r *fakeRing) wait() {
	if r.hang != nil {
		<-r.hang
	}
}

func (r *fakeRing) Ready(context.Context) error {
	r.wait()
	return r.ready
}

func (r *fakeRing) Get(service, account string) (string, error) {
	r.wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.kept[service+"/"+account]
	if !ok {
		return "", keyring.ErrNotFound
	}
	return v, nil
}

func (r *fakeRing) Set(service, account, value string) error {
	r.wait()
	if r.setFails != nil || r.setLies {
		return r.setFails
	}
	r.mu.Lock()
	r.kept[service+"/"+account] = value
	r.mu.Unlock()
	if r.setHangs != nil {
		<-r.setHangs
	}
	return nil
}

func (r *fakeRing) Delete(service, account string) error {
	r.wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.kept[service+"/"+account]; !ok {
		return keyring.ErrNotFound
	}
	delete(r.kept, service+"/"+account)
	return nil
}

func TestKeyringKeepsAKeyForEachState(t *testing.T) {
	k := keyringSource{newFakeRing(), time.Second}
	if _, err := k.Load(t.Context(), "one"); !errors.Is(err, ErrKeyMissing) || HintOf(err) == "" {
		t.Errorf("Load before Create: %v", err)
	}
	one := must[Key](t)(k.Create(t.Context(), "one"))
	two := must[Key](t)(k.Create(t.Context(), "two"))
	if one.reveal() == two.reveal() {
		t.Error("two states have one key")
	}
	if got := must[Key](t)(k.Load(t.Context(), "one")); got.reveal() != one.reveal() {
		t.Error("another key came back")
	}
}

func TestKeyringSetIsReadBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		hangs := newFakeRing()
		hangs.setHangs = release
		k := keyringSource{hangs, keyringPatience}
		key, err := k.Create(t.Context(), "a")
		if err != nil || key.reveal() != must[Key](t)(k.Load(t.Context(), "a")).reveal() {
			t.Errorf("a Set that kept the key and then hung: %v", err)
		}
	})
	failing, lying := newFakeRing(), newFakeRing()
	failing.setFails = errors.New("exit status 1")
	lying.setLies = true
	if _, err := (keyringSource{failing, time.Second}).Create(t.Context(), "a"); !errors.Is(err, failing.setFails) || !errors.Is(err, ErrNoKeyring) {
		t.Errorf("a Set that failed: %v", err)
	}
	if _, err := (keyringSource{lying, time.Second}).Create(t.Context(), "a"); !errors.Is(err, ErrKeyMissing) {
		t.Errorf("a Set that kept nothing and said nothing: %v", err)
	}
}

func TestKeyringThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRing()
		r.hang = make(chan struct{})
		defer close(r.hang)
		start := time.Now()
		_, err := (keyringSource{r, keyringPatience}).Load(t.Context(), "a")
		if !errors.Is(err, ErrKeyLocked) || HintOf(err) == "" {
			t.Errorf("Load: %v", err)
		}
		if took := time.Since(start); took != keyringPatience {
			t.Errorf("it took %s", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := (keyringSource{r, keyringPatience}).Load(ctx, "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("Load with a context that has ended: %v", err)
		}
	})
}

func TestKeyringThatIsNotReadyIsNotAsked(t *testing.T) {
	for _, want := range []error{ErrNoKeyring, ErrKeyLocked} {
		r := newFakeRing()
		r.ready = want
		st := newState(t)
		_, err := Open(t.Context(), st.dir, keyringSource{r, time.Second}, Options{})
		if !errors.Is(err, want) {
			t.Errorf("Open: %v, want %v", err, want)
		}
		if files := snapshot(t, st.dir); len(files) != 0 {
			t.Errorf("%v: the refused first start made %d files", want, len(files))
		}
	}
}

func TestGarbledKeyringEntryIsRefused(t *testing.T) {
	r := newFakeRing()
	r.kept["rotd/a"] = "tooshortEXAMPLE"
	if _, err := (keyringSource{r, time.Second}).Load(t.Context(), "a"); !errors.Is(err, errNotAKey) || HintOf(err) == "" {
		t.Errorf("Load: %v", err)
	}
}
