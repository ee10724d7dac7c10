package helper

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"rotd/ipc"
)

var someLog = []ipc.LogEntry{
	{ID: 7, At: testNow, Kind: "rotated", ROT: testROT, Generation: 3, Count: 1, Detail: "fingerprint 0123abcd, rotd-a2c4q7y3-3-mnbvcxza"},
	{ID: 8, At: testNow.Add(time.Second), Kind: "read", ROT: testROT, Generation: 3, UID: new(uint32), Count: 12},
	{ID: 9, At: testNow, Kind: "undelivered", ROT: testROT, Count: 1, Detail: "gh: \x1b[31m" + strings.Repeat("no ", 50)},
	{ID: 10, At: testNow, Kind: "refused", UID: new(uint32), Count: 1, Detail: "/v1/status"},
	{ID: 11, At: testNow, Kind: "connected", Passcard: testPas, Count: 1, Detail: "ada"},
}

func TestLog(t *testing.T) {
	d := newDaemon(t)
	var asked string
	d.mux.HandleFunc("GET "+ipc.PathLog, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.RawQuery
		json.NewEncoder(w).Encode(map[string]any{"log": someLog})
	})
	got := d.run("log", "rot://c i", "-n", "5")
	if asked != "limit=5&ref=c%20i" {
		t.Errorf("asked for %s", asked)
	}
	lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
	for i, want := range []string{
		"2026-11-23T12:00:00Z  rotated      " + testROT + "  generation 3, fingerprint 0123abcd, rotd-a2c4q7y3-3-mnbvcxza",
		"2026-11-23T12:00:01Z  read         " + testROT + "  generation 3, uid 0, 12 times",
		"2026-11-23T12:00:00Z  undelivered  " + testROT + "  gh:  [31m" + strings.TrimRight(strings.Repeat("no ", 50), " "),
		"2026-11-23T12:00:00Z  refused      -              uid 0, /v1/status",
		"2026-11-23T12:00:00Z  connected    " + testPas + "  ada",
	} {
		if i >= len(lines) || lines[i] != want {
			t.Fatalf("got %+v, want line %d to be %q", got, i, want)
		}
	}
	e := d.env()
	e.StdoutTTY = true
	got = runEnv(t.Context(), e, "log")
	if asked != "limit=50" || got.code != 0 {
		t.Errorf("asked for %s: %+v", asked, got)
	}
	for _, line := range strings.Split(got.stdout, "\n") {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("wider than 80 columns: %q", line)
		}
	}
	if want := "11-23 12:00:00  rotated      rot_a2c4q7y3…  generation 3, fingerprint 0123abcd,…\n"; !strings.HasPrefix(got.stdout, want) {
		t.Errorf("got %q, want %q", got.stdout, want)
	}
	got = d.run("log", "--json")
	if lines := strings.Split(got.stdout, "\n"); len(lines) != 6 || lines[1] != `{"id":8,"at":"2026-11-23T12:00:01Z","kind":"read","rot":"`+testROT+`","generation":3,"uid":0,"count":12}` {
		t.Errorf("got %q", got.stdout)
	}
	d.run("log", "ci", "mine").want(t, ipc.ExitUsage, "", "one reference is all it takes")
}

func TestFollowLog(t *testing.T) {
	d := newDaemon(t)
	d.mux.HandleFunc("GET "+ipc.PathLog, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("follow") != "1" {
			t.Errorf("asked for %s", r.URL)
		}
		for _, e := range someLog[:2] {
			json.NewEncoder(w).Encode(e)
			w.(http.Flusher).Flush()
		}
	})
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	runEnv(ctx, d.env(), "log", "--follow").want(t, exitInterrupted, "", "")
	got := d.run("log", "--follow")
	if n := strings.Count(got.stdout, testROT); n != 2 || got.code != ipc.ExitFailed || !strings.Contains(got.stderr, "hung up") {
		t.Errorf("got %+v", got)
	}
}
