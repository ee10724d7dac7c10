package service

import (
	"context"
	"strconv"
	"strings"
	"time"

	kservice "github.com/kardianos/service"
)

const running = kservice.StatusRunning

// Status is how a service does.
type Status struct {
	Installed bool
	Enabled   bool // starts by itself
	Running   bool
	Listening bool   // systemd holds its socket: a connection starts it
	State     string // the manager's words: "active (running)"
	PID       int    // 0: none
	Since     time.Time
	Words     string // rotd's own: what it is at
	Restarts  int    // by the manager, as it had failed
	Unit      string // the file
	Socket    string
	StateDir  string
}

// Status asks the manager.
func (c *Control) Status(ctx context.Context) (Status, error) {
	if c.platform == launchd {
		return c.launchdStatus(ctx)
	}
	out, err := c.systemctl(ctx, "show", "--timestamp=us+utc",
		"--property=LoadState,ActiveState,SubState,UnitFileState,MainPID,StatusText,ExecMainStartTimestamp,NRestarts,FragmentPath", unitName)
	if err != nil {
		return Status{}, err
	}
	p := properties(out)
	st := Status{
		Installed: p["LoadState"] != "not-found", Enabled: p["UnitFileState"] == "enabled",
		Running: p["ActiveState"] == "active" || p["ActiveState"] == "reloading",
		State:   p["ActiveState"] + " (" + p["SubState"] + ")", Words: p["StatusText"], Unit: p["FragmentPath"],
	}
	st.PID, _ = strconv.Atoi(p["MainPID"])
	st.Restarts, _ = strconv.Atoi(p["NRestarts"])
	if st.Running {
		st.Since = timestamp(p["ExecMainStartTimestamp"])
	} else if p["ActiveState"] == "inactive" {
		st.Words = "" // those of the last run, which ended well
	}
	st.StateDir = installedState(st.Unit)
	out, err = c.systemctl(ctx, "show", "--property=ActiveState,Listen", socketName)
	if err != nil {
		return st, err
	}
	p = properties(out)
	st.Listening = p["ActiveState"] == "active"
	st.Socket = strings.TrimSuffix(p["Listen"], " (Stream)")
	return st, nil
}

func (c *Control) launchdStatus(ctx context.Context) (Status, error) {
	var st Status
	var err error
	if st.Installed, err = c.Installed(ctx); err != nil || !st.Installed {
		return st, err
	}
	f, err := Spec{System: c.system, Home: c.home}.Launchd()
	if err != nil {
		return st, err
	}
	st.Enabled, st.Unit, st.StateDir, st.State = true, f.Path, installedState(f.Path), "stopped"
	now, err := c.svc.Status()
	if st.Running = now == running; st.Running {
		st.State = "running"
	}
	return st, err
}

// properties reads systemctl show's lines.
func properties(out string) map[string]string {
	p := make(map[string]string)
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\n"), "=")
		p[name] = value
	}
	return p
}

// timestamp reads systemctl's --timestamp=us+utc; the zero time where it names
// none.
func timestamp(s string) time.Time {
	t, _ := time.Parse("Mon 2006-01-02 15:04:05.999999 MST", s)
	return t
}
