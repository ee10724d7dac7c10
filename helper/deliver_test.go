package helper

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rotd/ipc"
)

const deliverPath = "/v1/rots/rot_a2c4q7y3k5m6n2p4/deliveries"

func (d *fakeDaemon) delivers(v ipc.Delivery) {
	d.stream("POST "+ipc.PathDeliver,
		ipc.Event{Step: &ipc.Step{Name: "delivering", Text: "handing generation 2 to " + v.Name, ROT: testROT}},
		ipc.Event{Result: &ipc.Result{Delivery: &v}})
}

func TestDeliver(t *testing.T) {
	d := newDaemon(t)
	d.delivers(ipc.Delivery{Name: "gh", State: ipc.DeliveryOK, Generation: 2})
	d.run("deliver", testROT, "--", "gh", "secret", "set", "--name", "X").want(t, 0, "", "handing generation 2 to gh\n✔ gh has generation 2\n")
	var req ipc.Deliver
	if d.body(deliverPath, &req); req.Name != "" || !slices.Equal(req.Command, []string{"gh", "secret", "set", "--name", "X"}) {
		t.Errorf("the request: %+v", req)
	}
	e := d.env()
	runEnv(t.Context(), e, "deliver", "--name", "n", testROT, "--json", "--", "./x/y", "-v").
		want(t, 0, `{"name":"gh","command":null,"state":"ok","generation":2}`+"\n", "handing")
	if d.body(deliverPath, &req); req.Name != "n" || !slices.Equal(req.Command, []string{filepath.Join(e.Dir(), "x/y"), "-v"}) {
		t.Errorf("the request: %+v", req)
	}

	d = newDaemon(t)
	d.delivers(ipc.Delivery{Name: "gh", State: ipc.DeliveryWaiting})
	d.run("deliver", testROT, "--", "gh").want(t, 0, "", "gh is kept: it runs after the first rotation")
}

func TestDeliverThatFails(t *testing.T) {
	d := newDaemon(t)
	d.delivers(ipc.Delivery{Name: "gh", State: ipc.DeliveryFailing, Error: "exit status 1", Output: "one\x1b[2J\ntwo\n"})
	d.run("deliver", testROT, "--", "gh").want(t, ipc.ExitFailed, "",
		"  one [2J\n  two\nrot: gh has not taken it: exit status 1\n  hint: rotd keeps it and tries again; or: rot deliver rot_a2c4q7y3k5m6n2p4 --remove gh\n")
	got := d.run("deliver", testROT, "--json", "--", "gh")
	got.want(t, ipc.ExitFailed, `{"name":"gh","command":null,"state":"failing","generation":0,"error":"exit status 1","output":"one\u001b[2J\ntwo\n"}`+"\n", "handing")
}

func TestDeliverCommandLines(t *testing.T) {
	d := newDaemon(t)
	for _, line := range []string{"", testROT, testROT + " gh", "-- gh", testROT + " --", testROT + " --list -- gh", testROT + " --list --remove x", "a b -- gh"} {
		d.run(append([]string{"deliver"}, strings.Fields(line)...)...).want(t, ipc.ExitUsage, "", "hint: rot deliver --help")
	}
}

func TestDeliveries(t *testing.T) {
	since, next := testNow.Add(-time.Hour), testNow.Add(30*time.Second)
	all := []ipc.Delivery{
		{Name: "gh", Command: []string{"gh", "secret", "set", "X"}, State: ipc.DeliveryOK, Generation: 2, Delivered: &since},
		{Name: "etcd", Command: []string{"etcdctl"}, State: ipc.DeliveryFailing, Error: "exit status 1", Next: &next, Output: "Error: context deadline exceeded\n"},
		{Name: "new", Command: []string{"x"}, State: ipc.DeliveryWaiting},
	}
	d := newDaemon(t)
	d.on("GET "+ipc.PathDeliver, map[string]any{"deliveries": all})
	d.run("deliver", testROT, "--list").want(t, 0, `gh: has generation 2 since 2026-11-23 11:00 UTC
    gh secret set X
etcd: failing, exit status 1, tried again in 30 s
    etcdctl
    | Error: context deadline exceeded
new: not run yet
    x
`, "")
	if got := d.run("deliver", testROT, "--list", "--json"); !strings.HasPrefix(got.stdout, `{"deliveries":[{"name":"gh"`) {
		t.Errorf("%+v", got)
	}

	d.on("GET "+ipc.PathStatus, ipc.Status{Passcards: []ipc.Passcard{{Ref: testPas}}, ROTs: []ipc.ROT{
		{Ref: testROT, Passcard: testPas, State: ipc.StateOK, Generation: 2, Deliveries: all, Retiring: 1, GraceEnds: &next, Readers: 3},
	}})
	if got := d.run("status"); !strings.Contains(got.stdout, `
  to      gh: has generation 2 since 2026-11-23 11:00 UTC
  to      etcd: failing, exit status 1, tried again in 30 s
    it said: Error: context deadline exceeded
  to      new: not run yet
  old     1 not yet confirmed as revoked, kept until 2026-11-23 12:00 UTC, kept for 3 that run with it (rot exec)
`) {
		t.Errorf("status: %s", got.stdout)
	}

	var gone string
	d.mux.HandleFunc("DELETE "+ipc.PathDelivery, func(w http.ResponseWriter, r *http.Request) {
		gone = r.PathValue("ref") + " " + r.PathValue("name")
		w.WriteHeader(http.StatusNoContent)
	})
	d.run("deliver", testROT, "--remove", "a/{b}").want(t, 0, "", "✔ removed a/{b}\n")
	if gone != "rot_a2c4q7y3k5m6n2p4 a/{b}" {
		t.Errorf("removed %q", gone)
	}
}

