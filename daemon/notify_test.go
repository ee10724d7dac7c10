package daemon

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// told is a notifier that remembers.
type told struct {
	mu  sync.Mutex
	all []Notice
}

func (n *told) notify(_ context.Context, notices []Notice) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, notices...)
	return nil
}

func (n *told) states() (states []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, one := range n.all {
		states = append(states, one.State)
	}
	return states
}

// look makes the timer go round once at least, and waits for it.
func (r *rig) look() {
	r.t.Helper()
	for range 2 { // it takes the second call when it is through with the first
		r.d.kick()
		r.await("a look of the timer", func() bool { return len(r.d.wake) == 0 })
	}
}

func TestWorthTelling(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	in := func(d time.Duration) *time.Time { at := now.Add(d); return &at }
	for _, c := range []struct {
		what    string
		state   string
		told    string
		ago     time.Duration // since it was told
		expires *time.Time
		first   bool // there is no token yet
		paused  bool
		want    bool
	}{
		{what: "all is well", state: ipc.StateOK},
		{what: "it fails", state: ipc.StateFailing, want: true},
		{what: "it fails still", state: ipc.StateFailing, told: ipc.StateFailing, ago: 40 * day, expires: in(15 * day)},
		{what: "it fails still, and its end is near", state: ipc.StateFailing, told: ipc.StateFailing, ago: day, expires: in(13 * day), want: true},
		{what: "that was told today", state: ipc.StateFailing, told: ipc.StateFailing, ago: 23 * time.Hour, expires: in(13 * day)},
		{what: "a clock was set back", state: ipc.StateFailing, told: ipc.StateFailing, ago: -40 * day, expires: in(13 * day), want: true},
		{what: "a token without end", state: ipc.StateFailing, told: ipc.StateFailing, ago: 40 * day},
		{what: "now it needs a person", state: ipc.StateNeedsApproval, told: ipc.StateFailing, want: true},
		{what: "it has expired", state: ipc.StateExpired, told: ipc.StateNeedsApproval, expires: in(-1), want: true},
		{what: "it has expired, a day later", state: ipc.StateExpired, told: ipc.StateExpired, ago: day, expires: in(-day), want: true},
		{what: "it has expired and was turned off", state: ipc.StateExpired, told: ipc.StateExpired, ago: day, expires: in(-day), paused: true},
		{what: "well again", state: ipc.StateOK, told: ipc.StateFailing, want: true},
		{what: "it is at work", state: ipc.StateRotating, told: ipc.StateFailing},
		{what: "npm's session has ended, which is told of the passcard", state: ipc.StateNeedsSignIn},
		{what: "the first rotation failed", state: ipc.StateNeedsApproval, first: true},
		{what: "none yet", state: ipc.StateEmpty, first: true},
	} {
		r := store.ROT{Notified: c.told, NotifiedAt: now.Add(-c.ago), Current: 1}
		if c.first {
			r.Current = 0
		}
		if got := worthTelling(now, r, ipc.ROT{State: c.state, Expires: c.expires, Schedule: ipc.Schedule{Off: c.paused}}); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}

func TestEachChangeIsToldOnce(t *testing.T) {
	r := newRig(t)
	n := &r.told
	_, rot := r.first()
	expect := func(want ...string) {
		t.Helper()
		r.await("the telling of "+strings.Join(want, ", "), func() bool {
			r.look()
			return len(n.states()) >= len(want)
		})
		if got := n.states(); !slices.Equal(got, want) {
			t.Fatalf("told %q, want %q", got, want)
		}
	}
	expect()
	r.switches(`{"faults":[{"path":"/-/npm/v1/tokens","method":"POST","count":-1,"kind":"status","status":503}]}`)
	r.advance(61 * day)
	r.await("the failure", func() bool { return r.rot(rot).State == ipc.StateFailing })
	expect(ipc.StateFailing)
	r.advance(12 * time.Hour)
	expect(ipc.StateFailing)
	r.advance(15*day + time.Hour) // 14 days before the end
	expect(ipc.StateFailing, ipc.StateFailing)
	r.advance(25 * time.Hour)
	expect(ipc.StateFailing, ipc.StateFailing, ipc.StateFailing)
	// A daemon that is started anew knows what it has told.
	again := &Daemon{cfg: r.d.cfg, notify: n.notify}
	again.store.Store(r.d.store.Load())
	if _, err := again.tellChanges(t.Context()); err != nil {
		t.Fatal(err)
	}
	again.work.Wait()
	expect(ipc.StateFailing, ipc.StateFailing, ipc.StateFailing)

	r.switches(`{"faults":[]}`)
	r.advance(8 * time.Hour)
	r.await("the rotation", func() bool {
		r.advance(time.Minute) // a try may have begun before the eight hours
		return r.rot(rot).State == ipc.StateOK
	})
	expect(ipc.StateFailing, ipc.StateFailing, ipc.StateFailing, ipc.StateOK)
	r.look()
	expect(ipc.StateFailing, ipc.StateFailing, ipc.StateFailing, ipc.StateOK)
}

func TestANoticeSaysWhatToDo(t *testing.T) {
	r := newRig(t)
	n := &r.told
	passcard, rot := r.first()
	for _, kind := range rememberable {
		if err := r.d.store.Load().PutSecret(t.Context(), passcard, kind, secret.Text{}); err != nil {
			t.Fatal(err)
		}
	}
	r.advance(61 * day)
	r.await("the notice", func() bool { return len(n.states()) == 1 })
	got := n.all[0]
	if got.State != ipc.StateNeedsApproval || got.ROT != rotRef(rot) || got.Username != user || got.Expires == nil ||
		got.Error.Code.Exit() != ipc.ExitPerson || !strings.Contains(got.Title, "needs you") || !strings.Contains(got.Text, "run: rot ") {
		t.Errorf("%+v", got)
	}
}

var aNotice = Notice{State: ipc.StateFailing, ROT: "rot://rot_x", Name: "c$(i)", Title: "rotd: c$(i) cannot be rotated", Text: "no answer <b>&\n\"quoted\" \\"}

func TestNotifyCommand(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "tell")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ncat > \"$1.json\"\nprintf '%s|%s|%s' \"$ROT_REF\" \"$ROT_NAME\" \"$ROT_STATE\" > \"$1.env\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := notifyCommand([]string{script, "a$(b) c"}, dir)(t.Context(), []Notice{aNotice}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "a$(b) c.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got Notice
	if err := json.Unmarshal(b, &got); err != nil || got != aNotice {
		t.Errorf("stdin was %q: %v", b, err)
	}
	env, err := os.ReadFile(filepath.Join(dir, "a$(b) c.env"))
	if want := "rot://rot_x|c$(i)|failing"; err != nil || string(env) != want {
		t.Errorf("the environment: %q, want %q (%v)", env, want, err)
	}
	if err := notifyCommand([]string{"false"}, dir)(t.Context(), []Notice{aNotice}); err == nil {
		t.Error("a command that fails is no error")
	}
}

func TestNotifyByScript(t *testing.T) {
	dir := t.TempDir()
	fake := "#!/bin/sh\nfor a; do printf '%s\\0' \"$a\"; done > \"" + dir + "/argv\"\n"
	if err := os.WriteFile(filepath.Join(dir, "osascript"), []byte(fake), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	if err := showByScript(t.Context(), aNotice); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "argv"))
	if err != nil {
		t.Fatal(err)
	}
	argv := strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
	if len(argv) != 8 || argv[6] != aNotice.Title || argv[7] != aNotice.Text {
		t.Errorf("%q", argv)
	}
	for _, line := range argv[:6] {
		if strings.Contains(line, "$(i)") || strings.Contains(line, "quoted") {
			t.Errorf("the notice is part of the script: %q", line)
		}
	}
}
