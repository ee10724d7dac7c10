package cmd_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// A way is how a package manager comes to the token.
type way struct {
	title string // the head of its column
	of    string // the clients that have it: "npm yarn-4"
	// begin makes it so, for a case.
	begin func(*tableCase) error
	// before stands before the client's own command line.
	before []string
}

var ways = []way{
	{title: "npmrc", of: "npm pnpm yarn-1 bun", begin: func(c *tableCase) error {
		return c.rot("npmrc", c.ref, "--link")
	}},
	{title: "project", of: "npm pnpm yarn bun", begin: func(c *tableCase) error {
		if c.client.major() == "yarn 4" {
			return c.rot("yarn", c.ref, "--file", filepath.Join(c.project, ".yarnrc.yml"), "--link")
		}
		return c.rot("npmrc", c.ref, "--file", filepath.Join(c.project, ".npmrc"), "--link")
	}},
	{title: "exec", of: "npm pnpm yarn-1 yarn-4 bun", before: []string{"rot", "exec", "ci", "--"}},
	{title: "pnpm", of: "pnpm", begin: func(c *tableCase) error {
		return c.rot("pnpm", c.ref)
	}},
	{title: "yarn", of: "yarn-4", begin: func(c *tableCase) error {
		return c.rot("yarn", c.ref, "--link")
	}},
	{title: "bunfig", of: "bun", before: []string{"rot", "exec", "ci", "--"}, begin: func(c *tableCase) error {
		return c.write("bunfig.toml", fmt.Sprintf("[install]\nregistry = { url = %q, token = \"$NPM_TOKEN\" }\n", c.ground.registry+"/"))
	}},
}

// has tells whether a client has this way.
func (w way) has(c pkgClient) bool {
	major := strings.ReplaceAll(c.major(), " ", "-")
	for _, of := range strings.Fields(w.of) {
		if of == c.name || of == major {
			return true
		}
	}
	return false
}

// tableCase is one client and one way, with a home and a project of its own.
type tableCase struct {
	ground        *ground
	client        pkgClient
	way           way
	ref           string
	home, project string
	path          string // the client's PATH
	failed        []string
	words         strings.Builder // of what failed
}

func (c *tableCase) String() string {
	return c.client.name + " " + c.client.version + ", " + c.way.title
}

func (c *tableCase) env() []string {
	return []string{"PATH=" + c.path, "HOME=" + c.home, "XDG_RUNTIME_DIR=" + c.ground.dir, "ROTD_SOCKET=" + c.ground.client.Socket,
		"NO_UPDATE_NOTIFIER=1", "npm_config_update_notifier=false", "YARN_ENABLE_TELEMETRY=0", "LANG=C",
		"YARN_CACHE_FOLDER=" + filepath.Join(c.home, "yarn")} // Yarn 1's, which all share where they are root
}

func (c *tableCase) rot(args ...string) error {
	said, err := runIn(c.ground.t.Context(), c.project, c.env(), append([]string{"rot"}, args...)...)
	if err != nil {
		err = fmt.Errorf("rot %s: %w: %s", strings.Join(args, " "), err, said)
	}
	return err
}

func (c *tableCase) write(name, text string) error {
	return os.WriteFile(filepath.Join(c.project, name), []byte(text), 0o600)
}

// prepare makes the project: it is at the registry, and the token is not in it.
func (c *tableCase) prepare() error {
	for _, dir := range []string{c.home, c.project} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	name := strings.NewReplacer(".", "-", " ", "-", "@", "").Replace(strings.ToLower(filepath.Base(c.project)))
	return errors.Join(
		c.write("package.json", fmt.Sprintf(`{"name":"@acme/%s","version":"1.0.0"}`, name)),
		c.write(".npmrc", "registry="+c.ground.registry+"/\n"),
		c.write(".yarnrc.yml", fmt.Sprintf("npmRegistryServer: %q\nunsafeHttpWhitelist: [localhost]\nnodeLinker: node-modules\nnpmMinimalAgeGate: 0\n", c.ground.registry)),
		c.write("yarn.lock", ""), // this is the project, whatever lies above
	)
}

// The deeds, by what each client calls them.
var deeds = map[string]map[string][]string{
	"npm":    {"install": {"npm", "install"}, "publish": {"npm", "publish"}, "whoami": {"npm", "whoami"}},
	"pnpm":   {"install": {"pnpm", "add"}, "publish": {"pnpm", "publish", "--no-git-checks"}, "whoami": {"pnpm", "whoami"}},
	"yarn 1": {"install": {"yarn", "add"}, "publish": {"yarn", "publish", "--non-interactive"}},
	"yarn 4": {"install": {"yarn", "add"}, "publish": {"yarn", "npm", "publish"}, "whoami": {"yarn", "npm", "whoami"}},
	"bun":    {"install": {"bun", "add"}, "publish": {"bun", "publish"}, "whoami": {"bun", "pm", "whoami"}},
}