func TestNpmrcFromStdin(t *testing.T) {
	d := newDaemon(t)
	e := d.env()
	e.Stdin = strings.NewReader(testToken)
	file := filepath.Join(e.Dir(), ".npmrc")
	runEnv(t.Context(), e, "npmrc", "-", "--registry", "http://localhost:4873", "--file", file).want(t, 0, "", "written")
	checkFile(t, file, "//localhost:4873/:_authToken="+testToken+"\n")
}

func TestLinkAndUnlink(t *testing.T) {
	d := newDaemon(t)
	d.hasToken()
	d.delivers(ipc.Delivery{Name: "npmrc", State: ipc.DeliveryOK, Generation: 1})
	e := d.env()
	file := filepath.Join(e.Dir(), ".npmrc")
	var removed []string
	d.mux.HandleFunc("DELETE "+ipc.PathDelivery, func(w http.ResponseWriter, r *http.Request) {
		removed = append(removed, r.PathValue("name"))
		w.WriteHeader(http.StatusNoContent)
	})
	other := linkCommand("/old/rot", "http://localhost:4873", file, nil)
	d.on("GET "+ipc.PathDeliver, map[string]any{"deliveries": []ipc.Delivery{
		{Name: "gh", Command: []string{"gh"}}, {Name: "npmrc", Command: other},
		{Name: "npmrc-2", Command: linkCommand("/old/rot", "http://localhost:4873", "/elsewhere", nil)},
	}})
	runEnv(t.Context(), e, "npmrc", testROT, "--link", "--file", ".npmrc").want(t, 0, "", "✔ npmrc has generation 1")
	var req ipc.Deliver
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if d.body(deliverPath, &req); !slices.Equal(req.Command, linkCommand(program, "http://localhost:4873", file, nil)) || !slices.Equal(removed, []string{"npmrc"}) {
		t.Errorf("the request: %+v; removed %v", req, removed)
	}

	if err := os.WriteFile(file, []byte("a=1\n//localhost:4873/:_authToken="+testToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	removed, e.Stderr = nil, nil
	runEnv(t.Context(), e, "npmrc", testROT, "--unlink").want(t, 0, "", "✔ removed npmrc\n")
	checkFile(t, file, "a=1\n")
	e.Stderr = nil
	runEnv(t.Context(), e, "npmrc", testROT, "--unlink", "--file", "x").want(t, ipc.ExitFailed, "", "x is not linked")
	e.Stderr = nil
	runEnv(t.Context(), e, "npmrc", testROT, "--unlink", "--link").want(t, ipc.ExitUsage, "", "contradict")
	if !slices.Equal(removed, []string{"npmrc"}) {
		t.Errorf("removed %v", removed)
	}
}

// TestLinkOfAScope takes out again what the link has put in, and no more.
func TestLinkOfAScope(t *testing.T) {
	d := newDaemon(t)
	d.hasToken()
	d.delivers(ipc.Delivery{Name: "npmrc", State: ipc.DeliveryOK, Generation: 1})
	d.mux.HandleFunc("DELETE "+ipc.PathDelivery, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	var links []ipc.Delivery
	d.mux.HandleFunc("GET "+ipc.PathDeliver, func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"deliveries": links})
	})
	e := d.env()
	file := filepath.Join(e.Dir(), ".npmrc")
	const was = "@there:registry=http://localhost:4873/\na=1"
	if err := os.WriteFile(file, []byte(was), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is linked already
		e.Stderr = nil
		runEnv(t.Context(), e, "npmrc", testROT, "--link", "--scope", "@there,acme").want(t, 0, "", "✔ npmrc has generation 1")
		var req ipc.Deliver
		if d.body(deliverPath, &req); !slices.Equal(req.Command[7:], []string{"--scope", "@acme"}) {
			t.Fatalf("the request: %+v", req)
		}
		links = []ipc.Delivery{{Name: "npmrc", Command: req.Command}}
		run := d.env()
		run.Stdin = strings.NewReader(testToken)
		runEnv(t.Context(), run, req.Command[1:]...).want(t, 0, "", file)
		checkFile(t, file, was+"\n//localhost:4873/:_authToken="+testToken+"\n@acme:registry=http://localhost:4873/")
	}
	e.Stderr = nil
	runEnv(t.Context(), e, "npmrc", testROT, "--unlink").want(t, 0, "", "✔ removed npmrc\n")
	checkFile(t, file, was)
}

func TestRotateWithGraceAndLeak(t *testing.T) {
	ends := testNow.Add(24 * time.Hour)
	d := newDaemon(t)
	d.stream("POST "+ipc.PathRotate, ipc.Event{Result: &ipc.Result{Rotations: []ipc.Rotation{{ROT: testROT, Generation: 2, GraceEnds: &ends, Readers: 2}}}})
	d.run("rotate", testROT, "--grace", "24h").want(t, 0, "", "the old token lives on until 2026-11-24 12:00 UTC\nthe old token lives on for what runs with it by rot exec: 2\n")
	var req ipc.Rotate
	if d.body("/v1/rotations/rot_a2c4q7y3k5m6n2p4", &req); req.Grace != "24h" || req.RevokeNow || req.Shape != nil {
		t.Errorf("the request: %+v", req)
	}
	d.run("rotate", testROT, "--revoke-now", "--json").want(t, 0, `{"rot":"`+testROT+`","generation":2,"grace_ends":"2026-11-24T12:00:00Z","readers":2}`+"\n", "")
	req = ipc.Rotate{}
	if d.body("/v1/rotations/rot_a2c4q7y3k5m6n2p4", &req); req.Grace != "" || !req.RevokeNow || req.Shape != nil {
		t.Errorf("the request: %+v", req)
	}
}
