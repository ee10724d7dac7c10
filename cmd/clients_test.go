package cmd_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// clientPrograms is where each package of .ci/clients.txt has its program.
var clientPrograms = map[string]string{
	"npm":               "node_modules/npm/bin/npm-cli.js",
	"pnpm 10":           "node_modules/pnpm/bin/pnpm.cjs",
	"pnpm 11":           "node_modules/pnpm/bin/pnpm.mjs",
	"pnpm":              "node_modules/@pnpm/exe.*/pnpm",
	"yarn":              "node_modules/yarn/bin/yarn.js",
	"@yarnpkg/cli-dist": "node_modules/@yarnpkg/cli-dist/bin/yarn.js",
	"bun":               "node_modules/@oven/bun-*/bin/bun",
	"node-PLATFORM":     "node_modules/node-*/bin/node",
	"verdaccio":         "node_modules/verdaccio/bin/verdaccio",
}

// pkgClient is a package manager that .ci/tools.sh has installed, or another
// program of .ci/clients.txt.
type pkgClient struct {
	name, version string
	program       string
}

// major is "npm 12".
func (c pkgClient) major() string {
	major, _, _ := strings.Cut(c.version, ".")
	return c.name + " " + major
}

// pkgClients are all of .ci/clients.txt, in its order.
func pkgClients(t testing.TB) (all []pkgClient) {
	t.Helper()
	list, err := os.ReadFile("../.ci/clients.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		at := strings.LastIndexByte(fields[1], '@')
		c := pkgClient{name: fields[0], version: fields[1][at+1:]}
		path, ok := clientPrograms[c.major()]
		if !ok {
			path = clientPrograms[fields[1][:at]]
		}
		found, _ := filepath.Glob(filepath.Join("../.tools/clients", c.name+"-"+c.version, path))
		if path == "" || len(found) != 1 {
			t.Fatalf("%s %s is not installed: run .ci/tools.sh test", c.name, c.version)
		}
		if c.program, err = filepath.Abs(found[0]); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// clientOf is the one of a major version: "npm 12".
func clientOf(t testing.TB, major string) pkgClient {
	t.Helper()
	for _, c := range pkgClients(t) {
		if c.major() == major || c.name == major {
			return c
		}
	}
	t.Fatalf("there is no %s in .ci/clients.txt", major)
	return pkgClient{}
}

// tools makes a directory with the client by its own name, the newer Node.js,
// rot, and the npm that some clients run, and returns a PATH that begins with it.
func (c pkgClient) tools(t testing.TB, dir string) (path string) {
	t.Helper()
	dir = filepath.Join(dir, c.name+"-"+c.version)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// No scripts of a shell's: some drop the variables npm_config_//….
	for name, program := range map[string]string{
		"node": clientOf(t, "node").program, "npm": clientOf(t, "npm 11").program, "rot": filepath.Join(bin, "rot"), c.name: c.program,
	} {
		if err := os.Symlink(program, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir + ":/usr/bin:/bin"
}

// runIn runs a command in a directory with that environment and no input, for two
// minutes at most, and returns what it said. An error is its exit status.
func runIn(ctx context.Context, dir string, env []string, argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, "/usr/bin/env", append([]string{"-C", dir}, argv...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &said, &said
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	return said.String(), err
}
