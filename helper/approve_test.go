package helper

import (
	"strings"
	"testing"

	"rotd/ipc"
)

func TestApprove(t *testing.T) {
	d := newDaemon(t)
	d.stream("POST "+ipc.PathApprove,
		ipc.Event{Step: &ipc.Step{Name: "window", Text: "pass npm's check in the browser window"}},
		ipc.Event{Result: &ipc.Result{Rotations: []ipc.Rotation{{ROT: testROT, Generation: 2}}, Settled: []string{testROT}}})
	d.run("approve", "ci").want(t, 0, "", "✔ revoked the old token of "+testROT+"\n✔ rotated "+testROT)
	var req ipc.Approve
	if d.body(ipc.PathApprove, &req); req != (ipc.Approve{Ref: "ci"}) {
		t.Errorf("the request: %+v", req)
	}
	d.run("approve", "--json").want(t, 0, `{"revoked_old":true,"rot":"`+testROT+`"}`+"\n"+`{"rot":"`+testROT+`","generation":2}`+"\n", "window")
	var all ipc.Approve
	if d.body(ipc.PathApprove, &all); all != (ipc.Approve{}) {
		t.Errorf("the request: %+v", all)
	}
	d.run("approve", "one", "two").want(t, ipc.ExitUsage, "", "two")
}

func TestApproveNothing(t *testing.T) {
	d := newDaemon(t)
	d.stream("POST "+ipc.PathApprove, ipc.Event{Result: &ipc.Result{}})
	d.run("approve").want(t, 0, "", "nothing waits for you")
}

func TestApproveASignIn(t *testing.T) {
	d := newDaemon(t)
	d.stream("POST "+ipc.PathApprove, ipc.Event{Result: &ipc.Result{SignedIn: []string{testPas}}})
	got := d.run("approve")
	got.want(t, 0, "", "✔ signed in again: "+testPas)
	if strings.Contains(got.stderr, "nothing waits") {
		t.Errorf("%q", got.stderr)
	}
	d.run("approve", "--json").want(t, 0, `{"signed_in":"`+testPas+`"}`+"\n", "")
}

// The display of the caller goes along, and no more of his environment.
func TestTheDisplayGoesAlong(t *testing.T) {
	for name, tc := range map[string]struct {
		goos string
		env  []string
		args []string
		want *ipc.Display
	}{
		"none":         {"linux", nil, nil, nil},
		"X":            {"linux", []string{"DISPLAY=:0", "XAUTHORITY=/a", "XDG_RUNTIME_DIR=/r"}, nil, &ipc.Display{X11: ":0", XAuthority: "/a"}},
		"Wayland":      {"linux", []string{"WAYLAND_DISPLAY=wayland-0", "XDG_RUNTIME_DIR=/r", "XAUTHORITY=/a"}, nil, &ipc.Display{Wayland: "wayland-0", RuntimeDir: "/r"}},
		"not wanted":   {"linux", []string{"DISPLAY=:0"}, []string{"--terminal"}, nil},
		"macOS":        {"darwin", nil, nil, &ipc.Display{}},
		"macOS by ssh": {"darwin", []string{"SSH_CONNECTION=1"}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDaemon(t)
			d.stream("POST "+ipc.PathApprove, ipc.Event{Result: &ipc.Result{}})
			d.stream("POST "+ipc.PathPasscards, ipc.Event{Result: &ipc.Result{Passcard: testPas}})
			for path, command := range map[string][]string{ipc.PathApprove: {"approve"}, ipc.PathPasscards: {"connect", "npm"}} {
				e := d.env(tc.env...)
				e.GOOS = tc.goos
				if got := runEnv(t.Context(), e, append(command, tc.args...)...); got.code != 0 {
					t.Fatalf("%+v", got)
				}
				var req struct{ Display *ipc.Display }
				d.body(path, &req)
				if (req.Display == nil) != (tc.want == nil) || tc.want != nil && *req.Display != *tc.want {
					t.Errorf("%s: the display is %+v, want %+v", path, req.Display, tc.want)
				}
			}
		})
	}
}
