package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"rotd/ipc"
	"rotd/store"
)

// Supervisor is a service manager that a Daemon runs under. Its methods return
// soon and may be called by several goroutines.
type Supervisor interface {
	Ready()             // the API answers; again after Reloading
	Status(text string) // what the daemon is at, a line without secrets
	Alive()             // the daemon does its work
	Reloading()         // the settings are being read
	Stopping()
}

// Settings are what a running daemon can be given anew.
type Settings struct {
	Browser          string        // as Config.Browser
	BrowserNoSandbox bool          // as Config.BrowserNoSandbox
	Notify           []string      // as Config.Notify
	ReaderTime       time.Duration // as Config.ReaderTime
	LogLimits        store.LogLimits
}

// settings are those that hold now.
func (d *Daemon) settings() Settings {
	if s := d.reloaded.Load(); s != nil {
		return *s
	}
	return Settings{Browser: d.cfg.Browser, BrowserNoSandbox: d.cfg.BrowserNoSandbox, Notify: d.cfg.Notify, ReaderTime: d.cfg.ReaderTime, LogLimits: d.cfg.LogLimits}
}

// answerLimit is how long the API may take for its first answer.
const answerLimit = 10 * time.Second

// reportReady tells whoever started the daemon that it serves: a service manager
// not before the API has answered.
func (d *Daemon) reportReady(ctx context.Context) error {
	if s := d.cfg.Supervisor; s != nil {
		ctx, cancel := context.WithTimeout(ctx, answerLimit)
		defer cancel()
		if err := (&ipc.Client{Socket: d.cfg.Socket}).Get(ctx, ipc.PathVersion, new(ipc.Version)); err != nil {
			return fmt.Errorf("the API does not answer: %w", err)
		}
		s.Ready()
		d.work.Go(func() { d.takeSettings(d.stop) })
		if d.cfg.Watchdog > 0 {
			d.work.Go(func() { d.showLife(d.stop) })
		}
	}
	if d.cfg.Ready != nil {
		d.cfg.Ready()
	}
	return nil
}

// takeSettings gives the daemon its settings anew whenever it is asked to. What
// runs goes on with those it began with; settings that make no sense change
// nothing.
func (d *Daemon) takeSettings(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.cfg.Reload:
		}
		d.cfg.Supervisor.Reloading()
		if s, err := d.cfg.Settings(); err != nil {
			d.cfg.Log.Error("the settings stay as they were", "err", err)
		} else {
			d.reloaded.Store(&s)
			d.limitLog()
			d.kick()
			d.cfg.Log.Info("settings read")
		}
		d.cfg.Supervisor.Ready()
	}
}

// limitLog has the log kept as the settings say.
func (d *Daemon) limitLog() {
	if st := d.store.Load(); st != nil {
		st.LimitLog(cmp.Or(d.settings().LogLimits, store.DefaultLogLimits))
	}
}

// showLife tells the supervisor twice in its interval that the daemon does its
// work: each time the timer has gone round, which takes the database's answer.
func (d *Daemon) showLife(ctx context.Context) {
	tick := time.NewTicker(d.cfg.Watchdog / 2)
	defer tick.Stop()
	for {
		select {
		case <-d.round: // what was before is no news
		default:
		}
		d.kick()
		select {
		case <-ctx.Done():
			return
		case <-d.round:
			d.cfg.Supervisor.Alive()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// turn notes that the timer, or while the keyring is locked the wait for it, has
// gone round.
func (d *Daemon) turn() {
	select {
	case d.round <- struct{}{}:
	default:
	}
}

// say tells the supervisor what the daemon is at, where that is something new.
// Only one goroutine at a time calls it: the timer, or what goes before it.
func (d *Daemon) say(text string) {
	if d.cfg.Supervisor != nil && text != d.said {
		d.said = text
		d.cfg.Supervisor.Status(text)
	}
}

// sayState tells the supervisor what there is, and what comes next.
func (d *Daemon) sayState(ctx context.Context) {
	if d.cfg.Supervisor == nil {
		return
	}
	line, err := d.stateLine(ctx, d.store.Load())
	switch {
	case ctx.Err() != nil:
	case err != nil:
		d.say("the database does not answer: " + err.Error())
	default:
		d.say(line)
	}
}

// stateLine sums up all ROTs. Those that are well do not count, but for the one
// that is rotated next.
func (d *Daemon) stateLine(ctx context.Context, st *store.Store) (string, error) {
	if any, err := st.AnyROT(ctx); err != nil || !any {
		return "nothing to rotate yet: rot connect npm", err
	}
	views, err := d.notableViews(ctx, st)
	if err != nil {
		return "", err
	}
	next, err := st.FirstDue(ctx, time.UnixMicro(0))
	if errors.Is(err, store.ErrNotFound) {
		return stateText(views), nil
	}
	return stateText(append(views, ipc.ROT{Ref: rotRef(next.ID), Name: next.Name, Next: timeOrNil(next.Next)})), err
}

func stateText(rots []ipc.ROT) string {
	var parts []string
	count := make(map[string]int)
	var next ipc.ROT
	for _, r := range rots {
		count[r.State]++
		if r.Next != nil && (next.Next == nil || r.Next.Before(*next.Next)) {
			next = r
		}
	}
	if next.Next == nil {
		parts = append(parts, "no rotation is planned")
	} else {
		name := next.Name
		if name == "" {
			name = next.Ref
		}
		parts = append(parts, fmt.Sprintf("next rotation %s (%s)", next.Next.UTC().Format("2006-01-02 15:04 MST"), name))
	}
	for _, s := range []string{ipc.StateRotating, ipc.StateNeedsApproval, ipc.StateFailing, ipc.StateUndelivered, ipc.StateExpired} {
		if n := count[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(parts, "; ")
}
