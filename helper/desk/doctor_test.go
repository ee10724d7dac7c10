package desk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"rotd/ipc"
)

const doctorRegistry = "http://localhost:4873"

// patient is a daemon with one account and what it answers to the doctor.
func patient(t *testing.T, theirs ...ipc.Check) *fakeDaemon {
	d := newDaemon(t)
	d.on("GET "+ipc.PathVersion, ipc.Version{Version: ipc.BuildVersion, API: ipc.APIVersion})
	d.on("GET "+ipc.PathStatus, ipc.Status{Version: ipc.BuildVersion, PID: 7, Started: testNow.Add(-time.Minute),
		Passcards: []ipc.Passcard{{Ref: "rot://pas_x9y8", Registry: doctorRegistry}}, ROTs: []ipc.ROT{}})
	d.on("GET "+ipc.PathDoctor, ipc.Doctor{Checks: theirs})
	return d
}

func TestDoctorFindsNothing(t *testing.T) {
	d := patient(t, ipc.Check{Name: "registry", OK: true, Text: doctorRegistry + " answers"})
	d.run("doctor").want(t, 0, "ok     socket     "+d.socket+`
ok     daemon     rotd dev, process 7, running for 1 min
ok     registry   http://localhost:4873 answers
ok     display    none here: what npm asks for is asked on the terminal
ok     npmrc      nothing hides the token that rot hands over
`, "")
}

func TestDoctorSaysWhatToDo(t *testing.T) {
	long := strings.Repeat("many words ", 20)
	d := patient(t, ipc.Check{Name: "clock", Text: long + "\x1b[31m", Hint: long}, ipc.Check{Name: "browser", OK: true, Text: "none", Hint: "install one"})
	got := d.run("doctor")
	for _, want := range []string{
		"\nwrong  clock      many words", "\n                  hint: many words",
		"\nnote   browser    none\n                  hint: install one\n",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in\n%s", want, got.stdout)
		}
	}
	for line := range strings.Lines(got.stdout) {
		if utf8.RuneCountInString(line) > 81 || strings.Contains(line, "\x1b") {
			t.Errorf("%q", line)
		}
	}
	if got.code != ipc.ExitFailed || got.stderr != "" {
		t.Errorf("status %d, %q", got.code, got.stderr)
	}
}

func TestDoctorOfTwoVersions(t *testing.T) {
	for want, v := range map[string]ipc.Version{
		"note   version    rot and rotd are of different versions: rot dev, rotd 9\n":    {Version: "9", API: ipc.APIVersion},
		"wrong  version    rotd speaks a newer API (2) than rot (1): rot dev, rotd 9\n":  {Version: "9", API: 2},
		"wrong  version    rotd speaks an older API (0) than rot (1): rot dev, rotd 9\n": {Version: "9", API: 0},
	} {
		d := newDaemon(t)
		d.on("GET "+ipc.PathVersion, v)
		d.on("GET "+ipc.PathStatus, &ipc.Error{Code: ipc.CodeNotAllowed, Message: "uid 7 may not do this", Hint: "ask"})
		got := d.run("doctor")
		if !strings.Contains(got.stdout, want) || !strings.Contains(got.stdout, "note   daemon     uid 7 may not do this\n") {
			t.Errorf("no %q in\n%s", want, got.stdout)
		}
		if failed := strings.HasPrefix(want, "wrong"); failed != (got.code == ipc.ExitFailed) {
			t.Errorf("status %d with\n%s", got.code, got.stdout)
		}
	}
}

// TestDoctorReadsWhatNpmReads puts lines where npm would find them.
func TestDoctorReadsWhatNpmReads(t *testing.T) {
	d := patient(t)
	const line = "//localhost:4873/:_authToken="
	for name, tc := range map[string]struct {
		user, project, workflow string
		env                     []string
		code                    int
		want                    string
	}{
		"nothing":                {want: "ok npmrc nothing hides"},
		"another registry's":     {user: "//localhost:1/:_authToken=npm_EXAMPLE", want: "nothing hides"},
		"a loose token":          {user: line + "npm_EXAMPLE", want: "note npmrc line 1 of"},
		"the project's":          {project: "x=y\n" + line + "npm_EXAMPLE", code: 1, want: "wrong npmrc line 2 of"},
		"a placeholder":          {user: line + "${NODE_AUTH_TOKEN}", want: "takes the token from ${NODE_AUTH_TOKEN} hint: rot exec"},
		"one that is set":        {project: line + "${NPM_TOKEN}", env: []string{"NPM_TOKEN=npm_EXAMPLE"}, want: "is set here and does not change with the ROT"},
		"a variable":             {env: []string{"npm_config_" + line[:len(line)-1] + "=npm_EXAMPLE"}, code: 1, want: "wrong npmrc the environment sets"},
		"GitHub's own runner":    {env: []string{"GITHUB_ACTIONS=true", "RUNNER_ENVIRONMENT=github-hosted"}, want: "note publishing this is a runner of GitHub's own"},
		"a runner of one's own":  {env: []string{"GITHUB_ACTIONS=true", "RUNNER_ENVIRONMENT=self-hosted"}, want: "nothing hides"},
		"GitLab.com's":           {env: []string{"GITLAB_CI=true", "CI_SERVER_HOST=gitlab.com", `CI_RUNNER_TAGS=["saas-linux-small-amd64"]`}, want: "runner of GitLab.com's own"},
		"CircleCI":               {env: []string{"CIRCLECI=true"}, want: "this is CircleCI"},
		"a hosted workflow":      {workflow: "    runs-on: ubuntu-latest\n      - run: pnpm publish", want: "note publishing"},
		"a self-hosted workflow": {workflow: "    runs-on: [self-hosted, ubuntu-24]\n      - run: npm publish", want: "nothing hides"},
		"a trusted workflow":     {workflow: "      id-token: write\n    runs-on: ubuntu-latest\n      - run: npm publish", want: "nothing hides"},
		"a workflow of tests":    {workflow: "    runs-on: ubuntu-latest\n      - run: npm test # npm publish", want: "nothing hides"},
	} {
		in := d.env(tc.env...)
		in.Dir = at(t.TempDir())
		for file, text := range map[string]string{
			filepath.Join(in.Getenv("HOME"), ".npmrc"): tc.user, filepath.Join(in.Dir(), ".npmrc"): tc.project,
			filepath.Join(in.Dir(), ".github", "workflows", "release.yaml"): tc.workflow, filepath.Join(in.Dir(), "package.json"): "{}",
		} {
			if text == "" {
				continue
			}
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got := d.runEnv(in, "doctor")
		text := strings.Join(strings.Fields(got.stdout), " ")
		if got.code != tc.code || !strings.Contains(text, tc.want) || strings.Contains(got.stdout, "EXAMPLE") {
			t.Errorf("%s: status %d, want %d and %q in\n%s%s", name, got.code, tc.code, tc.want, got.stdout, got.stderr)
		}
		if strings.Contains(tc.want, "nothing hides") && strings.Contains(got.stdout, "\nnote") {
			t.Errorf("%s: found something in\n%s", name, got.stdout)
		}
	}
}
