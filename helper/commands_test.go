package helper

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"rotd/ipc"
	"rotd/ipc/secret"
)

func nil2token(w http.ResponseWriter, r *http.Request) {
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

func TestConnect(t *testing.T) {
	d := newDaemon(t)
	d.stream("POST "+ipc.PathPasscards,
		ipc.Event{Step: &ipc.Step{Name: "signing in", Text: "signing in at localhost\x1b[2J"}},
		ipc.Event{Result: &ipc.Result{Passcard: testPas, Username: "ada"}})
	args := []string{"connect", "npm", "--terminal", "--registry", "http://localhost:4873", "--username", "ada", "--name", "work",
		"--password-file", writeFile(t, "pw", "a b \r\n"), "--totp-secret-file", writeFile(t, "totp", "JBSWY3DPEHPK3PXP"),
		"--passkey-file", writeFile(t, "key", `{"rpId":"localhost","credentialId":"AQ==","privateKey":"a2V5RVhBTVBMRQ==","signCount":3,"isResidentCredential":true}`),
		"--remember", "password,totp", "--remember", "passkey"}
	d.run(args...).want(t, 0, "", "rot: signing in at localhost [2J\n✔ connected "+testPas+"\n")

	var req ipc.Connect
	d.body(ipc.PathPasscards, &req)
	if req.Password.Reveal() != "a b " || req.TOTPSecret.Reveal() != "JBSWY3DPEHPK3PXP" || req.Passkey.SignCount != 3 ||
		strings.Join(req.Remember, " ") != "password totp passkey" || req.Username != "ada" || req.Name != "work" ||
		req.Registry != "http://localhost:4873" || !req.Terminal || req.Interactive {
		t.Errorf("the request: %+v", req)
	}
	d.run(append(args, "--json")...).want(t, 0, `{"passcard":"`+testPas+`"}`+"\n", "signing in")
}

func TestConnectReadsStdin(t *testing.T) {
	d := newDaemon(t)
	d.stream("POST "+ipc.PathPasscards, ipc.Event{Result: &ipc.Result{Passcard: testPas}})
	e := d.env()
	e.Stdin = strings.NewReader("pwEXAMPLE\n")
	runEnv(t.Context(), e, "connect", "npm", "--password-file", "-").want(t, 0, "", "connected")
	var req ipc.Connect
	if d.body(ipc.PathPasscards, &req); req.Password.Reveal() != "pwEXAMPLE" {
		t.Errorf("the password is not what stdin had")
	}
}

func TestConnectRefusesBadFiles(t *testing.T) {
	d := newDaemon(t) // which must not be asked: it has no route
	for _, tc := range []struct{ flag, file, want string }{
		{"--password-file", "/nonexistent", "no such file"},
		{"--password-file", t.TempDir(), "is a directory"},
		{"--password-file", writeFile(t, "empty", "\n"), "is empty"},
		{"--totp-secret-file", writeFile(t, "big", strings.Repeat("x", maxSecret+1)), "too long"},
		{"--passkey-file", writeFile(t, "key", `{"rpId":"x","privateKey":"SECRETEXAMPLE`), "not a passkey"},
		{"--passkey-file", writeFile(t, "key2", `{"rpId":5,"credentialId":"SECRETEXAMPLE"}`), "not a passkey"},
		{"--passkey-file", writeFile(t, "key3", `{}`), "not a passkey"},
	} {
		got := d.run("connect", "npm", tc.flag, tc.file)
		got.want(t, ipc.ExitFailed, "", tc.want)
		if strings.Contains(got.stderr, "SECRETEXAMPLE") {
			t.Errorf("stderr has the secret: %q", got.stderr)
		}
	}
}

func TestQuestionsWithoutAPersonNameTheFlag(t *testing.T) {
	for kind, flag := range map[string]string{
		ipc.AskUsername: "--username", ipc.AskPassword: "--password-file", ipc.AskOTP: "--totp-secret-file",
		ipc.AskEmailOTP: "on a terminal", ipc.AskRecall: "--remember",
	} {
		d := newDaemon(t)
		d.asks("POST "+ipc.PathPasscards, []ipc.Question{{ID: "q", Kind: kind, Text: "npm wants something"}}, ipc.Result{})
		d.asks("POST "+ipc.PathRotate, []ipc.Question{{ID: "q", Kind: kind, Text: "npm wants something"}}, ipc.Result{})
		for _, args := range [][]string{{"connect", "npm"}, {"rotate", testROT}} {
			got := d.run(args...)
			got.want(t, ipc.ExitPerson, "", "npm wants something")
			if !strings.Contains(got.stderr, flag) {
				t.Errorf("%s: no %s in %q", kind, flag, got.stderr)
			}
		}
	}
}

func TestRotate(t *testing.T) {
	expires := testNow.Add(90 * 24 * time.Hour)
	d := newDaemon(t)
	d.stream("POST "+ipc.PathRotate,
		ipc.Event{Step: &ipc.Step{Name: "created", Text: "npm made the token", ROT: testROT}},
		ipc.Event{Result: &ipc.Result{Rotations: []ipc.Rotation{{ROT: testROT, Generation: 1, Expires: &expires, RevokedOld: true}}}})
	want := "note: around January 2027 npm ends direct publishing with tokens that bypass\n" +
		"      2FA; they will still read and stage, and --for stage goes on as it is.\n" +
		"      https://gh.io/bypass-2fa-tokens-no-longer-publish\n" +
		"rot: " + testROT + ": npm made the token\n✔ rotated " + testROT + "\n⮕ next: rot get " + testROT + "\n"
	d.run("rotate", testPas, "--for", "publish", "--name", "ci").want(t, 0, "", want)
	var req ipc.Rotate
	d.body("/v1/rotations/pas_uyfpwx73yney4bvr", &req)
	if req.Name != "ci" || req.Shape == nil || req.Shape.Permission != ipc.PermissionWrite || req.Interactive {
		t.Errorf("the request: %+v", req)
	}

	d.run("rotate", testPas, "--json").want(t, 0,
		`{"rot":"`+testROT+`","generation":1,"expires":"2027-02-21T12:00:00Z"}`+"\n", "npm made the token")
	req = ipc.Rotate{}
	if d.body("/v1/rotations/pas_uyfpwx73yney4bvr", &req); req.Shape != nil {
		t.Errorf("a shape that nobody asked for: %+v", req.Shape)
	}
}

func TestRotateSomeFail(t *testing.T) {
	other := "rot://rot_other"
	d := newDaemon(t)
	d.stream("POST "+ipc.PathRotate, ipc.Event{Result: &ipc.Result{Rotations: []ipc.Rotation{
		{ROT: testROT, Generation: 2, Warning: "the old token is not known to be dead yet"},
		{ROT: other, Generation: 1, Error: &ipc.Error{Code: ipc.CodeNeedsApproval, Message: "npm wants a code", Hint: "come here"}},
		{ROT: "rot://rot_third", Error: &ipc.Error{Code: ipc.CodeUnreachable, Message: "no answer"}},
	}}})
	got := d.run("rotate", testPas)
	got.want(t, ipc.ExitPerson, "", "✔ rotated "+testROT+"\nrot: warning: "+testROT+": the old token is not known to be dead yet\n"+
		"rot: "+other+": npm wants a code\n  hint: come here\nrot: rot://rot_third: no answer\n⮕ next: rot get "+testROT+"\n")
	got = d.run("rotate", testPas, "--json")
	got.want(t, ipc.ExitPerson, `{"rot":"`+testROT+`","generation":2,"warning":"the old token is not known to be dead yet"}`+"\n"+
		`{"rot":"`+other+`","generation":1,"error":{"code":"needs_approval","message":"npm wants a code","hint":"come here"}}`+"\n"+
		`{"rot":"rot://rot_third","generation":0,"error":{"code":"unreachable","message":"no answer"}}`+"\n", "")
}

func TestRotateWithoutAShapeInAScript(t *testing.T) {
	d := newDaemon(t)
	d.on("POST "+ipc.PathRotate, &ipc.Error{Code: ipc.CodeShapeRequired, Message: "the first rotation must say what the token is for", Hint: "--for publish, --for stage or --for install"})
	d.run("rotate", testPas).want(t, ipc.ExitUsage, "", "--for publish, --for stage or --for install")
}

func TestNpmrc(t *testing.T) {
	d := newDaemon(t)
	d.hasToken()
	e := d.env()
	rc := filepath.Join(e.Getenv("HOME"), ".npmrc")
	line := "//localhost:4873/:_authToken=" + testToken + "\n"
	runEnv(t.Context(), e, "npmrc", testROT).want(t, 0, "", "✔ "+rc+" written: //localhost:4873/:_authToken\n")
	checkFile(t, rc, line)
	e.Stderr = nil
	runEnv(t.Context(), e, "npmrc", testROT).want(t, 0, "", "has it already")
	e.Stderr = nil
	runEnv(t.Context(), e, "npmrc", testROT, "--json").want(t, 0, `{"file":"`+rc+`","key":"//localhost:4873/:_authToken","changed":false}`+"\n", "")

	file := writeFile(t, "rc", "; mine\r\n//localhost:4873/:_authToken = old \r\n//localhost:4873:_authToken=older")
	d.run("npmrc", testROT, "--file", file).want(t, 0, "", "line 3 of "+file)
	checkFile(t, file, "; mine\r\n//localhost:4873/:_authToken = "+testToken+" \r\n//localhost:4873:_authToken=older")

	file = writeFile(t, "rc", "")
	e = d.env("npm_config_userconfig=" + file)
	runEnv(t.Context(), e, "npmrc", testROT).want(t, 0, "", file+" written")
}

func TestNpmrcRefuses(t *testing.T) {
	d := newDaemon(t)
	d.hasToken()
	text := "//localhost:4873/:_authToken=${NPM_TOKEN}\n"
	file := writeFile(t, "rc", text)
	got := d.run("npmrc", testROT, "--file", file)
	got.want(t, ipc.ExitFailed, "", "line 1 takes its token from the environment")
	if !strings.Contains(got.stderr, "rot exec") {
		t.Errorf("no hint: %q", got.stderr)
	}
	checkFile(t, file, text)
	d.run("npmrc", testROT, "--file", "/nonexistent/x/.npmrc").want(t, ipc.ExitFailed, "", "make its directory first")
	d.run("npmrc", testROT, "--file", t.TempDir()).want(t, ipc.ExitFailed, "", "not a regular file")
	e := d.env()
	e.Environ = append(e.Environ, "HOME=")
	runEnv(t.Context(), e, "npmrc", testROT).want(t, ipc.ExitFailed, "", "HOME is not set")
}

func TestNpmrcWarnsOfWhatHidesIt(t *testing.T) {
	d := newDaemon(t)
	d.hasToken()
	e := d.env("npm_config_//localhost:4873/:_authToken=x")
	runEnv(t.Context(), e, "npmrc", testROT).want(t, 0, "", "the environment sets npm_config_//localhost:4873/:_authToken, which npm takes instead")

	e = d.env()
	e.Dir = t.TempDir()
	sub := filepath.Join(e.Dir, "a", "b")
	for path, text := range map[string]string{"package.json": "{}", ".npmrc": "x=1\n//localhost:4873/:_authToken=${NODE_AUTH_TOKEN}\n"} {
		if err := os.WriteFile(filepath.Join(e.Dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	project := filepath.Join(e.Dir, ".npmrc")
	e.Dir = sub
	runEnv(t.Context(), e, "npmrc", testROT).want(t, 0, "", "delete line 2 of "+project)
}

func checkFile(t *testing.T, path, want string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || string(b) != want {
		t.Errorf("%s: %q, %v, want %q", path, b, err, want)
	}
	if fi, err := os.Stat(path); err == nil && fi.Mode() != 0o600 {
		t.Errorf("%s has mode %v", path, fi.Mode())
	}
}

func TestLs(t *testing.T) {
	soon, past := testNow.Add(59*24*time.Hour), testNow.Add(-time.Hour)
	d := newDaemon(t)
	d.on("GET "+ipc.PathPasscards, map[string]any{"passcards": []ipc.Passcard{
		{Ref: testPas, Username: "ada", Registry: "http://localhost:4873", Name: "work"},
		{Ref: "rot://pas_empty", Username: "bob", Registry: "https://npm.example/private"},
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
`
	got := d.run("ls")
	got.want(t, 0, want, "")
	for _, line := range strings.Split(got.stdout, "\n") {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("more than 80 columns: %q", line)
		}
	}
	var all listing
	if err := json.Unmarshal([]byte(d.run("ls", "--json").stdout), &all); err != nil || len(all.Passcards) != 2 || len(all.ROTs) != 4 {
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
