package daemon

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"rotd/ipc"
)

// inSession marks the copy of this test binary that runs inside a session bus
// of its own.
const inSession = "ROTD_TEST_SESSION_BUS"

// shown is what a desktop was asked to show.
type shown struct {
	app, title, text string
	urgency          byte
}

// desktop is a notification service that shows nothing.
type desktop struct {
	markup atomic.Bool // it reads the text as markup
	calls  chan shown
}

func (d *desktop) GetCapabilities() ([]string, *dbus.Error) {
	if d.markup.Load() {
		return []string{"body", "body-markup"}, nil
	}
	return []string{"body"}, nil
}

func (d *desktop) Notify(app string, _ uint32, _, title, text string, _ []string, hints map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	urgency, _ := hints["urgency"].Value().(byte)
	d.calls <- shown{app, title, text, urgency}
	return 1, nil
}

func TestNotifyDesktop(t *testing.T) {
	if os.Getenv(inSession) == "" {
		runInSession(t)
		return
	}
	if err := notifyDesktop(t.Context(), []Notice{aNotice}); err == nil {
		t.Error("a bus without a notification service is no error")
	}
	bus, err := dbus.Connect(os.Getenv("DBUS_SESSION_BUS_ADDRESS"))
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	d := &desktop{calls: make(chan shown, 10)}
	if err := bus.Export(d, "/org/freedesktop/Notifications", "org.freedesktop.Notifications"); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.RequestName("org.freedesktop.Notifications", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	tell := func(notices ...Notice) {
		t.Helper()
		if err := notifyDesktop(t.Context(), notices); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want shown) {
		t.Helper()
		select {
		case got := <-d.calls:
			if got != want {
				t.Errorf("shown %+v, want %+v", got, want)
			}
		default:
			t.Errorf("nothing is shown, want %+v", want)
		}
	}
	tell(aNotice)
	expect(shown{"rotd", aNotice.Title, aNotice.Text, urgencyNormal})
	person := aNotice
	person.State = ipc.StateNeedsApproval
	d.markup.Store(true)
	tell(person)
	expect(shown{"rotd", aNotice.Title, "no answer &lt;b&gt;&amp;\n&#34;quoted&#34; \\", urgencyCritical})
	tell(aNotice, aNotice, aNotice, aNotice)
	expect(shown{"rotd", "rotd: 4 ROTs have changed their state", "rotd: c$(i) cannot be rotated, and others\nrun: rot status", urgencyNormal})
	select {
	case more := <-d.calls:
		t.Errorf("and more: %+v", more)
	default:
	}
}

func TestNoDesktopIsNotStarted(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	for _, address := range []string{"", "autolaunch:", "unix:path=" + filepath.Join(t.TempDir(), "nowhere")} {
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
		if err := showOnBus(t.Context(), aNotice); !errors.Is(err, errNoDesktop) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// runInSession runs this test once more inside dbus-run-session.
func runInSession(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("dbus-run-session"); err != nil {
		t.Fatalf("%v: install the package dbus", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "dbus-run-session", "--", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inSession+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("in a session of its own: %v\n%s", err, out)
	}
}
