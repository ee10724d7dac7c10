package helper

import (
	"strings"
	"testing"

	"rotd/ipc"
)

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
		ipc.AskEmailOTP: "on a terminal", ipc.AskRecall: "--remember", ipc.AskTerms: "--accept-terms",
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

func TestConnectByTheWebsite(t *testing.T) {
	d := newDaemon(t)
	d.stream("POST "+ipc.PathPasscards, ipc.Event{Result: &ipc.Result{Passcard: testPas, Forgotten: []string{"password"}}})
	d.run("connect", "npm", "--via", "website", "--site", "https://www.npm.example", "--accept-terms").
		want(t, 0, "", "✔ connected "+testPas+"\nrot: the password that was kept is forgotten")
	var req ipc.Connect
	if d.body(ipc.PathPasscards, &req); req.Via != ipc.ViaWebsite || req.Site != "https://www.npm.example" || !req.AcceptTerms {
		t.Errorf("the request: %+v", req)
	}
}
