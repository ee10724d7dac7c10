package daemon

import (
	"context"
	"errors"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"rotd/ipc"
)

// fewNotices is how many a desktop shows one by one; of more it gets the number.
const fewNotices = 3

// desktopTime is how long a desktop may take to show one.
const desktopTime = 10 * time.Second

// errNoDesktop says that there is no session bus, and so no desktop to tell.
var errNoDesktop = errors.New("there is no desktop session")

// notifyDesktop shows notices on the desktop.
func notifyDesktop(ctx context.Context, notices []Notice) error {
	show := showOnBus
	if runtime.GOOS == "darwin" {
		show = showByScript
	}
	if len(notices) > fewNotices {
		notices = []Notice{{
			State: notices[0].State, Title: fmt.Sprintf("rotd: %d ROTs have changed their state", len(notices)),
			Text: notices[0].Title + ", and others\nrun: rot status",
		}}
	}
	var errs []error
	for _, n := range notices {
		ctx, cancel := context.WithTimeout(ctx, desktopTime)
		errs = append(errs, show(ctx, n))
		cancel()
	}
	return errors.Join(errs...)
}

// The urgencies of the desktop notification specification.
const (
	urgencyNormal   byte = 1
	urgencyCritical byte = 2 // stays until it is closed
)

// showOnBus asks the session bus's org.freedesktop.Notifications. It starts no
// bus.
func showOnBus(ctx context.Context, n Notice) error {
	address := sessionBus(os.Getenv)
	if address == "" {
		return errNoDesktop
	}
	bus, err := dbus.Connect(address, dbus.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("%w: %w", errNoDesktop, err)
	}
	defer bus.Close()
	const service = "org.freedesktop.Notifications"
	server := bus.Object(service, "/org/freedesktop/Notifications")
	var can []string
	if err := server.CallWithContext(ctx, service+".GetCapabilities", 0).Store(&can); err != nil {
		return fmt.Errorf("ask the desktop what it shows: %w", err)
	}
	text := n.Text
	if slices.Contains(can, "body-markup") {
		text = html.EscapeString(text)
	}
	urgency := urgencyNormal
	if n.State == ipc.StateNeedsApproval || n.State == ipc.StateExpired {
		urgency = urgencyCritical
	}
	call := server.CallWithContext(ctx, service+".Notify", 0,
		"rotd", uint32(0), "dialog-password", n.Title, text,
		[]string{}, map[string]dbus.Variant{"urgency": dbus.MakeVariant(urgency)}, int32(-1))
	if call.Err != nil {
		return fmt.Errorf("show it on the desktop: %w", call.Err)
	}
	return nil
}

// sessionBus is the address of the session bus; empty where none is running.
func sessionBus(getenv func(string) string) string {
	if a := getenv("DBUS_SESSION_BUS_ADDRESS"); a != "" && !strings.HasPrefix(a, "autolaunch:") {
		return a
	}
	dir := getenv("XDG_RUNTIME_DIR")
	socket := filepath.Join(dir, "bus")
	if info, err := os.Stat(socket); dir == "" || err != nil || info.Mode().Type() != os.ModeSocket {
		return ""
	}
	return "unix:path=" + dbus.EscapeBusAddressValue(socket)
}

// showByScript asks macOS. Title and text are arguments of the script and no
// part of it: nothing in them is read as AppleScript.
func showByScript(ctx context.Context, n Notice) error {
	out, err := exec.CommandContext(ctx, "osascript",
		"-e", "on run argv",
		"-e", "display notification (item 2 of argv) with title (item 1 of argv)",
		"-e", "end run",
		n.Title, n.Text).CombinedOutput()
	if err != nil {
		return fmt.Errorf("osascript: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
