package desk

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"rotd/helper"
	"rotd/ipc"
	"rotd/ipc/secret"
)

const (
	testROT      = "rot://rot_a2c4q7y3k5m6n2p4"
	testToken    = "npm_0123456789abcdefghijklmnopqrsEXAMPLE"
	testRegistry = "http://localhost:4873/npm"
	tokenLine    = "//localhost:4873/npm/:_authToken=" + testToken + "\n"
	staleLine    = "//localhost:4873/npm/:_authToken=npm_staleEXAMPLE\n"
)

func (d *fakeDaemon) hasToken() {
	d.on("GET "+ipc.PathToken, ipc.Token{ROT: testROT, Generation: 1, Value: secret.NewWire(testToken), Registry: testRegistry})
}

// place writes files below a home with a project in it, ~/p, and makes that the
// working directory.
func place(t *testing.T, e *helper.Env, files map[string]string) {
	t.Helper()
	home := e.Getenv("HOME")
	e.Dir = at(filepath.Join(home, "p"))
	files["p/package.json"] = "{}"
	for name, text := range files {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCheck is the precedence of client-facts 3.2, a case a line: what each
// client is told to take.
func TestCheck(t *testing.T) {
	const (
		variable = "npm_config_//localhost:4873/npm/:_authToken="
		helperOf = "#!/bin/sh\necho Bearer "

		toInstall = "wrong line 1 of ~/.npmrc: it installs by that, and does not publish: the key is not the registry's own"
	)
	for name, tc := range map[string]struct {
		files map[string]string
		env   []string
		want  map[string]string // the line of each client; what is not here is as under ""
	}{
		"nothing":                {want: map[string]string{"": "wrong no token"}},
		"the user's file":        {files: map[string]string{".npmrc": "a=1\n" + tokenLine}, want: map[string]string{"": "ok line 2 of ~/.npmrc", "Yarn 2+": "wrong no token"}},
		"the project's is stale": {files: map[string]string{".npmrc": tokenLine, "p/.npmrc": staleLine}, want: map[string]string{"": "wrong line 1 of ~/p/.npmrc: another token", "Yarn 2+": "wrong no token"}},
		"the project's":          {files: map[string]string{".npmrc": staleLine, "p/.npmrc": tokenLine}, want: map[string]string{"": "ok line 1 of ~/p/.npmrc", "Yarn 2+": "wrong no token"}},
		"without the last slash": {files: map[string]string{".npmrc": "//localhost:4873/npm:_authToken=" + testToken},
			want: map[string]string{"": "ok line 1 of ~/.npmrc", "npm": toInstall, "pnpm 10": "wrong no token", "Yarn 1": "wrong no token", "Yarn 2+": "wrong no token"}},
		"of the host": {files: map[string]string{".npmrc": "//localhost:4873/:_authToken=" + testToken}, want: map[string]string{"": "ok line 1 of ~/.npmrc", "npm": toInstall, "Yarn 1": "wrong no token", "Yarn 2+": "wrong no token"}},
		"a nearer key in a later file": {files: map[string]string{"p/.npmrc": "//localhost:4873/:_authToken=npm_staleEXAMPLE", ".npmrc": tokenLine},
			want: map[string]string{"": "ok line 1 of ~/.npmrc", "Yarn 2+": "wrong no token"}},
		"npm's variable": {files: map[string]string{".npmrc": tokenLine}, env: []string{"NPM_CONFIG_" + variable[11:] + "npm_staleEXAMPLE"},
			want: map[string]string{"": "ok line 1 of ~/.npmrc", "npm": "wrong NPM_CONFIG_//localhost:4873/npm/:_authToken in the environment: another token",
				"pnpm 11+": "wrong NPM_CONFIG_//localhost:4873/npm/:_authToken in the environment: another token", "Yarn 2+": "wrong no token"}},
		"pnpm's variable": {files: map[string]string{".npmrc": staleLine}, env: []string{"p" + variable + testToken},
			want: map[string]string{"": "wrong line 1 of ~/.npmrc: another token", "pnpm 11+": "ok p" + variable[:len(variable)-1] + " in the environment", "Yarn 2+": "wrong no token"}},
		"a variable that is not set": {files: map[string]string{".npmrc": tokenLine, "p/.npmrc": "//localhost:4873/npm/:_authToken=${NODE_AUTH_TOKEN}"},
			want: map[string]string{"": "wrong line 1 of ~/p/.npmrc: it names ${NODE_AUTH_TOKEN}, which is not set",
				"pnpm 10": "ok line 1 of ~/.npmrc", "pnpm 11+": "ok line 1 of ~/.npmrc", "Yarn 2+": "wrong no token"}},
		"a variable that is set": {files: map[string]string{".npmrc": "//localhost:4873/npm/:_authToken=${T}"}, env: []string{"T=" + testToken},
			want: map[string]string{"": "ok line 1 of ~/.npmrc", "Yarn 2+": "wrong no token"}},
		"a default": {files: map[string]string{".npmrc": "//localhost:4873/npm/:_authToken=${T:-" + testToken + "}"},
			want: map[string]string{"": "wrong line 1 of ~/.npmrc: it names ${T:-" + testToken + "}, which is not set", "pnpm 10": "ok line 1 of ~/.npmrc", "pnpm 11+": "ok line 1 of ~/.npmrc", "Yarn 2+": "wrong no token"}},
		"another user's file": {files: map[string]string{".npmrc": staleLine, "rc": tokenLine}, env: []string{"npm_config_userconfig=HOME/rc"},
			want: map[string]string{"": "ok line 1 of ~/rc", "Yarn 2+": "wrong no token"}},
		"the machine's file": {files: map[string]string{"global": tokenLine}, env: []string{"NPM_CONFIG_GLOBALCONFIG=HOME/global"},
			want: map[string]string{"": "ok line 1 of ~/global", "pnpm 11+": "wrong no token", "Bun": "wrong no token", "Yarn 2+": "wrong no token"}},
		"pnpm's own": {files: map[string]string{".npmrc": staleLine, ".config/pnpm/auth.ini": tokenLine},
			want: map[string]string{"": "wrong line 1 of ~/.npmrc: another token", "pnpm 11+": "ok line 1 of ~/.config/pnpm/auth.ini", "Yarn 2+": "wrong no token"}},
		"a helper": {files: map[string]string{".npmrc": staleLine + "//localhost:4873/npm/:tokenHelper=HOME/h", "p/.npmrc": staleLine, "h": helperOf + testToken},
			want: map[string]string{"": "wrong line 1 of ~/p/.npmrc: another token", "pnpm 10": "ok line 2 of ~/.npmrc, by ~/h", "pnpm 11+": "ok line 2 of ~/.npmrc, by ~/h", "Yarn 2+": "wrong no token"}},
		"a helper that fails": {files: map[string]string{".config/pnpm/auth.ini": "//localhost:4873/npm/:tokenHelper=HOME/h", "h": "#!/bin/sh\nexit 1", ".npmrc": tokenLine},
			want: map[string]string{"": "ok line 1 of ~/.npmrc", "pnpm 11+": "wrong line 1 of ~/.config/pnpm/auth.ini, by ~/h: that program fails", "Yarn 2+": "wrong no token"}},
		"Yarn's variable": {env: []string{"YARN_NPM_AUTH_TOKEN=" + testToken}, files: map[string]string{".yarnrc.yml": "npmAuthToken: npm_staleEXAMPLE"},
			want: map[string]string{"": "wrong no token", "Yarn 2+": "ok YARN_NPM_AUTH_TOKEN in the environment"}},
		"Yarn's files": {files: map[string]string{".yarnrc.yml": "npmAuthToken: npm_staleEXAMPLE", "p/.yarnrc.yml": "# mine\nnpmAuthToken: \"${T-" + testToken + "}\"\n"},
			want: map[string]string{"": "wrong no token", "Yarn 2+": "ok ~/p/.yarnrc.yml"}},
		"Yarn's entry": {env: []string{"YARN_NPM_AUTH_TOKEN=npm_staleEXAMPLE"}, files: map[string]string{".yarnrc.yml": "npmRegistries:\n  \"//localhost:4873/npm\":\n    npmAuthToken: " + testToken},
			want: map[string]string{"": "wrong no token", "Yarn 2+": "ok npmRegistries in ~/.yarnrc.yml"}},
		"Yarn's empty entry": {env: []string{"YARN_NPM_AUTH_TOKEN=" + testToken}, files: map[string]string{".yarnrc.yml": "npmRegistries:\n  \"//localhost:4873/npm\":\n    npmAlwaysAuth: true"},
			want: map[string]string{"": "wrong no token", "Yarn 2+": "wrong npmRegistries in ~/.yarnrc.yml: it has no npmAuthToken for the registry, and hides every other"}},
		"Yarn's broken file": {files: map[string]string{"p/.yarnrc.yml": "a: [\n"}, want: map[string]string{"": "wrong no token", "Yarn 2+": "wrong ~/p/.yarnrc.yml: Yarn cannot read it"}},
		"Bun's variable": {env: []string{"NPM_CONFIG_TOKEN=" + testToken}, files: map[string]string{".npmrc": staleLine},
			want: map[string]string{"": "wrong line 1 of ~/.npmrc: another token", "Bun": "ok NPM_CONFIG_TOKEN in the environment", "Yarn 2+": "wrong no token"}},
		"Bun's file": {env: []string{"T=" + testToken}, files: map[string]string{".npmrc": staleLine, "p/bunfig.toml": "[install]\nregistry = { url = \"http://localhost:4873/npm/\", token = \"$T\" }\n"},
			want: map[string]string{"": "wrong line 1 of ~/.npmrc: another token", "Bun": "ok ~/p/bunfig.toml", "Yarn 2+": "wrong no token"}},
		"Bun's scope": {files: map[string]string{".bunfig.toml": "[install.scopes]\nacme = { url = \"http://localhost:4873/npm\", token = \"" + testToken + "\" }\n"},
			want: map[string]string{"": "wrong no token", "Bun": "ok ~/.bunfig.toml"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDaemon(t)
			d.hasToken()
			e := d.env(tc.env...)
			home := e.Getenv("HOME")
			if tc.files == nil {
				tc.files = map[string]string{}
			}
			for file, text := range tc.files {
				tc.files[file] = strings.ReplaceAll(text, "HOME", home)
			}
			for i := range e.Environ {
				e.Environ[i] = strings.Replace(e.Environ[i], "=HOME/", "="+home+"/", 1)
			}
			place(t, e, tc.files)
			got := d.runEnv(e, "npmrc", testROT, "--check")
			text := "\n" + strings.Join(strings.Fields(strings.ReplaceAll(strings.ReplaceAll(got.stdout, "\nok ", "\n| ok "), "\nwrong ", "\n| wrong ")), " ")
			code := 0
			for _, cl := range helper.Clients {
				want := tc.want[cl.Name]
				if want == "" {
					want = tc.want[""]
				}
				word, rest, _ := strings.Cut(want, " ")
				if word == "wrong" {
					code = 1
				}
				if !strings.Contains(text, word+" "+cl.Name+" "+rest) {
					t.Errorf("not %q in\n%s", word+" "+cl.Name+" "+rest, got.stdout)
				}
			}
			if got.code != code || got.stderr != "" {
				t.Errorf("status %d, %q", got.code, got.stderr)
			}
			for line := range strings.Lines(got.stdout) {
				if utf8.RuneCountInString(line) > 81 && !strings.Contains(line, "//localhost") && !strings.Contains(line, "EXAMPLE") {
					t.Errorf("more than 80 columns: %q", line)
				}
			}
		})
	}
}

// TestCheckOfSome asks for one client, and for JSON.
func TestCheckOfSome(t *testing.T) {
	d := newDaemon(t)
	d.hasToken()
	e := d.env()
	place(t, e, map[string]string{".npmrc": tokenLine})
	d.runEnv(e, "npmrc", testROT, "--check", "--client", "npm").want(t, 0, "ok     npm       line 1 of ~/.npmrc\n", "")
	e.Stdout = nil
	d.runEnv(e, "npmrc", testROT, "--check", "--client", "pnpm,yarn", "--json").want(t, 1, `{"clients":[`+
		`{"client":"pnpm 10","ok":true,"at":"line 1 of ~/.npmrc","text":"line 1 of ~/.npmrc"},`+
		`{"client":"pnpm 11+","ok":true,"at":"line 1 of ~/.npmrc","text":"line 1 of ~/.npmrc"},`+
		`{"client":"Yarn 1","ok":true,"at":"line 1 of ~/.npmrc","text":"line 1 of ~/.npmrc"},`+
		`{"client":"Yarn 2+","ok":false,"text":"no token"}],"registry":"`+testRegistry+`"}`+"\n", "")
	e.Stdout = nil
	d.runEnv(e, "npmrc", testROT, "--check", "--client", "deno").want(t, ipc.ExitUsage, "", "npm, pnpm, yarn or bun")
	d.runEnv(e, "npmrc", testROT, "--client", "npm").want(t, ipc.ExitUsage, "", "goes with --check")
	d.runEnv(e, "npmrc", testROT, "--check", "--link").want(t, ipc.ExitUsage, "", "writes nothing")
	if names := []string{"npm", "pnpm 10", "pnpm 11+", "Yarn 1", "Yarn 2+", "Bun"}; !slices.EqualFunc(helper.Clients, names, func(cl helper.Client, name string) bool { return cl.Name == name }) {
		t.Error("there is another client: give it a line in TestCheck")
	}
}
