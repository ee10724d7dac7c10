package helper

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
)

const testAccess = "rat_EXAMPLE00000000000000000000000000"

func TestGrant(t *testing.T) {
	d := newDaemon(t)
	d.on("POST "+ipc.PathGrants, ipc.Grant{Kind: "uid", Subject: "1001", Name: "runner"})
	d.run("grant", "ci", "--uid", "runner").want(t, 0, "", "✔ uid 1001 (runner) may read ci\n")
	var asked ipc.GrantTo
	d.body("/v1/rots/ci/grants", &asked)
	if want := (ipc.GrantTo{Kind: "uid", Subject: "runner"}); asked != want {
		t.Errorf("asked for %+v", asked)
	}

	d = newDaemon(t)
	d.on("POST "+ipc.PathGrants, ipc.Grant{Kind: "access-token", Subject: "r7", AccessToken: secret.NewWire(testAccess), Warning: "a wall"})
	d.run("grant", "ci", "--access-token", "r7", "--expires", "90d").want(t, 0, testAccess+"\n", "rot: warning: a wall\n")
	if got := d.run("grant", "ci", "--access-token", "r7", "--json"); !strings.Contains(got.stdout, `"access_token":"`+testAccess) {
		t.Errorf("--json: %+v", got)
	}
	for _, args := range [][]string{{}, {"--uid", ""}, {"--uid", "1", "--gid", "1"}, {"--access-token", "x", "--unit", "y"}} {
		d.run(append([]string{"grant", "ci"}, args...)...).want(t, ipc.ExitUsage, "", "--uid, --gid, --access-token or --unit")
		d.run(append([]string{"ungrant", "ci"}, args...)...).want(t, ipc.ExitUsage, "", "--uid, --gid, --access-token or --unit")
	}
}

func TestUngrant(t *testing.T) {
	d := newDaemon(t)
	var gone string
	d.mux.HandleFunc("DELETE "+ipc.PathGrant, func(w http.ResponseWriter, r *http.Request) {
		gone = r.PathValue("ref") + " " + r.PathValue("id")
		w.WriteHeader(http.StatusNoContent)
	})
	d.run("ungrant", "rot://ci", "--unit", "publish@1.service").want(t, 0, "", "✔ unit publish@1.service may not read ci any more")
	if gone != "ci unit:publish@1.service" {
		t.Errorf("took back %q", gone)
	}
}

func TestGrantsTable(t *testing.T) {
	at := func(d time.Duration) *time.Time { t := testNow.Add(d); return &t }
	const day = 24 * time.Hour
	d := newDaemon(t)
	d.on("GET "+ipc.PathGrants, map[string][]ipc.Grant{"grants": {
		{Kind: "uid", Subject: "1001", Name: "runner", Created: testNow},
		{Kind: "gid", Subject: "4294967294", Name: strings.Repeat("g", 40), Created: testNow},
		{Kind: "access-token", Subject: strings.Repeat("r", 64), Created: testNow, Expires: at(89 * day), Used: at(-3 * time.Hour)},
		{Kind: "access-token", Subject: "old", Created: testNow, Expires: at(-day)},
		{Kind: "unit", Subject: "publish.service", Created: testNow},
	}})
	d.run("grants", "ci").want(t, 0, `uid           1001 (runner)               since 2026-11-23
gid           4294967294 (ggggggggggggg…  since 2026-11-23
access-token  rrrrrrrrrrrrrrrrrrrrrrrrr…  used 3 h ago, 89 days left
access-token  old                         expired on 2026-11-22
unit          publish.service             since 2026-11-23
`, "")
	d = newDaemon(t)
	d.on("GET "+ipc.PathGrants, map[string][]ipc.Grant{"grants": {}})
	d.run("grants", "ci").want(t, 0, "", "nobody but you and root")
	d.run("grants", "ci", "--json").want(t, 0, `{"grants":[]}`+"\n", "")
}

// TestAccessTokenIsShown by the commands that read a value, from the file or the
// environment, and by no other; exec keeps it from its command.
func TestAccessTokenIsShown(t *testing.T) {
	d := newDaemon(t)
	var shown []string
	d.mux.HandleFunc("GET "+ipc.PathToken, func(w http.ResponseWriter, r *http.Request) {
		shown = append(shown, r.Header.Get("Authorization"))
		w.Write([]byte(`{"value":"npm_EXAMPLE","registry":"http://localhost:1"}` + "\n"))
	})
	d.mux.HandleFunc("GET "+ipc.PathStatus, func(w http.ResponseWriter, r *http.Request) {
		shown = append(shown, r.Header.Get("Authorization"))
		w.Write([]byte(`{}`))
	})
	file := writeFile(t, "token", testAccess+"\n")
	other := "ROT_ACCESS_TOKEN=rat_OTHER"
	for _, c := range []struct {
		env  string
		args []string
		want string
	}{
		{"", []string{"get", "ci"}, ""},
		{other, []string{"get", "ci"}, "Bearer rat_OTHER"},
		{other, []string{"get", "ci", "--access-token-file", file}, "Bearer " + testAccess},
		{"", []string{"npmrc", "ci", "--access-token-file", file}, "Bearer " + testAccess},
		{"", []string{"exec", "--access-token-file", file, "ci", "--", "true"}, "Bearer " + testAccess},
		{other, []string{"exec", "ci", "--", "sh", "-c", `test -z "$ROT_ACCESS_TOKEN"`}, "Bearer rat_OTHER"},
		{other, []string{"status"}, ""},
	} {
		shown = nil
		got := runEnv(t.Context(), d.env(c.env), c.args...)
		if got.code != 0 || len(shown) != 1 || shown[0] != c.want || strings.Contains(got.stderr, "rat_") {
			t.Errorf("%v: showed %q, want %q: %+v", c.args, shown, c.want, got)
		}
	}
	for _, text := range []string{"", "two words", "rat_x\r\nHost: y", "npm-token!"} {
		shown = nil
		got := runEnv(t.Context(), d.env(), "get", "ci", "--access-token-file", writeFile(t, "token", text))
		if got.code != ipc.ExitFailed || len(shown) > 0 || !strings.Contains(got.stderr, "is no access token\n  hint: ") {
			t.Errorf("%q: showed %q: %+v", text, shown, got)
		}
	}
}