func deedsOf(c pkgClient) map[string][]string {
	if d, ok := deeds[c.major()]; ok {
		return d
	}
	return deeds[c.name]
}

// do has the client do a deed, and sees that it is done.
func (c *tableCase) do(ctx context.Context, deed, pkg string) error {
	argv, ok := deedsOf(c.client)[deed]
	if !ok {
		return errors.New("it has no such command")
	}
	argv = append(append([]string{}, c.way.before...), argv...)
	if deed == "install" {
		argv = append(argv, pkg)
	}
	said, err := runIn(ctx, c.project, c.env(), argv...)
	if err == nil && deed == "install" {
		_, err = os.Stat(filepath.Join(c.project, "node_modules", pkg, "package.json"))
	}
	if err == nil && deed == "whoami" && !regexp.MustCompile(`(?m)\bada$`).MatchString(said) {
		err = errors.New("it does not say ada")
	}
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, said)
	}
	return err
}

// round does the deeds before the rotation, or those after it.
func (c *tableCase) round(ctx context.Context, after bool) {
	note := func(deed string, err error) {
		if err != nil {
			c.failed = append(c.failed, deed)
			fmt.Fprintf(&c.words, "%s: %v\n", deed, err)
		}
	}
	if after {
		err := c.do(ctx, "install", "@acme/later")
		if err == nil {
			err = c.bump()
		}
		if err == nil {
			err = c.do(ctx, "publish", "")
		}
		note("after a rotation", err)
		return
	}
	if err := c.prepare(); err != nil {
		note("prepare", err)
		return
	}
	if c.way.begin != nil {
		note("begin", c.way.begin(c))
	}
	note("install", c.do(ctx, "install", "@acme/private"))
	note("publish", c.do(ctx, "publish", ""))
	note("whoami", c.do(ctx, "whoami", ""))
}

// bump is the next version of what is published.
func (c *tableCase) bump() error {
	file := filepath.Join(c.project, "package.json")
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(strings.Replace(string(b), "1.0.0", "1.0.1", 1)), 0o600)
}

// each runs f for every case, two at a time.
func each(cases []*tableCase, f func(*tableCase)) {
	var wg sync.WaitGroup
	next := make(chan *tableCase)
	for range 2 {
		wg.Go(func() {
			for c := range next {
				f(c)
			}
		})
	}
	for _, c := range cases {
		next <- c
	}
	close(next)
	wg.Wait()
}

// TestClients has every package manager, in every way that it has, install a
// private package, publish, ask who it is, and do so again after a rotation that
// has revoked the value of before. README.md has the table of what it saw.
func TestClients(t *testing.T) {
	g, passcard := newGround(t)
	rot := g.newROT(passcard, "ci")
	for _, name := range []string{"@acme/private", "@acme/later"} {
		if err := g.control("POST", "packages", fmt.Sprintf(`{"name":%q,"restricted":true}`, name), noBearer, nil); err != nil {
			t.Fatal(err)
		}
	}
	var cases, without []*tableCase
	for _, cl := range pkgClients(t) {
		if deedsOf(cl) == nil {
			continue // Node.js, Verdaccio
		}
		path := cl.tools(t, filepath.Join(g.dir, "tools"))
		add := func(w way) *tableCase {
			name := fmt.Sprintf("%s-%s-%d", cl.name, cl.version, len(cases))
			return &tableCase{ground: g, client: cl, way: w, ref: "ci", path: path, home: filepath.Join(g.dir, "home", name), project: filepath.Join(g.dir, "project", name)}
		}
		for _, w := range ways {
			if w.has(cl) {
				cases = append(cases, add(w))
			}
		}
		without = append(without, add(way{title: "no token"}))
	}
	each(cases, func(c *tableCase) { c.round(t.Context(), false) })
	old, err := g.token(t.Context(), rot)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.rotate(t.Context(), rot); err != nil {
		t.Fatal(err)
	}
	g.await(30*time.Second, "the end of the old value", func() bool {
		accepted, _, err := g.accepts(old.Value.Text)
		return err == nil && !accepted
	})
	each(cases, func(c *tableCase) { c.round(t.Context(), true) })
	each(without, func(c *tableCase) {
		if err := c.prepare(); err != nil || c.do(t.Context(), "install", "@acme/private") == nil {
			c.failed = []string{"control"}
		}
	})
	for _, c := range without {
		if len(c.failed) > 0 {
			t.Errorf("%s: it installs a private package, or has no project", c)
		}
	}
	compareTable(t, drawTable(t, cases))
}
