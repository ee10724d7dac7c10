package daemon

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rotd/ipc"
)

// examine returns what the doctor finds, by name.
func (r *rig) examine() map[string]ipc.Check {
	r.t.Helper()
	var all ipc.Doctor
	if err := r.call("GET", ipc.PathDoctor, nil, &all); err != nil {
		r.t.Fatal(err)
	}
	found := make(map[string]ipc.Check)
	for _, c := range all.Checks {
		if _, twice := found[c.Name]; twice {
			r.t.Fatalf("two of %s: %+v", c.Name, all.Checks)
		}
		found[c.Name] = c
	}
	return found
}

func TestDoctorOfAHealthyDaemon(t *testing.T) {
	r := newRig(t)
	if c := r.examine()["account"]; !c.OK || c.Hint != "rot connect npm" {
		t.Errorf("with nothing connected: %+v", c)
	}
	r.first()
	for name, want := range map[string]string{
		"key": "file:", "registry": r.url + " answers", "clock": "as that of", "account": "1 connected", "rot": "1, all of them well",
	} {
		if c := r.examine()[name]; !c.OK || c.Hint != "" || !strings.Contains(c.Text, want) {
			t.Errorf("%s: %+v, want %q", name, c, want)
		}
	}
	// The rig has no browser, and an account with a TOTP secret needs none.
	if c := r.examine()["browser"]; !c.OK || c.Hint == "" {
		t.Errorf("browser: %+v", c)
	}
}

func TestDoctorOfALockedKeyring(t *testing.T) {
	r := newRig(t)
	r.handler = (&Daemon{cfg: r.d.cfg}).handler() // one that has not opened its state
	if c := r.examine()["key"]; c.OK || !strings.Contains(c.Hint, "unlock") {
		t.Errorf("%+v", c)
	}
}

func TestDoctorOfWhatFails(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	r.switches(`{"faults":[{"path":"/-/npm/v1/tokens","method":"POST","count":-1,"kind":"status","status":500},{"path":"/-/ping","count":-1,"kind":"status","status":503}]}`)
	if _, err := r.stream(ipc.Path(ipc.PathRotate, rot), ipc.Rotate{}); err == nil {
		t.Fatal("a rotation went well")
	}
	found := r.examine()
	if c := found["registry"]; c.OK || c.Hint == "" || !strings.Contains(c.Text, "503") {
		t.Errorf("a registry that fails: %+v", c)
	}
	if c := found["rot"]; c.OK || c.Hint == "" || !strings.Contains(c.Text, ipc.StateFailing) {
		t.Errorf("a ROT that fails: %+v", c)
	}
}

// TestDoctorNeedsABrowser where an account has a security key, or goes by the
// website.
func TestDoctorNeedsABrowser(t *testing.T) {
	r := newRig(t)
	for _, p := range []ipc.Passcard{{Remembered: []string{"passkey"}}, {Via: ipc.ViaWebsite}} {
		if c := r.d.checkBrowser(t.Context(), []ipc.Passcard{p}); c.OK || c.Hint == "" {
			t.Errorf("%+v: %+v", p, c)
		}
	}
}

func TestDoctorReadsClocks(t *testing.T) {
	r := newRig(t)
	date := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil
		if date != "" {
			w.Header().Set("Date", date)
		}
	}))
	defer srv.Close()
	url := strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	if checks := r.d.checkRegistry(t.Context(), url); len(checks) != 1 || !checks[0].OK {
		t.Errorf("without a date: %+v", checks)
	}
	date = "yesterday"
	if checks := r.d.checkRegistry(t.Context(), url); len(checks) != 1 || !checks[0].OK {
		t.Errorf("with a date that is none: %+v", checks)
	}
	date = time.Now().Add(5 * time.Minute).UTC().Format(http.TimeFormat)
	if checks := r.d.checkRegistry(t.Context(), url); len(checks) != 2 || checks[1].OK || !strings.Contains(checks[1].Text, "behind that of") {
		t.Errorf("in five minutes: %+v", checks)
	}
	date = time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	if checks := r.d.checkRegistry(t.Context(), url); len(checks) != 2 || checks[1].OK || !strings.Contains(checks[1].Text, "ahead of") {
		t.Errorf("an hour ago: %+v", checks)
	}
}

func TestDoctorTellsOfTroubleOnce(t *testing.T) {
	later := time.Now()
	for _, tc := range []struct {
		rots []ipc.ROT
		ok   bool
		want string
	}{
		{nil, true, ""},
		{[]ipc.ROT{{Ref: "rot://rot_a", State: ipc.StateOK}, {Ref: "rot://rot_b", State: ipc.StateRotating}}, true, "2, all of them well"},
		{[]ipc.ROT{{Ref: "rot://rot_a", State: ipc.StateOK, Expires: &later, ExpiresBeforeNext: true}}, true, "rot://rot_a expires before it is rotated"},
		{[]ipc.ROT{{Ref: "rot://rot_a", State: ipc.StateRevoked}}, true, "was revoked"},
		{[]ipc.ROT{{Ref: "rot://rot_a", State: ipc.StateOK}, {Ref: "rot://rot_b", State: ipc.StateUndelivered}}, false, "rot://rot_b is in state: not delivered"},
		{[]ipc.ROT{{Ref: "rot://rot_a", State: ipc.StateNeedsApproval, LastError: &ipc.Error{Message: "npm wants", Hint: "rot approve"}}}, false, "npm wants"},
	} {
		checks := checkROTs(tc.rots)
		if tc.want == "" {
			if checks != nil {
				t.Errorf("%+v: %+v", tc.rots, checks)
			}
			continue
		}
		if len(checks) != 1 || checks[0].OK != tc.ok || !strings.Contains(checks[0].Text, tc.want) {
			t.Errorf("%+v: %+v, want %v, %q", tc.rots, checks, tc.ok, tc.want)
		}
	}
	checks := checkPasscards([]ipc.Passcard{{Ref: "rot://pas_a"}, {Ref: "rot://pas_b", Trouble: &ipc.Error{Message: "npm has ended the session", Hint: "rot connect npm"}}})
	if len(checks) != 1 || checks[0].OK || checks[0].Text != "rot://pas_b: npm has ended the session" {
		t.Errorf("%+v", checks)
	}
}
