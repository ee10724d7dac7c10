// Package cmd_test runs the three programs together, as a user would: a
// sandbox, a daemon and the helper, by scripts that read like a manual
// (testdata/script). Nothing in it leaves this machine.
package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// bin is where TestMain builds the programs.
var bin string

// disguises are what this test binary can be in place of the tests, where this
// variable names a socket.
var disguises = map[string]func(socket string) (status int){}

func TestMain(m *testing.M) {
	for env, become := range disguises {
		if socket := os.Getenv(env); socket != "" {
			os.Exit(become(socket))
		}
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "rotd-bin"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	for _, b := range []struct {
		name string
		args []string
		env  string
	}{
		{"rotd", []string{"-race"}, "CGO_ENABLED=1"},
		{"rot", []string{"-ldflags", "-s -w " + early()}, "CGO_ENABLED=0"},
		{"npm-sandbox", nil, "CGO_ENABLED=0"},
	} {
		cmd := exec.Command("go", append(append([]string{"build"}, b.args...), "-o", filepath.Join(bin, b.name), "rotd/cmd/"+b.name)...)
		cmd.Env = append(os.Environ(), b.env)
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", b.name, err, out)
			return 1
		}
	}
	return m.Run()
}

// early has rot begin as it does when it is released.
func early() string {
	if runtime.GOOS == "linux" && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64") {
		return "-E rotd/helper/early.entry"
	}
	return ""
}

func TestScripts(t *testing.T) {
	npm := npmClient(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			// Socket paths are short, and a script's directory is not.
			dir, err := os.MkdirTemp("", "t")
			if err != nil {
				return err
			}
			env.Defer(func() { _ = os.RemoveAll(dir) })
			env.Setenv("PATH", bin+string(os.PathListSeparator)+filepath.Join(env.WorkDir, "tools")+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("BIN", bin)
			env.Setenv("ROTD_SOCKET", filepath.Join(dir, "s"))
			env.Setenv("XDG_RUNTIME_DIR", dir)
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("npm_config_cache", filepath.Join(env.WorkDir, "npm-cache"))
			env.Setenv("npm_config_update_notifier", "false")
			for _, d := range []string{"home", "tools"} {
				if err := os.Mkdir(filepath.Join(env.WorkDir, d), 0o700); err != nil {
					return err
				}
			}
			shim := fmt.Sprintf("#!/bin/sh\nexec node %q \"$@\"\n", npm)
			if err := os.WriteFile(filepath.Join(env.WorkDir, "tools", "npm"), []byte(shim), 0o700); err != nil {
				return err
			}
			env.Values[worldKey{}] = &world{}
			env.Defer(func() { env.Values[worldKey{}].(*world).stop() })
			return nil
		},
		Cmds: commands,
	})
}

// npmClient is the pinned npm client that .ci/tools.sh installs.
func npmClient(t testing.TB) string {
	t.Helper()
	path, err := filepath.Abs("../.tools/npm/node_modules/npm/bin/npm-cli.js")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal("the npm client of the tests is not installed: run .ci/tools.sh test")
	}
	return path
}
