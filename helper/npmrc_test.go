package helper

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rotd/ipc"
)

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
	got.want(t, ipc.ExitFailed, "", "line 1 takes its value from the environment")
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
	runEnv(t.Context(), e, "npmrc", testROT).want(t, 0, "", "the environment sets npm_config_//localhost:4873/:_authToken, which npm and pnpm 11+ take instead: unset it\n")
	e = d.env("BUN_CONFIG_TOKEN=x", "pnpm_config_//localhost:4873:_authToken=x", "YARN_NPM_AUTH_TOKEN=x", "NPM_TOKEN=x")
	runEnv(t.Context(), e, "npmrc", testROT).want(t, 0, "", "sets pnpm_config_//localhost:4873:_authToken, which pnpm 11+ takes instead: unset it\n"+
		"rot: warning: the environment sets BUN_CONFIG_TOKEN, which Bun takes instead: unset it\n✔")

	e = d.env()
	e.Dir = at(t.TempDir())
	sub := filepath.Join(e.Dir(), "a", "b")
	for path, text := range map[string]string{"package.json": "{}", ".npmrc": "x=1\n//localhost:4873/:_authToken=${NODE_AUTH_TOKEN}\n"} {
		if err := os.WriteFile(filepath.Join(e.Dir(), path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	project := filepath.Join(e.Dir(), ".npmrc")
	e.Dir = at(sub)
	runEnv(t.Context(), e, "npmrc", testROT).want(t, 0, "", "line 2 of "+project+" takes the token from ${NODE_AUTH_TOKEN}, which is not set: npm sends these words")
	e.Environ, e.Stderr = append(e.Environ, "NODE_AUTH_TOKEN=x"), nil
	runEnv(t.Context(), e, "npmrc", testROT).want(t, 0, "", "npm and 4 others take the token of the project's own file instead, here: delete line 2 of "+project)
}

func TestNpmrcScopes(t *testing.T) {
	d := newDaemon(t)
	d.hasToken()
	file := writeFile(t, "rc", "@b:registry=http://x/\n")
	d.run("npmrc", testROT, "--file", file, "--scope", "acme", "--scope", "@b").want(t, 0, "", "the packages of @b came from another registry before")
	checkFile(t, file, "@b:registry=http://localhost:4873/\n//localhost:4873/:_authToken="+testToken+"\n@acme:registry=http://localhost:4873/\n")
	d.run("npmrc", testROT, "--file", file, "--scope", "a/b").want(t, ipc.ExitUsage, "", "a scope is @ and a name")
}

// TestNpmrcOfAProject holds rot to keep a token out of git, by git's own word.
func TestNpmrcOfAProject(t *testing.T) {
	d := newDaemon(t)
	d.hasToken()
	e := d.env()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", e.Dir(), "-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(e.Dir(), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e.Dir = at(filepath.Join(t.TempDir(), "project"))
	if err := os.MkdirAll(filepath.Join(e.Dir(), "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	top := e.Dir()
	project := filepath.Join(e.Dir(), ".npmrc")
	line := "//localhost:4873/:_authToken=" + testToken + "\n"
	put("package.json", "{}")
	rot := func(code int, stderr string, args ...string) {
		t.Helper()
		e.Stderr = nil
		runEnv(t.Context(), e, append([]string{"npmrc", testROT}, args...)...).want(t, code, "", stderr)
	}
	e.Dir = at(filepath.Join(top, "sub"))
	rot(0, "✔ "+project+" written", "--project")
	e.Dir = at(top)
	checkFile(t, project, line)
	put(".npmrc", "a=1\n")

	git("init", "-q")
	rot(ipc.ExitFailed, "is in the git repository "+top+", which does not ignore it", "--project")
	rot(ipc.ExitFailed, "echo /.npmrc >>"+filepath.Join(top, ".gitignore"), "--project", "--link")
	rot(ipc.ExitFailed, "would be committed", "--file", filepath.Join("sub", "rc"))
	checkFile(t, project, "a=1\n")
	// A link from elsewhere leads there, too.
	link := filepath.Join(t.TempDir(), ".npmrc")
	if err := os.Symlink(project, link); err != nil {
		t.Fatal(err)
	}
	rot(ipc.ExitFailed, "would be committed", "--file", link)

	put(".gitignore", ".npmrc\n")
	e.Environ = append(e.Environ, "GIT_DIR=/nonexistent")
	rot(0, "✔ "+project+" written", "--project")
	checkFile(t, project, "a=1\n"+line)

	put(".npmrc", "a=1\n")
	git("add", "-f", ".npmrc")
	git("commit", "-qm", "x")
	rot(ipc.ExitFailed, "would be committed", "--project") // it is committed already
	e.Environ = append(e.Environ, "PATH=/nonexistent")
	rot(ipc.ExitFailed, "there is no git", "--project")
	rot(ipc.ExitUsage, "contradict", "--project", "--file", "x")
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
