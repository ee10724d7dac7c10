package service

import (
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// Sockets are the sockets that systemd has handed to this process. Call it once,
// early: the processes that this one starts are not to believe that they got any.
func Sockets() []*os.File { return activation.Files(true) }

// Supervised reports whether a service manager wants to be notified.
func Supervised() bool { return os.Getenv("NOTIFY_SOCKET") != "" }

// Notify tells systemd how this process does. It may be used by several
// goroutines.
type Notify struct {
	Log *slog.Logger

	mu     sync.Mutex
	failed bool
}

// Watchdog is how often systemd wants to hear of Alive; 0: never.
func (n *Notify) Watchdog() time.Duration {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		n.Log.Warn("systemd's watchdog cannot be told that rotd lives", "err", err)
	}
	return every
}

// Ready says that the service serves.
func (n *Notify) Ready() { n.send(daemon.SdNotifyReady) }

// Stopping says that the service ends.
func (n *Notify) Stopping() { n.send(daemon.SdNotifyStopping) }

// Alive says that the service does its work.
func (n *Notify) Alive() { n.send(daemon.SdNotifyWatchdog) }

// Reloading says that the settings are being read.
func (n *Notify) Reloading() {
	n.send(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// Status says what the service is at, in a line.
func (n *Notify) Status(text string) {
	n.send("STATUS=" + strings.Join(strings.Fields(text), " "))
}

// send sends one message. That it cannot is told once: whatever it is, it will
// not pass, and systemd will act on the silence.
func (n *Notify) send(message string) {
	_, err := daemon.SdNotify(false, message)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil && !n.failed {
		n.failed = true
		n.Log.Error("systemd cannot be told how rotd does", "err", err)
	}
}
