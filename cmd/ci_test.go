package cmd_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rotd/ipc"
)

// runner is a CI's runner of this machine's user, with a project to publish.
type runner struct {
	*ground
	env     []string
	project string
	rot     func(args ...string) outcome
	version int
}

// newRunner is one whose rotd has a ROT named ci, and one named other.
func newRunner(t *testing.T) *runner {
	t.Helper()
	g, passcard := newGround(t)
	g.newROT(passcard, "ci")
	g.newROT(passcard, "other")
	r := &runner{ground: g, rot: g.rotAs(uint32(os.Getuid()), uint32(os.Getgid())), project: filepath.Join(g.dir, "project")}
	tools := filepath.Join(g.dir, "tools")
	for _, dir := range []string{r.project, tools} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	g.write("tools/npm", fmt.Sprintf("#!/bin/sh\nexec node %q \"$@\"\n", npmClient(t)))
	if err := os.Symlink(filepath.Join(bin, "rot"), filepath.Join(tools, "rot")); err != nil {
		t.Fatal(err)
	}
	r.env = []string{
		"PATH=" + tools + ":" + os.Getenv("PATH"), "HOME=" + g.dir, "XDG_RUNTIME_DIR=" + g.dir, "ROTD_SOCKET=" + g.client.Socket,
		"npm_config_cache=" + filepath.Join(g.dir, "cache"), "npm_config_update_notifier=false",
	}
	return r
}

func (g *ground) write(name, text string) (path string) {
	g.t.Helper()
	path = filepath.Join(g.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		g.t.Fatal(err)
	}
	return path
}

// value is what a ROT serves now.
func (r *runner) value(ref string) string {
	r.t.Helper()
	tk, err := r.token(r.t.Context(), ref)
	if err != nil {
		r.t.Fatal(err)
	}
	return tk.Value.Reveal()
}

// accessToken makes one for the ROT ci.
func (r *runner) accessToken(name string) string {
	r.t.Helper()
	got := r.rot("grant", "ci", "--access-token", name, "--expires", "90d")
	got.want(r.t, 0, got.stdout, "may read ci")
	return strings.TrimSpace(got.stdout)
}

