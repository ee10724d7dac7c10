package helper

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
)

// echoRef serves a value that tells which reference was asked for.
func echoRef(w http.ResponseWriter, r *http.Request) {
	json.NewEncoder(w).Encode(ipc.Token{Value: secret.NewWire("value-of-" + r.PathValue("ref"))})
}

func TestGet(t *testing.T) {
	d := newDaemon(t)
	d.hasToken()
	d.run("get", testROT).want(t, 0, testToken+"\n", "")
	got := d.run("get", testROT, "--json")
	var tok ipc.Token
	if err := json.Unmarshal([]byte(got.stdout), &tok); err != nil || tok.Value.Reveal() != testToken || tok.Generation != 1 {
		t.Errorf("--json: %+v, %v", got, err)
	}
	for _, args := range [][]string{{"get", testROT}, {"get", testROT, "--json"}, {"--help"}} {
		e := d.env()
		var stderr strings.Builder
		e.Stdout, e.Stderr = brokenWriter{}, &stderr
		if code := Run(t.Context(), e, args); code != ipc.ExitFailed || !strings.Contains(stderr.String(), errBroken.Error()) {
			t.Errorf("%v with a broken stdout: exit %d, %q", args, code, stderr.String())
		}
	}
}

func TestGetWithoutAValue(t *testing.T) {
	d := newDaemon(t)
	d.on("GET "+ipc.PathToken, ipc.Token{ROT: testROT})
	d.run("get", testROT).want(t, ipc.ExitFailed, "", "no value")
}

func TestGetOfAnExpiredValueWarns(t *testing.T) {
	d := newDaemon(t)
	expired := testNow.Add(-time.Hour)
	d.on("GET "+ipc.PathToken, ipc.Token{ROT: testROT, Value: secret.NewWire(testToken), Expires: &expired})
	d.run("get", testROT).want(t, 0, testToken+"\n", "expired on 2026-11-23")
}
