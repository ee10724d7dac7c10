package npm

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rotd/daemon/npm/sandbox"
	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/store"
)

// What npm's form does not take is refused before a browser is opened.
func TestWebShapesThatAreNone(t *testing.T) {
	w := around(t, says(500, ""))
	web := w.web(func(c *WebConfig) { c.Browser.Exec = "/nowhere" })
	var many []string
	for i := range 51 {
		many = append(many, fmt.Sprintf("package-%d", i))
	}
	for name, want := range map[string]store.Shape{
		"too many packages": {Packages: many},
		"too many orgs":     {Orgs: many},
		"for nothing":       {Permission: ipc.PermissionRead},
		"no access to some": {Packages: many[:1], Permission: ipc.PermissionNone},
		"orgs for nothing":  {PackagesAll: true, OrgsPerm: ipc.PermissionRead},
		"a strange word":    {PackagesAll: true, Permission: "admin"},
		"stage for orgs":    {Orgs: many[:1], OrgsPerm: ipc.PermissionStage},
		"negative days":     {PackagesAll: true, ExpiresDays: -1},
	} {
		_, err := web.Create(t.Context(), "t", want)
		w.fails(err, ErrRefused)
		w.notCreated(err, true)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	_, err := web.Create(t.Context(), strings.Repeat("n", 41), publish)
	w.fails(err, ErrRefused)
}

// What npm refuses, it says in its own words; what it made in spite of it all
// is found by its name.
func TestWebRefusals(t *testing.T) {
	t.Parallel()
	w := inSandbox(t, sandbox.Config{NoFactor: true})
	w.box.AddPackage("left-pad", false)
	web := w.web(knowing(knowingPassword, w.answering(map[string]func() string{ipc.AskEmailOTP: w.mailed})))
	readOnly := store.Shape{PackagesAll: true, ExpiresDays: 30}
	normal, err := json.Marshal(w.box.Switches())
	w.must(err)
	days := func(n int) store.Shape { s := publish; s.Bypass2FA, s.ExpiresDays = false, n; return s }
	for i, test := range []struct {
		name, switches string
		want           store.Shape
		kind           error
		says           string
		created        bool // in spite of the error, or for all we know
	}{
		{"no such package", "", store.Shape{Packages: []string{"left-pad", "right-pad"}}, ErrRefused, "right-pad", false},
		{"no such org", "", store.Shape{Orgs: []string{"nobody"}}, ErrRefused, "nobody", false},
		{"no bypass", `{"bypass_box": "factor"}`, publish, ErrRefused, "bypass", false},
		{"bypass disabled", `{"bypass_box": "disabled"}`, publish, ErrRefused, "bypass", false},
		{"stage in generation 1", `{"form_generation": 1}`, store.Shape{PackagesAll: true, Permission: ipc.PermissionStage}, ErrRefused, "stage-only", false},
		{"too long", "", days(91), ErrRefused, "up to 90 days", false},
		{"frozen", `{"high_impact_freeze": true}`, readOnly, ErrRefused, "read-only", false},
		{"npm fails", `{"faults": [{"method": "POST", "path": "/settings/", "count": 1, "kind": "status", "status": 503}]}`, readOnly, ErrServer, "failed", true},
		{"too many", `{"faults": [{"method": "POST", "path": "/settings/", "count": 1, "kind": "status", "status": 429, "retry_after": 60}]}`, readOnly, ErrRateLimited, "wait", false},
		// Chromium sends it again by itself, to a name that is then taken.
		{"cut", `{"faults": [{"method": "POST", "path": "/settings/", "count": 1, "kind": "cut-after"}]}`, readOnly, ErrRefused, "unique name", true},
		{"garbled", `{"faults": [{"method": "POST", "path": "/settings/", "count": 1, "kind": "garble"}]}`, readOnly, ErrRefused, "generation failed", true},
		{"bot", `{"bot_challenge": 1}`, readOnly, ErrBotCheck, "bot check", false},
	} {
		if test.switches != "" {
			w.set(test.switches)
		}
		token := fmt.Sprintf("token-%d", i)
		_, err := web.Create(t.Context(), token, test.want)
		if err == nil {
			t.Fatal(test.name, "was created")
		}
		e := w.fails(err, test.kind)
		t.Logf("%s: %s\n\t%s", test.name, e.Message, e.Hint)
		if !strings.Contains(e.Message, test.says) {
			t.Errorf("%s: %s", test.name, e.Message)
		}
		w.notCreated(err, !test.created)
		w.set(string(normal))
	}
	// Those whose answer did not arrive are there all the same.
	listed := w.listed(web)
	w.must(web.Revoke(t.Context(), "00000000-0000-4000-8000-000000000000")) // one that is gone
	if len(listed) != 2 || listed["token-9"] == "" || listed["token-10"] == "" {
		t.Fatalf("listed: %v", listed)
	}
	_, err = web.Create(t.Context(), "token-9", readOnly)
	if e := w.fails(err, ErrRefused); !strings.Contains(e.Message, "Every token needs a unique name") {
		t.Error(e.Message)
	}
	w.notCreated(err, false)
	w.must(web.Revoke(t.Context(), listed["token-9"]))
}

// A bot check ends a run wherever it comes, at once; whether npm made a token
// by then, or deleted one, is known or left open.
func TestWebBotCheckAtAnyStep(t *testing.T) {
	t.Parallel()
	w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
	web := w.web(knowing(knowingPassword, knowingTOTP))
	w.must(web.SignIn(t.Context()))
	asked := func() (n int) {
		for _, r := range w.box.Requests() {
			if strings.HasPrefix(r.Path, "/settings/") {
				n++
			}
		}
		return n
	}
	meets := func(step int, run func() error) (done bool) {
		w.set(fmt.Sprintf(`{"bot_challenge_at": %d}`, step))
		before := asked()
		err := run()
		n := asked() - before
		w.set(`{"bot_challenge_at": 0}`)
		if err == nil {
			return true
		}
		if e := w.fails(err, ErrBotCheck); n != step || step > 9 {
			t.Fatalf("the check at request %d: %d requests, %s", step, n, e.Message)
		}
		return false
	}
	steps := 0
	for step, done := 1, false; !done; step++ {
		var err error
		name := fmt.Sprintf("token-%d", step)
		done = meets(step, func() error { _, err = web.Create(t.Context(), name, publish); return err })
		if _, made := w.listed(web)[name]; err != nil && made == errors.Is(err, rotate.ErrNotCreated) {
			t.Errorf("met at request %d: made: %v, and told as %v", step, made, err)
		}
		steps = step
	}
	if steps < 3 {
		t.Errorf("a creation of %d requests", steps-1)
	}
	for name, key := range w.listed(web) {
		for step, done := 1, false; !done; step++ {
			done = meets(step, func() error { return web.Revoke(t.Context(), key) })
		}
		if w.listed(web)[name] != "" {
			t.Errorf("%s is there still", name)
		}
	}
}

// A token that is not what was asked for is told from one that is.
func TestWebVerify(t *testing.T) {
	t.Parallel()
	w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
	w.box.AddPackage("left-pad", false)
	w.set(`{"token_details_more": true}`)
	web := w.web(knowing(knowingPassword, knowingTOTP))
	want := store.Shape{Packages: []string{"left-pad"}, Permission: ipc.PermissionStage, ExpiresDays: 30}
	for switches, differs := range map[string]string{
		`{"grant_permission": "read-write"}`: "permission",
		`{"grant_days": 90}`:                 "expiry",
		`{"grant_all": true}`:                "packages",
	} {
		w.set(`{"grant_permission": "", "grant_days": 0, "grant_all": false}`)
		w.set(switches)
		got, err := web.Create(t.Context(), differs, want)
		w.must(err)
		clear(web.a.made) // as in another run, which looks it up anew
		var mismatch *rotate.MismatchError
		if err := web.Verify(t.Context(), got, want); !errors.As(err, &mismatch) || !strings.HasPrefix(mismatch.Differences[0], differs) {
			t.Errorf("%s: %v", differs, err)
		}
	}
	w.set(`{"delete_lies": true}`)
	err := web.Revoke(t.Context(), w.listed(web)["expiry"])
	e := w.fails(err, ErrPage)
	dir := e.Hint[strings.Index(e.Hint, "/"):strings.Index(e.Hint, ", please")]
	steps, err := os.ReadFile(filepath.Join(dir, "steps.txt"))
	if err != nil || !strings.Contains(string(steps), "click the button \"×\"") ||
		!strings.Contains(string(steps), "! revoke a token: expected the list of tokens without the one") || tokenText.Match(steps) {
		t.Errorf("%v: the steps are told as %q", err, steps)
	}
	t.Log(e.Message)
}
