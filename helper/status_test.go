package helper

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"rotd/ipc"
)

func TestLs(t *testing.T) {
	soon, past := testNow.Add(59*24*time.Hour), testNow.Add(-time.Hour)
	d := newDaemon(t)
	d.on("GET "+ipc.PathPasscards, map[string]any{"passcards": []ipc.Passcard{
		{Ref: testPas, Username: "ada", Registry: "http://localhost:4873", Name: "work"},
		{Ref: "rot://pas_empty", Username: "bob", Registry: "https://npm.example/private"},
		{Ref: "rot://pas_site", Username: "eve", Registry: "https://npm.example", Via: ipc.ViaWebsite, Name: "w", Trouble: &ipc.Error{Code: ipc.CodeNeedsSignIn, Message: "m"}},
	}})
	d.on("GET "+ipc.PathROTs, map[string]any{"rots": []ipc.ROT{
		{Ref: testROT, Passcard: testPas, Name: "continuous-integration-of-everything-we-have", State: ipc.StateNeedsApproval, Generation: 3, Expires: &soon},
		{Ref: "rot://rot_bbbbbbbbbbbbbbbb", Passcard: testPas, State: ipc.StateExpired, Generation: 1, Expires: &past},
		{Ref: "rot://rot_cccccccccccccccc", Passcard: testPas, State: ipc.StateEmpty},
		{Ref: "rot://rot_dddddddddddddddd", Passcard: testPas, State: ipc.StateOK, Generation: 1, Name: "d"},
	}})
	want := testPas + `  ada at localhost:4873  work
  rot://rot_a2c4q7y3k5m6n2p4  needs approval  59 days left  continuous-integrat…
  rot://rot_bbbbbbbbbbbbbbbb  expired         expired
  rot://rot_cccccccccccccccc  empty           no token yet
  rot://rot_dddddddddddddddd  ok              no expiry  d
rot://pas_empty  bob at npm.example/private
rot://pas_site  eve at npm.example by the website, needs sign-in  w
`
	got := d.run("ls")
	got.want(t, 0, want, "")
	for _, line := range strings.Split(got.stdout, "\n") {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("more than 80 columns: %q", line)
		}
	}
	var all listing
	if err := json.Unmarshal([]byte(d.run("ls", "--json").stdout), &all); err != nil || len(all.Passcards) != 3 || all.Passcards[2].Trouble == nil || len(all.ROTs) != 4 {
		t.Errorf("--json: %+v, %v", all, err)
	}
}

func TestLsOfNothing(t *testing.T) {
	d := newDaemon(t)
	d.on("GET "+ipc.PathPasscards, map[string]any{"passcards": []ipc.Passcard{}})
	d.on("GET "+ipc.PathROTs, map[string]any{"rots": []ipc.ROT{}})
	d.run("ls").want(t, 0, "", "⮕ next: rot connect npm")
	d.run("ls", "--json").want(t, 0, `{"passcards":[],"rots":[]}`+"\n", "")
}

func TestStatus(t *testing.T) {
	expires, next, tried := testNow.Add(60*24*time.Hour), testNow.Add(90*time.Minute), testNow.Add(-30*time.Second)
	s := ipc.Status{
		Version: "1.2", PID: 4711, Started: testNow.Add(-3 * 24 * time.Hour), StateDir: "/home/ada/.local/state/rotd", Key: "keyring",
		Passcards: []ipc.Passcard{{Ref: testPas}},
		ROTs: []ipc.ROT{{
			Ref: testROT, Name: "ci", Passcard: testPas, Username: "ada", Registry: "http://localhost:4873", Generation: 3,
			State: ipc.StateFailing, Expires: &expires, Next: &next, LastAttempt: &tried, Retiring: 1,
			LastError: &ipc.Error{Code: ipc.CodeUnreachable, Message: "no answer from localhost:4873", Hint: "see whether it is up"},
		}, {Ref: "rot://rot_new", Passcard: testPas, Username: "ada", Registry: "http://localhost:4873", State: ipc.StateEmpty}},
	}
	d := newDaemon(t)
	d.on("GET "+ipc.PathStatus, s)
	d.run("status").want(t, 0, `rotd 1.2, process 4711, running for 3 days
  state  /home/ada/.local/state/rotd
  key    keyring

`+testROT+` (ci)  failing
  of      ada at localhost:4873, `+testPas+`
  token   generation 3, expires in 60 days (2027-01-22 12:00 UTC)
  next    rotation in 90 min (2026-11-23 13:30 UTC)
  old     1 not yet confirmed as revoked
  error   no answer from localhost:4873 (30 s ago)
    hint: see whether it is up

rot://rot_new  empty
  of      ada at localhost:4873, `+testPas+`
`, "")
	var back ipc.Status
	if err := json.Unmarshal([]byte(d.run("status", "--json").stdout), &back); err != nil || back.PID != 4711 || len(back.ROTs) != 2 {
		t.Errorf("--json: %+v, %v", back, err)
	}
}

func TestStatusSaysWhatIsNext(t *testing.T) {
	for want, s := range map[string]ipc.Status{
		"the keyring with the master key is locked": {Locked: true},
		"next: rot connect npm":                     {},
		"next: rot rotate " + testPas:               {Passcards: []ipc.Passcard{{Ref: testPas}}},
	} {
		d := newDaemon(t)
		d.on("GET "+ipc.PathStatus, s)
		if got := d.run("status"); got.code != 0 || !strings.Contains(got.stderr, want) {
			t.Errorf("%+v, want %q", got, want)
		}
	}
}

func TestVersion(t *testing.T) {
	for name, tc := range map[string]struct {
		v    ipc.Version
		want string
	}{
		"same":      {ipc.Version{Version: ipc.BuildVersion, API: ipc.APIVersion}, ""},
		"other":     {ipc.Version{Version: "9", API: ipc.APIVersion}, "of different versions"},
		"newer API": {ipc.Version{Version: "9", API: ipc.APIVersion + 1}, "newer API"},
		"older API": {ipc.Version{Version: "9", API: ipc.APIVersion - 1}, "older API"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDaemon(t)
			d.on("GET "+ipc.PathVersion, tc.v)
			d.run("--version").want(t, 0, "rot  "+ipc.BuildVersion+"\nrotd "+tc.v.Version+"\n", tc.want)
			d.run("version").want(t, 0, "rot  "+ipc.BuildVersion+"\nrotd "+tc.v.Version+"\n", tc.want)
		})
	}
	d := newDaemon(t)
	d.run("version", "--socket", "/nonexistent/s").want(t, 0, "rot  dev\n", "rotd is not running")
	d.run("version", "--socket", "/nonexistent/s", "--json").want(t, 0, `{"rot":"dev"}`+"\n", `"code":"no_daemon"`)
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 59 * time.Second: "59 s", time.Hour - 1: "59 min", 47 * time.Hour: "47 h",
		48 * time.Hour: "2 days", 90 * 24 * time.Hour: "90 days", 90*24*time.Hour - time.Minute: "90 days",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}
