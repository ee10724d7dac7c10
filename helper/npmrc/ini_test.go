package npmrc

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rotd/ipc/secret"
)

// iniCase is a file before and after an edit, or one that Edit refused.
type iniCase struct {
	Src, Out string
	Set      map[string]string // what is to differ
	Cut      []string          // what is to be gone
	Refused  string            // "", "list" or "placeholder"
}

// compare is run by node: npm's own ini reads both files, and they must differ
// in what was to be changed alone. It prints the cases that do not.
const compare = `
const ini = require(process.argv[1]), { isDeepStrictEqual } = require('util')
const cases = JSON.parse(require('fs').readFileSync(0, 'utf8'))
const wrong = cases.filter(({ Src, Out, Set, Cut, Refused }) => {
  const before = ini.parse(Src), keys = Object.keys(Set || {}).concat(Cut || [])
  if (Refused === 'list') return !keys.some(k => Array.isArray(before[k]))
  if (Refused === 'placeholder') return !keys.some(k => String(before[k]).includes('${'))
  Object.assign(before, Set)
  for (const k of Cut || []) delete before[k]
  return !isDeepStrictEqual(before, ini.parse(Out))
})
console.log(JSON.stringify(wrong))
`

// TestNpmReadsBackTheOneValue holds parse to npm's ini, on files put together
// from everything that is special in one.
func TestNpmReadsBackTheOneValue(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var cases []iniCase
	for range 10000 {
		src := anyFile(rnd, key)
		out, _, err := Edit([]byte(src), registry, secret.New(value))
		cases = append(cases, iniCase{Src: src, Out: string(out), Set: map[string]string{key: value}, Refused: refusal(t, src, err)})
		// Where the key is there once, none comes to the fore.
		out, rep, err := Cut([]byte(src), registry)
		if strings.Count(src, key) == 1 && (err != nil || rep.Changed) {
			cases = append(cases, iniCase{Src: src, Out: string(out), Cut: []string{key}, Refused: refusal(t, src, err)})
		}

		const six, sixKey = "http://[::1]:4873/npm", "//[::1]:4873/npm/:_authToken"
		src = anyFile(rnd, sixKey)
		out, _, err = editAll([]byte(src), six, secret.New(value), []string{"@acme"})
		cases = append(cases, iniCase{Src: src, Out: string(out), Refused: refusal(t, src, err),
			Set: map[string]string{sixKey: value, "@acme:registry": six + "/"}})
	}
	for _, c := range askNode(t, compare, cases) {
		t.Errorf("npm reads another thing (refused: %q, set %q):\n%q\n%q", c.Refused, c.Set, c.Src, c.Out)
	}
}

func anyFile(rnd *rand.Rand, key string) string {
	pieces := []string{
		key, key, key, strings.Replace(key, "/:", ":", 1), strings.TrimSuffix(key, "Token"), "registry", "a", key + "[]", "x[]",
		"=", "=", "=", "=", " ", "\t", "\n", "\n", "\n", "\r\n", "\r", "\n\n",
		"npm_oldEXAMPLE", value, "${NPM_TOKEN}", "true", "a=b==", `\;`, `\\`, `\`, `"`, `'`, `"q"`, `'s'`,
		";", "#", " ; c", "[s]", "[", "]", "\n[s]\n", "\n[a.b] \n", "\n[" + key + "]\n",
		"\ufeff", "\u00a0", "\u0085", "\u2028", "\u3000", "é", "__proto__", ".",
	}
	var b strings.Builder
	for range rnd.IntN(14) {
		b.WriteString(pieces[rnd.IntN(len(pieces))])
	}
	return b.String()
}

func refusal(t *testing.T, src string, err error) string {
	switch {
	case err == nil:
		return ""
	case isA[*ListError](err):
		return "list"
	case isA[*PlaceholderError](err):
		return "placeholder"
	}
	t.Fatalf("%q: %v", src, err)
	return ""
}

// keys is run by node: it derives the keys of registries as npm-registry-fetch
// does, and prints those that are others.
const keys = `
const cases = JSON.parse(require('fs').readFileSync(0, 'utf8'))
console.log(JSON.stringify(cases.filter(({ Src, Out }) => {
  const url = new URL(Src)
  return '//' + url.host + url.pathname.replace(/\/*$/, '/') + ':_authToken' !== Out
})))
`

func TestKeyIsNpms(t *testing.T) {
	var cases []iniCase
	for _, registry := range []string{
		"http://localhost:4873", "http://localhost:4873/", "http://localhost:80/", "https://Registry.Example:443/npm", "https://h.example/a/b/",
		"http://[::1]:4873", "http://[::1]", "https://[2001:db8::1]:443/npm/", "http://127.0.0.1:1",
	} {
		key, err := Key(registry)
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, iniCase{Src: registry, Out: key})
	}
	for _, c := range askNode(t, keys, cases) {
		t.Errorf("npm does not look for the token of %s by %s", c.Src, c.Out)
	}
}

// askNode runs a script that has npm's own ini and the cases, and prints those
// that are wrong.
func askNode(t *testing.T, script string, cases []iniCase) (wrong []iniCase) {
	t.Helper()
	path, err := filepath.Abs("../../.tools/npm/node_modules/npm/node_modules/ini")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal("the npm client of the tests is not installed: run .ci/tools.sh test")
	}
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "-e", script, path)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("node: %v: %s", err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &wrong); err != nil {
		t.Fatal(err)
	}
	return wrong
}
