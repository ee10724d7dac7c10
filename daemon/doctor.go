package daemon

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"rotd/daemon/browser"
	"rotd/daemon/npm"
	"rotd/ipc"
	"rotd/store"
)

const (
	// doctorTime is how long all of it may take.
	doctorTime = 20 * time.Second
	// clockOff is how wrong this machine's clock may be: a one-time code is good
	// for half a minute.
	clockOff = 20 * time.Second
)

// getDoctor looks at what the daemon depends on, and tells what it finds. It
// changes nothing, and asks the registries nothing but whether they are there.
func (d *Daemon) getDoctor(r *http.Request, st *store.Store, out *reply) error {
	ctx, cancel := context.WithTimeout(r.Context(), doctorTime)
	defer cancel()
	if st == nil {
		return out.json(ipc.Doctor{Checks: []ipc.Check{unwell("key", errLocked), d.checkBrowser(ctx, nil)}})
	}
	passcards, err := d.passcardViews(ctx, st)
	if err != nil {
		return err
	}
	rots, err := d.rotViews(ctx, st)
	if err != nil {
		return err
	}
	checks := []ipc.Check{well("key", "the master key is there: "+d.cfg.Key.String()), d.checkBrowser(ctx, passcards)}
	checks = append(checks, d.checkRegistries(ctx, passcards)...)
	checks = append(checks, checkPasscards(passcards)...)
	checks = append(checks, checkROTs(rots)...)
	return out.json(ipc.Doctor{Checks: checks})
}

func well(name, text string) ipc.Check { return ipc.Check{Name: name, OK: true, Text: text} }

func unwell(name string, err error) ipc.Check {
	e := toWire(err)
	return ipc.Check{Name: name, Text: e.Message, Hint: e.Hint}
}

// checkBrowser finds the browser, which only some accounts cannot do without.
func (d *Daemon) checkBrowser(ctx context.Context, passcards []ipc.Passcard) ipc.Check {
	needed := slices.ContainsFunc(passcards, func(p ipc.Passcard) bool {
		return p.Via == ipc.ViaWebsite || slices.Contains(p.Remembered, "passkey")
	})
	path, version, err := browser.Check(ctx, browser.Config{Exec: d.cfg.Browser, NoSandbox: d.cfg.BrowserNoSandbox})
	if err == nil {
		return well("browser", version+", "+path)
	}
	c := unwell("browser", err)
	if !needed {
		c.OK = true
		c.Text += "; without one npm's pages do not open, and what is connected goes on"
	}
	return c
}

// checkRegistries asks all at once, each for its time of day too.
func (d *Daemon) checkRegistries(ctx context.Context, passcards []ipc.Passcard) []ipc.Check {
	var addresses []string
	for _, p := range passcards {
		addresses = append(addresses, p.Registry)
	}
	slices.Sort(addresses)
	addresses = slices.Compact(addresses)
	found := make([][]ipc.Check, len(addresses))
	var all sync.WaitGroup
	for i, address := range addresses {
		all.Go(func() { found[i] = d.checkRegistry(ctx, address) })
	}
	all.Wait()
	return slices.Concat(found...)
}

func (d *Daemon) checkRegistry(ctx context.Context, address string) []ipc.Check {
	begun := d.cfg.Now()
	theirs, err := npm.Ping(ctx, address)
	if err != nil {
		c := unwell("registry", err)
		c.Text = address + ": " + c.Text
		return []ipc.Check{c}
	}
	checks := []ipc.Check{well("registry", address+" answers")}
	if theirs.IsZero() {
		return checks
	}
	ours := d.cfg.Now()
	off := ours.Sub(theirs)
	switch {
	case begun.Before(theirs.Add(clockOff)) && ours.After(theirs.Add(-clockOff)):
		return append(checks, well("clock", "as that of "+address))
	case off > 0:
		return append(checks, clockIs(off, "ahead of", address))
	default:
		return append(checks, clockIs(-off, "behind", address))
	}
}

func clockIs(off time.Duration, how, address string) ipc.Check {
	return ipc.Check{Name: "clock", Text: fmt.Sprintf("this machine's clock is %v %s that of %s", off.Round(time.Second), how, address),
		Hint: "set it: one-time codes are wrong, and rotations come at the wrong time (Linux: timedatectl set-ntp true)"}
}

// checkPasscards tells of the accounts that somebody has to sign in to.
func checkPasscards(passcards []ipc.Passcard) []ipc.Check {
	if len(passcards) == 0 {
		return []ipc.Check{{Name: "account", OK: true, Text: "none is connected yet", Hint: "rot connect npm"}}
	}
	var checks []ipc.Check
	for _, p := range passcards {
		if p.Trouble != nil {
			c := unwell("account", p.Trouble)
			c.Text = p.Ref + ": " + c.Text
			checks = append(checks, c)
		}
	}
	if checks == nil {
		checks = append(checks, well("account", fmt.Sprintf("%d connected", len(passcards))))
	}
	return checks
}

// checkROTs tells of those that are not as they should be.
func checkROTs(rots []ipc.ROT) []ipc.Check {
	var checks []ipc.Check
	for _, r := range rots {
		c := ipc.Check{Name: "rot", Text: r.Ref + " is in state: " + r.State, Hint: "rot status tells more"}
		switch r.State {
		case ipc.StateOK, ipc.StateRotating:
			if !r.ExpiresBeforeNext {
				continue
			}
			c.OK, c.Text, c.Hint = true, r.Ref+" expires before it is rotated", "rot schedule "+r.Ref+" --auto"
		case ipc.StateRevoked:
			c.OK, c.Text, c.Hint = true, r.Ref+" was revoked and serves no token", "rot rotate "+r.Ref+" makes a new one"
		}
		if r.LastError != nil && !c.OK {
			c.Text += ": " + r.LastError.Message
			c.Hint = r.LastError.Hint
		}
		checks = append(checks, c)
	}
	if len(checks) == 0 && len(rots) > 0 {
		checks = append(checks, well("rot", fmt.Sprintf("%d, all of them well", len(rots))))
	}
	return checks
}
