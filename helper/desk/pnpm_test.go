package desk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rotd/helper"
	"rotd/ipc"
	"rotd/ipc/secret"
)

// pnpmHome is the surroundings of somebody with rot beside this program, and a
// pnpm of that version.
func pnpmHome(t *testing.T, d *fakeDaemon, version string, extra ...string) *helper.Env {
	t.Helper()
	d.on("GET "+ipc.PathToken, ipc.Token{ROT: testROT, Generation: 1, Value: secret.NewWire("npm_d2cJEXAMPLE"), Registry: "http://localhost:4873"})
	e := d.env(extra...)
	home := e.Getenv("HOME")
	for name, text := range map[string]string{"rot": "#!/bin/sh\n", "pnpm": "#!/bin/sh\necho " + version + "\n"} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	e.Executable = at(filepath.Join(home, "rotd"))
	t.Setenv("PATH", home+":/usr/bin:/bin")
	return e
}

func isFile(t *testing.T, path, want string) {
	t.Helper()
	if b, err := os.ReadFile(path); string(b) != want || err != nil && want != "" {
		t.Errorf("%s is %q, %v, want %q", path, b, err, want)
	}
}

func TestPnpm(t *testing.T) {
	d := newDaemon(t)
	e := pnpmHome(t, d, "10.34.9")
	home := e.Getenv("HOME")
	user, auth := filepath.Join(home, ".npmrc"), filepath.Join(home, ".config/pnpm/auth.ini")
	link := filepath.Join(home, ".local/share/rotd/rot-helper-rot_a2c4q7y3k5m6n2p4")
	line := "//localhost:4873/:tokenHelper=" + link + "\n"

	d.runEnv(e, "pnpm", "ci").want(t, 0, "", user+": pnpm asks "+link)
	isFile(t, user, line)
	if to, err := os.Readlink(link); err != nil || to != filepath.Join(home, "rot") {
		t.Errorf("the link is to %q, %v", to, err)
	}
	if fi, err := os.Stat(filepath.Dir(link)); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("its directory: %v, %v", fi, err)
	}
	e.Stdout = nil
	d.runEnv(e, "pnpm", "ci", "--pnpm", "11.0.0", "--json").want(t, 0,
		`{"file":"`+auth+`","helper":"`+link+`","key":"//localhost:4873/:tokenHelper"}`+"\n", "")
	isFile(t, auth, line)
	isFile(t, user, "")
	d.runEnv(e, "pnpm", "ci", "--remove").want(t, 0, "", "pnpm no longer asks")
	isFile(t, auth, "")
	if _, err := os.Lstat(link); err == nil {
		t.Error("the link is still there")
	}
	d.runEnv(e, "pnpm", "ci", "--remove").want(t, 0, "", "pnpm did not ask")
}

func TestPnpmRefuses(t *testing.T) {
	d := newDaemon(t)
	e := pnpmHome(t, d, "twelve")
	home := e.Getenv("HOME")
	open := filepath.Join(home, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	foreign := "//localhost:4873/:tokenHelper=/usr/bin/vault-npm\n"
	if err := os.WriteFile(filepath.Join(home, ".npmrc"), []byte(foreign), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		`--pnpm takes a version, 10 or 12.21.0, and not "twelve"`: {},
		"only letters, digits and ./_+@- may be in its path":      {"--dir", "/My Data"},
		"pnpm's link " + open:          {"--dir", open, "--pnpm", "12"},
		open + " on the way":           {"--dir", filepath.Join(open, "bin"), "--pnpm", "12"},
		"line 1 names another program": {"--pnpm", "10"},
	} {
		got := d.runEnv(e, append([]string{"pnpm", "ci"}, args...)...)
		if got.code == 0 || !strings.Contains(got.stderr, want) || !strings.Contains(got.stderr, "hint: ") && got.code != ipc.ExitUsage {
			t.Errorf("%q: %+v", args, got)
		}
	}
	isFile(t, filepath.Join(home, ".npmrc"), foreign)
	e.Executable = at("/nonexistent/rotd")
	e.Environ = append(e.Environ, "PATH=")
	d.runEnv(e, "pnpm", "ci", "--pnpm", "12").want(t, ipc.ExitFailed, "", "the program rot is neither beside rotd nor in PATH")
}
