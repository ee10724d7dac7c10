package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/zalando/go-keyring"

	"rotd/ipc/secret"
)

// inSession marks the copy of this test binary that runs inside a session bus
// of its own, with a home of its own.
const inSession = "ROTD_TEST_SESSION_BUS"

// busConfig is a session bus that starts no service by itself: whether there
// is a Secret Service is the test's choice.
const busConfig = `<busconfig>
<type>session</type>
<listen>unix:tmpdir=%s</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
`

// TestGnomeKeyring runs rotd's key source against the real thing.
func TestGnomeKeyring(t *testing.T) {
	if os.Getenv(inSession) == "" {
		runInSession(t)
		return
	}
	k := newKeyring()
	state := filepath.Join(t.TempDir(), "state")

	t.Run("a bus without a Secret Service", func(t *testing.T) {
		_, err := k.Load(t.Context(), "a")
		if !errors.Is(err, ErrNoKeyring) || !strings.Contains(err.Error(), "was not provided") || HintOf(err) == "" {
			t.Errorf("Load: %v", err)
		}
	})
	stop := startKeyringDaemon(t)
	t.Run("a state with its key", func(t *testing.T) {
		s, err := Open(t.Context(), state, k, Options{})
		ok(t, err)
		p := addPasscard(t, s, "ada")
		ok(t, s.PutSecret(t.Context(), p.ID, KindPassword, secret.New("pw-EXAMPLE")))
		ok(t, s.Close())
		s, err = Open(t.Context(), state, k, Options{})
		ok(t, err)
		if v := must[secret.Text](t)(s.Secret(t.Context(), p.ID, KindPassword)); v.Reveal() != "pw-EXAMPLE" {
			t.Errorf("the password is %q", v.Reveal())
		}
		ok(t, s.Close())
	})
	account := must[probed](t)(probe(t.Context(), filepath.Join(state, "rotd.db"))).stateID
	refused := func(want error) func(*testing.T) {
		return func(t *testing.T) {
			before := snapshot(t, state)
			_, err := Open(t.Context(), state, k, Options{})
			if !errors.Is(err, want) || HintOf(err) == "" {
				t.Errorf("Open: %v (hint %q)", err, HintOf(err))
			}
			if diff := cmp.Diff(before, snapshot(t, state)); diff != "" {
				t.Errorf("the refusal changed the state (-before +after):\n%s", diff)
			}
		}
	}
	ok(t, lockCollection(t.Context()))
	t.Run("a locked collection", refused(ErrKeyLocked))
	t.Run("a locked collection and a new state", func(t *testing.T) {
		fresh := filepath.Join(t.TempDir(), "state")
		if _, err := Open(t.Context(), fresh, k, Options{}); !errors.Is(err, ErrKeyLocked) {
			t.Errorf("Open: %v", err)
		}
		if files := snapshot(t, fresh); len(files) != 0 {
			t.Errorf("the refused first start made %d files", len(files))
		}
	})
	stop()
	startKeyringDaemon(t) // unlocked again
	t.Run("another key in its place", func(t *testing.T) {
		before := must[Key](t)(k.Load(t.Context(), account))
		if removed := must[bool](t)(Rekey(t.Context(), state, k, k, Options{})); !removed {
			t.Error("the old key is still there")
		}
		if after := must[Key](t)(k.Load(t.Context(), account)); after.reveal() == before.reveal() {
			t.Error("it is the same key")
		}
		if _, err := k.Staged(t.Context(), account); !errors.Is(err, ErrKeyMissing) {
			t.Errorf("the second slot: %v", err)
		}
		s := must[*Store](t)(Open(t.Context(), state, k, Options{}))
		ok(t, s.Close())
	})
	ok(t, keyring.Set(keyringService, account, randomKey().encode()))
	t.Run("another key", refused(ErrWrongKey))
	ok(t, keyring.Delete(keyringService, account))
	t.Run("a key that is gone", refused(ErrKeyMissing))
}

func TestNoSessionBusIsNoKeyring(t *testing.T) {
	if busAddressIn(t, "") != "" {
		t.Log("this user has a session bus of its own at /run/user: the first case cannot be tried")
	} else {
		checkNoKeyring(t, "no bus at all")
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", "autolaunch:")
		checkNoKeyring(t, "a bus that would have to be started")
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "nowhere"))
	checkNoKeyring(t, "a bus address that leads nowhere")
}

func TestSilentSessionBusIsGivenUp(t *testing.T) {
	dir := must[string](t)(os.MkdirTemp("", "t"))
	t.Cleanup(func() { os.RemoveAll(dir) })
	silent := must[net.Listener](t)(net.Listen("unix", filepath.Join(dir, "bus"))) // nobody accepts
	defer silent.Close()
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", dir)
	_, err := keyringSource{osKeyring{}, 50 * time.Millisecond}.Load(t.Context(), "a")
	if !errors.Is(err, ErrKeyLocked) || HintOf(err) == "" {
		t.Errorf("Load: %v (hint %q)", err, HintOf(err))
	}
}

// busAddressIn is busAddress in a session with this runtime directory only.
func busAddressIn(t *testing.T, runtime string) string {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	return busAddress()
}

func checkNoKeyring(t *testing.T, when string) {
	t.Helper()
	start := time.Now()
	if _, err := newKeyring().Load(t.Context(), "a"); !errors.Is(err, ErrNoKeyring) || !strings.Contains(HintOf(err), "--key file:") {
		t.Errorf("%s: %v (hint %q)", when, err, HintOf(err))
	}
	if took := time.Since(start); took > keyringPatience/2 {
		t.Errorf("%s: it took %s", when, took)
	}
}

// runInSession runs this test once more inside dbus-run-session, which ends the
// bus after it.
func runInSession(t *testing.T) {
	for _, tool := range []string{"dbus-run-session", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%v: install the packages dbus and gnome-keyring", err)
		}
	}
	dir := must[string](t)(os.MkdirTemp("", "t")) // short: it holds sockets
	t.Cleanup(func() { os.RemoveAll(dir) })
	config := filepath.Join(dir, "bus.conf")
	ok(t, os.WriteFile(config, fmt.Appendf(nil, busConfig, dir), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "dbus-run-session", "--config-file="+config, "--",
		must[string](t)(os.Executable()), "-test.run=^TestGnomeKeyring$", "-test.v")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // the bus and all
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "TMPDIR=" + dir, inSession + "=1"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("in the session: %v\n%s", err, out)
	}
}

// startKeyringDaemon starts gnome-keyring-daemon with its login collection
// unlocked. It ends with the test, or by stop.
func startKeyringDaemon(t *testing.T) (stop func()) {
	cmd := exec.Command("gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets")
	cmd.Stdin = strings.NewReader("testpw")
	ok(t, cmd.Start())
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(stop)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := osKeyring{}.Ready(t.Context())
		if err == nil {
			return stop
		}
		if time.Now().After(deadline) {
			t.Fatalf("gnome-keyring-daemon is not ready: %v", err)
		}
	}
}

func lockCollection(ctx context.Context) error {
	bus, err := dbus.ConnectSessionBus(dbus.WithContext(ctx))
	if err != nil {
		return err
	}
	defer bus.Close()
	return bus.Object(secretService, servicePath).CallWithContext(ctx, "org.freedesktop.Secret.Service.Lock", 0, []dbus.ObjectPath{loginCollection}).Err
}
