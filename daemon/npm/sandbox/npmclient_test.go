package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// npmVersion is the client that the sandbox is measured by: the newest that
// runs on Node 20.
const npmVersion = "11.21.2"

// npm is the real npm client with a home of its own, and no environment.
type npm struct {
	t    *testing.T
	base string
	cli  string
	home string
	dir  string // where it runs
}

func newNPM(t *testing.T, base string) *npm {
	t.Helper()
	cli, err := filepath.Abs("../../../.tools/npm/node_modules/npm/bin/npm-cli.js")
	if err != nil {
		t.Fatal(err)
	}
	how := fmt.Sprintf("run `make test`, or `npm install --prefix .tools/npm --no-package-lock --no-save npm@%s` at the top of the repository", npmVersion)
	b, err := os.ReadFile(filepath.Join(filepath.Dir(cli), "..", "package.json"))
	if err != nil {
		t.Fatalf("the npm client is missing: %s", how)
	}
	var manifest struct{ Version string }
	if err := json.Unmarshal(b, &manifest); err != nil || manifest.Version != npmVersion {
		t.Fatalf("npm %s is installed, %s is wanted: %s", manifest.Version, npmVersion, how)
	}
	home := t.TempDir()
	return &npm{t: t, base: base, cli: cli, home: home, dir: home}
}

// in is the same client in another directory.
func (n *npm) in(dir string) *npm {
	other := *n
	other.dir = dir
	return &other
}

// userconfig is its .npmrc.
func (n *npm) userconfig() string { return filepath.Join(n.home, ".npmrc") }

// useToken makes the client use token, and no other.
func (n *npm) useToken(token string) *npm {
	n.t.Helper()
	line := fmt.Sprintf("//%s/:_authToken=%s\n", strings.TrimPrefix(n.base, "http://"), token)
	if err := os.WriteFile(n.userconfig(), []byte(line), 0o600); err != nil {
		n.t.Fatal(err)
	}
	return n
}

// token is what the client keeps for the registry.
func (n *npm) token() string {
	n.t.Helper()
	b, err := os.ReadFile(n.userconfig())
	if err != nil {
		n.t.Fatal(err)
	}
	_, value, ok := strings.Cut(string(b), ":_authToken=")
	if !ok {
		n.t.Fatal("npm kept no token")
	}
	value, _, _ = strings.Cut(value, "\n")
	return value
}

func (n *npm) argv(args []string) []string {
	return append([]string{n.cli}, append(args,
		"--registry="+n.base, "--userconfig="+n.userconfig(), "--cache="+filepath.Join(n.home, "cache"),
		"--fetch-retries=0", "--no-update-notifier", "--no-audit", "--no-fund", "--color=false", "--no-progress",
	)...)
}

func (n *npm) env() []string {
	return []string{"HOME=" + n.home, "PATH=" + os.Getenv("PATH"), "TERM=dumb"}
}

func (n *npm) command(args []string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	n.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "node", n.argv(args)...)
	cmd.Dir, cmd.Env = n.dir, n.env()
	return cmd
}

// run runs the client without a terminal, and fails the test if it fails.
// What it printed comes back, stdout and stderr mixed.
func (n *npm) run(args ...string) string {
	n.t.Helper()
	out, err := n.command(args).CombinedOutput()
	if err != nil {
		n.t.Fatalf("npm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// stdout is run, but only what it prints to stdout.
func (n *npm) stdout(args ...string) string {
	n.t.Helper()
	var stderr bytes.Buffer
	cmd := n.command(args)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		n.t.Fatalf("npm %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// fails runs the client, which must fail and say each of these.
func (n *npm) fails(args []string, texts ...string) {
	n.t.Helper()
	out, err := n.command(args).CombinedOutput()
	if err == nil {
		n.t.Fatalf("npm %s succeeded, it should have failed with %q\n%s", strings.Join(args, " "), texts, out)
	}
	for _, text := range texts {
		if !strings.Contains(string(out), text) {
			n.t.Fatalf("npm %s does not say %q:\n%s", strings.Join(args, " "), text, out)
		}
	}
}

// talk runs the client with its input and output in the test's hands; on a
// terminal (of util-linux's script) if tty.
func (n *npm) talk(tty bool, args ...string) *conversation {
	n.t.Helper()
	cmd := n.command(args)
	if tty {
		line := "node"
		for _, a := range n.argv(args) {
			line += " '" + a + "'"
		}
		wrapped := exec.Command("script", "-qec", line, "/dev/null")
		wrapped.Dir, wrapped.Env = n.dir, append(n.env(), "SHELL=/bin/sh")
		cmd = wrapped
	}
	c := &conversation{t: n.t, what: strings.Join(args, " "), cmd: cmd, changed: make(chan struct{}, 1)}
	var err error
	if c.in, err = cmd.StdinPipe(); err != nil {
		n.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = c, c
	if err := cmd.Start(); err != nil {
		n.t.Fatalf("npm %s: %v", c.what, err)
	}
	n.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it is gone already unless the test failed
	})
	return c
}

// conversation is a running client.
type conversation struct {
	t       *testing.T
	what    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	changed chan struct{}

	mu   sync.Mutex
	said bytes.Buffer
	read int // how much of it was expected already
}

// Write takes what the client says.
func (c *conversation) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said.Write(p)
	select {
	case c.changed <- struct{}{}:
	default:
	}
	return len(p), nil
}

// expect waits until the client said text, and returns the line of it.
func (c *conversation) expect(text string) string {
	c.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		c.mu.Lock()
		unread := c.said.String()[c.read:]
		i := strings.Index(unread, text)
		if i >= 0 {
			rest, _, whole := strings.Cut(unread[i:], "\n")
			if whole || !strings.HasPrefix(text, "http") {
				c.read += i + len(text)
				c.mu.Unlock()
				return strings.TrimSpace(rest)
			}
		}
		c.mu.Unlock()
		select {
		case <-c.changed:
		case <-deadline:
			c.t.Fatalf("npm %s did not say %q but\n%s", c.what, text, unread)
		}
	}
}

func (c *conversation) answer(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, text+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

// ends waits for the client to succeed.
func (c *conversation) ends() {
	c.t.Helper()
	if err := c.cmd.Wait(); err != nil {
		c.t.Fatalf("npm %s: %v\n%s", c.what, err, c.said.String())
	}
}

// project makes a directory with this package in it.
func project(t *testing.T, name, version string) string {
	t.Helper()
	dir := t.TempDir()
	manifest := fmt.Sprintf(`{"name":%q,"version":%q,"description":"of a test","main":"index.js"}`, name, version)
	for file, content := range map[string]string{"package.json": manifest, "index.js": "module.exports = 'of " + name + "'\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