// sh runs a job's command in the project.
func (r *runner) sh(script string, env ...string) outcome {
	r.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir, cmd.Env = r.project, append(r.env[:len(r.env):len(r.env)], env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		r.t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// publishes runs a job's command, which publishes the next version.
func (r *runner) publishes(script string, env ...string) {
	r.t.Helper()
	r.version++
	r.write("project/package.json", fmt.Sprintf(`{"name":"rotd-example","version":"1.0.%d"}`, r.version))
	got := r.sh(script, env...)
	if want := fmt.Sprintf("+ rotd-example@1.0.%d\n", r.version); got.code != 0 || got.stdout != want {
		r.t.Errorf("%s: %+v, want %q", script, got, want)
	}
}

const actionDir = "../packaging/github-action"

// step runs the action's one step as GitHub's runner would, with these inputs,
// and returns what it has put into the environment file.
func (r *runner) step(inputs map[string]string, env ...string) (got outcome, exported string) {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(actionDir, "action.yml"))
	if err != nil {
		r.t.Fatal(err)
	}
	run := regexp.MustCompile(`(?m)^ +run: (.*)$`).FindAllStringSubmatch(string(b), -1)
	if len(run) != 1 || strings.Contains(run[0][1], "${{") {
		r.t.Fatalf("its steps are %q", run)
	}
	dir, err := filepath.Abs(actionDir)
	if err != nil {
		r.t.Fatal(err)
	}
	file := r.write("github.env", "BEFORE=1\n")
	env = append(env, "GITHUB_ENV="+file, "GITHUB_ACTION_PATH="+dir)
	for _, m := range regexp.MustCompile(`(?m)^ +([A-Z_]+): \$\{\{ inputs\.([a-z-]+) \}\}$`).FindAllStringSubmatch(string(b), -1) {
		if !strings.Contains(string(b), "\n  "+m[2]+":\n") {
			r.t.Errorf("there is no input %s", m[2])
		}
		env = append(env, m[1]+"="+inputs[m[2]])
	}
	got = r.sh(run[0][1], env...)
	after, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	exported, ok := strings.CutPrefix(string(after), "BEFORE=1\n")
	if !ok {
		r.t.Errorf("the environment file is %q", after)
	}
	return got, exported
}

// variables reads an environment file as GitHub's runner does.
func variables(t *testing.T, file string) (env []string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(file, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		name, end, ok := strings.Cut(lines[i], "<<")
		value := i + 1
		for i++; ok && i < len(lines) && lines[i] != end; i++ {
		}
		if !ok || i == len(lines) {
			t.Fatalf("the environment file is %q", file)
		}
		env = append(env, name+"="+strings.Join(lines[value:i], "\n"))
	}
	return env
}

// TestGitHubAction has the real npm publish with what the action has put into
// the environment of the steps after it, by setup-node's .npmrc.
func TestGitHubAction(t *testing.T) {
	r := newRunner(t)
	value, access := r.value("ci"), r.accessToken("job")
	host := strings.TrimPrefix(r.registry, "http:")
	npmrc := r.write("npmrc", host+"/:_authToken=${NODE_AUTH_TOKEN}\nregistry="+r.registry+"/\n")
	for name, inputs := range map[string]map[string]string{
		"by the uid":         {"ref": "ci"},
		"by an access token": {"ref": "rot://ci", "access-token": access},
		"by a socket":        {"ref": "ci", "socket": r.client.Socket},
	} {
		env := []string{"NODE_AUTH_TOKEN=XXXXX-XXXXX-XXXXX-XXXXX", "NPM_CONFIG_USERCONFIG=" + npmrc} // setup-node's
		if inputs["socket"] != "" {
			env = append(env, "ROTD_SOCKET=/nonexistent")
		}
		got, file := r.step(inputs, env...)
		got.want(t, 0, "::add-mask::"+value+"\n", "")
		next := variables(t, file)
		if len(next) != 1 || next[0] != "NODE_AUTH_TOKEN="+value {
			t.Fatalf("%s: the steps after it have %q", name, next)
		}
		r.publishes("npm publish", append(env, next...)...)
	}
	if got := r.sh("npm publish", "NPM_CONFIG_USERCONFIG="+npmrc, "NODE_AUTH_TOKEN=XXXXX"); got.code == 0 {
		t.Error("it publishes without a token")
	}
}

func TestGitHubActionWithoutAToken(t *testing.T) {
	r := newRunner(t)
	access := r.accessToken("job")
	for name, c := range map[string]struct {
		inputs map[string]string
		env    []string
		code   int
		stdout string
		stderr string
	}{
		"no such ROT":           {map[string]string{"ref": "none"}, nil, ipc.ExitNotFound, "::error title=rotd::there is no token", "no such reference"},
		"a flag for a ROT":      {map[string]string{"ref": "--help"}, nil, ipc.ExitNotFound, "::error title=rotd::there is no token", "no such reference"},
		"no ref":                {nil, nil, ipc.ExitUsage, "::error title=rotd::the input ref is empty", ""},
		"a wrong access token":  {map[string]string{"ref": "ci", "access-token": access[:36] + "x"}, nil, ipc.ExitNotAllowed, "::error", "an access token that rotd does not know"},
		"another ROT's":         {map[string]string{"ref": "other", "access-token": access}, nil, ipc.ExitNotAllowed, "::error", "may not read other"},
		"no daemon":             {map[string]string{"ref": "ci", "socket": "/nonexistent/s"}, nil, ipc.ExitUnreachable, "::error", "rotd is not running"},
		"no rot":                {map[string]string{"ref": "ci"}, []string{"PATH=/usr/bin:/bin"}, 127, "::error title=rotd::rot is not installed", ""},
		"code for a ref":        {map[string]string{"ref": "$(touch owned)`touch owned`\"; touch owned"}, nil, ipc.ExitNotFound, "::error", "no such reference"},
		"a line end in the ref": {map[string]string{"ref": "ci\nPATH=/evil"}, nil, ipc.ExitNotFound, "::error", "no such reference"},
	} {
		got, exported := r.step(c.inputs, c.env...)
		if got.code != c.code || !strings.HasPrefix(got.stdout, c.stdout) || !strings.Contains(got.stderr, c.stderr) {
			t.Errorf("%s: %+v", name, got)
		}
		if exported != "" || strings.Contains(got.stdout+got.stderr, "npm_") || strings.Contains(got.stdout+got.stderr, access[:10]) {
			t.Errorf("%s: it exports %q, prints %q and %q", name, exported, got.stdout, got.stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(r.project, "owned")); err == nil {
		t.Error("an input is run as code")
	}
}

// TestGitHubActionInATracedJob has the shell print what it does, as whoever looks
// for a fault in a job does: nothing secret is printed, but by the mask.
func TestGitHubActionInATracedJob(t *testing.T) {
	r := newRunner(t)
	value, access := r.value("ci"), r.accessToken("job")
	b, err := os.ReadFile(filepath.Join(actionDir, "token.sh"))
	if err != nil {
		t.Fatal(err)
	}
	for _, shell := range []string{"sh", "bash"} {
		file := r.write("github.env", "")
		traced := r.write("token.sh", string(b))
		got := r.sh(shell+" -x "+traced, "INPUT_REF=ci", "INPUT_ACCESS_TOKEN="+access, "GITHUB_ENV="+file)
		if got.code != 0 || got.stdout != "::add-mask::"+value+"\n" {
			t.Errorf("%s -x: %+v", shell, got)
		}
		if strings.Contains(got.stderr, value) || strings.Contains(got.stderr, access) {
			t.Errorf("%s -x prints a secret: %s", shell, got.stderr)
		}
	}
}

// recipeCommands are where a recipe of the README has what a job runs.
var recipeCommands = []*regexp.Regexp{
	regexp.MustCompile(`(?m)^ +- (?:run: )?((?:rot|npm) .*)$`), // GitHub, GitLab, Woodpecker
	regexp.MustCompile(`(?m)sh '(.*)' }$`),                     // Jenkins
	regexp.MustCompile(`(?m)^ +command: (.*)$`),                // Buildkite
	regexp.MustCompile(`(?m)^(NODE_AUTH_TOKEN=.*)$`),
}

// TestRecipesOfTheREADME runs what the jobs of the README run, each with the
// real npm, by the uid and by an access token.
func TestRecipesOfTheREADME(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "\n## CI on your own runners\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var commands []string
	for _, block := range regexp.MustCompile("(?s)```(?:yaml|groovy|sh)\n(.*?)```").FindAllStringSubmatch(section, -1) {
		found := 0
		for _, re := range recipeCommands {
			for _, m := range re.FindAllStringSubmatch(block[1], -1) {
				commands = append(commands, m[1])
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d commands are found in\n%s", found, block[1])
		}
	}
	if len(commands) != 6 { // five CIs, and the plain way
		t.Fatalf("the recipes are %q", commands)
	}
	r := newRunner(t)
	host := strings.TrimPrefix(r.registry, "http:")
	npmrc := "NPM_CONFIG_USERCONFIG=" + r.write("npmrc", host+"/:_authToken=${NODE_AUTH_TOKEN}\nregistry="+r.registry+"/\n")
	access := r.accessToken("job")
	for _, right := range []string{"ROT_ACCESS_TOKEN=", "ROT_ACCESS_TOKEN=" + access} {
		for _, command := range commands {
			env := []string{right}
			switch {
			case command == "npm publish": // after the action
				_, file := r.step(map[string]string{"ref": "ci"}, right)
				env = append(variables(t, file), npmrc)
			case strings.HasPrefix(command, "NODE_AUTH_TOKEN="):
				env = append(env, npmrc)
			}
			r.publishes(command, env...)
		}
	}
}
