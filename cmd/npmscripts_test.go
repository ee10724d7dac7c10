package cmd_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rotd/ipc"
)

// scriptsOfTheREADME are npm's scripts there.
func scriptsOfTheREADME(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "\n### In npm's scripts\n")
	block := regexp.MustCompile("(?s)```json\n(.*?)```").FindStringSubmatch(section)
	if block == nil {
		t.Fatal("there are none")
	}
	var p struct{ Scripts map[string]string }
	if err := json.Unmarshal([]byte(block[1]), &p); err != nil {
		t.Fatal(err)
	}
	return p.Scripts
}

// newScripts is a runner with the ROTs of those scripts, where @acme/tool is
// published for the account alone, and npm looks at its registry only.
func newScripts(t *testing.T) *runner {
	t.Helper()
	r := newRunner(t)
	var list struct{ Passcards []ipc.Passcard }
	if err := r.client.Get(t.Context(), ipc.PathPasscards, &list); err != nil {
		t.Fatal(err)
	}
	pas := bare(list.Passcards[0].Ref)
	r.newROT(pas, "publish-token")
	read := &ipc.Shape{PackagesAll: true, Permission: ipc.PermissionRead, ExpiresDays: 30}
	if _, err := r.stream(t.Context(), ipc.Path(ipc.PathRotate, pas), ipc.Rotate{Name: "install-token", Shape: read}); err != nil {
		t.Fatal(err)
	}
	r.env = append(r.env, "npm_config_registry="+r.registry, "npm_config_audit=false", "npm_config_fund=false", "npm_config_script_shell=dash")
	r.write("project/package.json", `{"name":"@acme/tool","version":"1.0.0","bin":"tool.js"}`)
	r.write("project/tool.js", "#!/usr/bin/env node\nconsole.log('the tool')\n")
	r.ok("rot exec publish-token -- npm publish")
	_ = os.Remove(filepath.Join(r.project, "tool.js"))
	return r
}

// ok runs a command that is to succeed, and returns what it printed.
func (r *runner) ok(script string, env ...string) string {
	r.t.Helper()
	got := r.sh(script, env...)
	if got.code != 0 {
		r.t.Fatalf("%s: exit status %d\n%s%s", script, got.code, got.stdout, got.stderr)
	}
	return got.stdout
}

// app writes a package.json with scripts.
func (r *runner) app(version string, scripts map[string]string) {
	r.t.Helper()
	b, err := json.Marshal(map[string]any{"name": "rotd-app", "version": version, "workspaces": []string{"packages/*"},
		"scripts": scripts, "dependencies": map[string]string{"@acme/tool": "1.0.0"}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.write("project/package.json", string(b))
	for _, name := range []string{"rotd-one", "rotd-two"} {
		if err := os.MkdirAll(filepath.Join(r.project, "packages", name), 0o700); err != nil {
			r.t.Fatal(err)
		}
		r.write(filepath.Join("project/packages", name, "package.json"), fmt.Sprintf(`{"name":%q,"version":%q}`, name, version))
	}
}

// TestScriptsOfTheREADME runs them as written, with the real npm and dash.
func TestScriptsOfTheREADME(t *testing.T) {
	r := newScripts(t)
	scripts := scriptsOfTheREADME(t)
	scripts["everything"], scripts["deeper"] = "npm run deeper", "npm publish --workspaces"
	r.app("1.0.0", scripts)
	r.ok("rot exec install-token -- npm install --package-lock-only")
	if got := r.sh("npm ci --cache empty"); got.code == 0 {
		t.Error("the private package is there for everybody")
	}
	ran := map[string]bool{}
	for _, c := range []struct{ run, want string }{
		{"setup", "added 3 packages"},
		{"tool", "\nthe tool\n"},
		{"release", "\n+ rotd-app@1.0.0\n"},
		{"release:all", "\n+ rotd-one@1.0.0\n+ rotd-two@1.0.0\n"},
	} {
		ran[c.run] = true
		if out := r.ok("npm run " + c.run); !strings.Contains(out, c.want) {
			t.Errorf("npm run %s: %q", c.run, out)
		}
	}
	for name := range scripts {
		if !ran[name] && name != "everything" && name != "deeper" {
			t.Errorf("nobody has run %s", name)
		}
	}
	// And the other way round, however deep.
	r.app("1.1.0", scripts)
	if out := r.ok("rot exec publish-token -- npm run everything"); !strings.Contains(out, "+ rotd-two@1.1.0\n") {
		t.Errorf("from within scripts: %q", out)
	}
	// Installed by hand, after a link.
	r.ok("rot npmrc install-token --link && npm ci --cache empty-too")
}

// TestAScriptCannotChangeTheTokenOfItsNpm: it is read before.
func TestAScriptCannotChangeTheTokenOfItsNpm(t *testing.T) {
	r := newScripts(t)
	const stale = "_authToken=npm_EXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLEEX"
	r.write(".npmrc", strings.TrimPrefix(r.registry, "http:")+"/:"+stale+"\n")
	r.app("1.0.0", map[string]string{"prepublishOnly": "rot npmrc publish-token"})
	if got := r.sh("npm publish"); got.code == 0 || !strings.Contains(got.stderr, "E401") && !strings.Contains(got.stderr, "E404") {
		t.Errorf("it publishes with the token that its script has fetched: %+v", got)
	}
	if b, err := os.ReadFile(filepath.Join(r.dir, ".npmrc")); err != nil || strings.Contains(string(b), stale) {
		t.Errorf("the script has not changed it: %s, %v", b, err)
	}
	r.write(".npmrc", strings.TrimPrefix(r.registry, "http:")+"/:"+stale+"\n")
	r.app("1.0.0", map[string]string{"release": "rot npmrc publish-token && npm publish"})
	if out := r.ok("npm run release"); !strings.Contains(out, "+ rotd-app@1.0.0\n") {
		t.Errorf("an npm of the script's own: %q", out)
	}
}

// TestYarnBerryByExec publishes with Yarn 4, and has the one thing hide the token
// that does.
func TestYarnBerryByExec(t *testing.T) {
	r := newRunner(t)
	path := clientOf(t, "yarn 4").tools(t, r.dir)
	r.write("project/yarn.lock", "")
	yarnrc := "unsafeHttpWhitelist: [localhost]\nenableTelemetry: false\n"
	for _, c := range []struct {
		version, yarnrc string
		works           bool
	}{
		{"1.0.0", yarnrc, true}, // rot names the registry
		{"1.1.0", yarnrc + "npmRegistryServer: " + r.registry + "\n", true},
		{"1.2.0", yarnrc + "npmRegistryServer: " + r.registry + "\nnpmRegistries:\n  \"" + strings.TrimPrefix(r.registry, "http:") + "\":\n    npmAlwaysAuth: true\n", false},
		{"1.3.0", yarnrc + "npmRegistryServer: \"http://localhost:1\"\n", false},
	} {
		r.write("project/.yarnrc.yml", c.yarnrc)
		r.write("project/package.json", `{"name":"rotd-yarn","version":"`+c.version+`"}`)
		r.ok("yarn install", "PATH="+path)
		got := r.sh("rot exec ci -- yarn npm publish", "PATH="+path, "YARN_HTTP_RETRY=0")
		if (got.code == 0) != c.works {
			t.Errorf("with\n%s%+v", c.yarnrc, got)
		}
	}
}
