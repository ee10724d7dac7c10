package helper

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"rotd/ipc"
)

func TestStatusShowsWhatIsLeft(t *testing.T) {
	days := func(n int) *time.Time { at := testNow.Add(time.Duration(n) * 24 * time.Hour); return &at }
	rots := []ipc.ROT{
		{Ref: testROT, Passcard: testPas, Username: "ada", Registry: "http://localhost:1", State: ipc.StateOK, Generation: 2,
			Created: days(-30), Expires: days(60), Next: days(46), LastAttempt: days(-30), Schedule: ipc.Schedule{BeforeExpiry: "14d"}},
		{Ref: "rot://rot_b", Passcard: testPas, Username: "ada", Registry: "http://localhost:1", State: ipc.StateOK, Generation: 1,
			Created: days(-85), Expires: days(5), Schedule: ipc.Schedule{Off: true}, ExpiresBeforeNext: true},
		{Ref: "rot://rot_c", Passcard: testPas, Username: "ada", Registry: "http://localhost:1", State: ipc.StateExpired, Generation: 1,
			Created: days(-91), Expires: days(-1)},
	}
	d := newDaemon(t)
	d.on("GET "+ipc.PathStatus, ipc.Status{Version: "1", Started: testNow, Passcards: []ipc.Passcard{{Ref: testPas}}, ROTs: rots})

	plain := d.run("status").stdout
	for _, want := range []string{
		"  life    66 % left\n", "  life    5 % left\n",
		"  next    rotation in 46 days (2027-01-08 12:00 UTC), 14d before it expires\n",
		"  next    never by itself\n", "  note    it expires before rotd tries again\n", "  last    rotated 30 days ago\n",
	} {
		if !strings.Contains(plain, want) {
			t.Errorf("no %q in\n%s", want, plain)
		}
	}
	if strings.ContainsAny(plain, "█░\x1b") || strings.Count(plain, " life ") != 2 {
		t.Errorf("in a pipe:\n%s", plain)
	}

	terminal := func(extra ...string) string {
		e := d.env(extra...)
		e.StdoutTTY, e.StderrTTY, e.Width = true, true, 80
		return runEnv(t.Context(), e, "status").stdout
	}
	bar := strings.Repeat("█", 20) + strings.Repeat("░", 10) + "  66 % left"
	if got := terminal("NO_COLOR=1"); !strings.Contains(got, "  life    "+bar+"\n") || strings.Contains(got, "\x1b") {
		t.Errorf("with NO_COLOR:\n%s", got)
	}
	coloured := terminal()
	for _, want := range []string{"\x1b[32m" + strings.Repeat("█", 20) + "\x1b[0m░", "\x1b[31m██\x1b[0m░"} {
		if !strings.Contains(coloured, want) {
			t.Errorf("no %q in\n%q", want, coloured)
		}
	}
	for _, line := range strings.Split(terminal("NO_COLOR=1"), "\n") {
		if utf8.RuneCountInString(line) > columns {
			t.Errorf("more than 80 columns: %q", line)
		}
	}
	var back ipc.Status
	if err := json.Unmarshal([]byte(d.run("status", "--json").stdout), &back); err != nil || back.ROTs[0].Schedule.BeforeExpiry != "14d" || !back.ROTs[1].ExpiresBeforeNext {
		t.Errorf("--json: %+v, %v", back, err)
	}
}
