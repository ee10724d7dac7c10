package desk

import (
	"strings"
	"testing"

	"rotd/ipc"
)

const (
	exportPath = "/v1/passcards/work/export"
	forgetPath = "/v1/passcards/work/passkey"
)

func newExporter(t *testing.T, passkey bool) *fakeDaemon {
	t.Helper()
	d := newDaemon(t)
	out := &ipc.Exported{File: "the file\n", Kept: []string{"password"}, PasskeyStays: !passkey}
	d.stream("POST "+ipc.PathExport, ipc.Event{Result: &ipc.Result{Passcard: testPas, Username: "ada", Export: out}})
	d.on("DELETE "+ipc.PathPasskey, ipc.PasskeyGone{Name: "rotd", At: "http://localhost/settings/ada/tfa"})
	return d
}

func TestExport(t *testing.T) {
	d := newExporter(t, false)
	d.run("export", "work", "--recipient", "age1one,age1two").want(t, 0, "the file\n", "its software security key stays here")
	var req ipc.Export
	if d.body(exportPath, &req); strings.Join(req.Recipients, " ") != "age1one age1two" || req.Passkey || req.Interactive {
		t.Errorf("asked for %+v", req)
	}
	d.run("export", "work", "--passphrase-file", writeFile(t, "p", "some words EXAMPLE\n")).want(t, 0, "the file\n", "packed "+testPas+", the account of ada: password")
	req = ipc.Export{}
	d.body(exportPath, &req)
	if req.Passphrase.Reveal() != "some words EXAMPLE" || d.asked(forgetPath) {
		t.Errorf("asked for %+v, and to forget: %v", req, d.asked(forgetPath))
	}
}

// The file does not go to a terminal, where it would be lost.
func TestExportToATerminal(t *testing.T) {
	d := newExporter(t, false)
	env := d.env()
	env.StdoutTTY = true
	if o := d.runEnv(env, "export", "work"); o.code != ipc.ExitUsage || !strings.Contains(o.stderr, "> FILE") || d.asked(exportPath) {
		t.Errorf("%+v", o)
	}
}

// A key that moves is forgotten here when the file is written, and not before.
func TestExportMovesAKey(t *testing.T) {
	d := newExporter(t, true)
	env := d.env()
	env.Stdout = brokenWriter{}
	if o := d.runEnv(env, "export", "work", "--recipient", "age1", "--move-passkey"); o.code != ipc.ExitFailed || !strings.Contains(o.stderr, "write the file") || d.asked(forgetPath) {
		t.Errorf("a full disk: %+v, and the key is forgotten: %v", o, d.asked(forgetPath))
	}
	d.run("export", "work", "--recipient", "age1", "--move-passkey").want(t, 0, "the file\n", "is in the file, and forgotten here")
	if !d.asked(forgetPath) {
		t.Error("the key is not forgotten")
	}
}

func TestImport(t *testing.T) {
	d := newDaemon(t)
	why := &ipc.Error{Code: ipc.CodeSessionExpired, Message: "npm's session has ended", Hint: "rotate"}
	d.stream("POST "+ipc.PathImport, ipc.Event{Result: &ipc.Result{Passcard: testPas, Username: "ada", Import: &ipc.Imported{Kept: []string{"totp"}, Trouble: why}}})
	file, key := writeFile(t, "f", "the file\n"), writeFile(t, "k", "AGE-EXAMPLE\n")
	d.run("import", file, "--identity", key, "--name", "build").want(t, 0, "", "imported "+testPas+", the account of ada: totp")
	var req ipc.Import
	if d.body("/v1/imports", &req); req.File != "the file\n" || req.Identity.Reveal() != "AGE-EXAMPLE" || req.Name != "build" {
		t.Errorf("asked for %+v", req)
	}
	d.run("import", file, "--json").want(t, 0, `{"passcard":"`+testPas+`"}`+"\n", "npm's session has ended")
	for _, args := range [][]string{{}, {file, file}, {file, "--identity", key, "--passphrase-file", key}} {
		if o := d.run(append([]string{"import"}, args...)...); o.code != ipc.ExitUsage {
			t.Errorf("%q: %+v", args, o)
		}
	}
	huge := writeFile(t, "h", strings.Repeat("x", maxFile+1))
	d.run("import", huge).want(t, ipc.ExitFailed, "", "is too large for a file of rot export")
}

func TestPasskey(t *testing.T) {
	d := newExporter(t, true)
	d.stream("POST "+ipc.PathPasskey, ipc.Event{Result: &ipc.Result{Passcard: testPas, Username: "ada"}})
	env := d.env("DISPLAY=:3")
	if o := d.runEnv(env, "passkey", "add", "work", "--replace"); o.code != 0 || !strings.Contains(o.stderr, "added a security key to the account of ada") {
		t.Errorf("%+v", o)
	}
	var req ipc.AddPasskey
	if d.body(forgetPath, &req); req.Display == nil || req.Display.X11 != ":3" || !req.Replace {
		t.Errorf("asked for %+v", req)
	}
	d.run("passkey", "remove", "work").want(t, 0, "", "delete the key rotd at npm, too: http://localhost/settings/ada/tfa")
	d.run("passkey", "remove", "work", "--json").want(t, 0, `{"name":"rotd","at":"http://localhost/settings/ada/tfa"}`+"\n", "")
}
