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
	Key      string
	Value    string
	Refused  string // "", "list" or "placeholder"
}

// compare is run by node: npm's own ini reads both files, and they must differ
// in the one value. It prints the cases that do not.
const compare = `
const ini = require(process.argv[1]), { isDeepStrictEqual } = require('util')
const cases = JSON.parse(require('fs').readFileSync(0, 'utf8'))
const wrong = cases.filter(({ Src, Out, Key, Value, Refused }) => {
  const before = ini.parse(Src)
  if (Refused === 'list') return !Array.isArray(before[Key])
  if (Refused === 'placeholder') return !String(before[Key]).includes('${')
  before[Key] = Value
  return !isDeepStrictEqual(before, ini.parse(Out))
})
console.log(JSON.stringify(wrong))
`

// TestNpmReadsBackTheOneValue holds parse to npm's ini, on files put together
// from everything that is special in one.
func TestNpmReadsBackTheOneValue(t *testing.T) {
	pieces := []string{
		key, key, key, "//localhost:4873:_authToken", "//localhost:4873/:_auth", "registry", "a", key + "[]", "x[]",
		"=", "=", "=", "=", " ", "\t", "\n", "\n", "\n", "\r\n", "\r", "\n\n",
		"npm_oldEXAMPLE", value, "${NPM_TOKEN}", "true", "a=b==", `\;`, `\\`, `\`, `"`, `'`, `"q"`, `'s'`,
		";", "#", " ; c", "[s]", "[", "]", "\n[s]\n", "\n[a.b] \n", "\n[" + key + "]\n",
		"\ufeff", "\u00a0", "\u0085", "\u2028", "\u3000", "é", "__proto__", ".",
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	var cases []iniCase
	for range 20000 {
		var b strings.Builder
		for range rnd.IntN(14) {
			b.WriteString(pieces[rnd.IntN(len(pieces))])
		}
		src := b.String()
		c := iniCase{Src: src, Key: key, Value: value}
		out, _, err := Edit([]byte(src), registry, secret.New(value))
		switch {
		case isA[*ListError](err):
			c.Refused = "list"
		case isA[*PlaceholderError](err):
			c.Refused = "placeholder"
		case err != nil:
			t.Fatalf("%q: %v", src, err)
		}
		c.Out = string(out)
		cases = append(cases, c)
	}
	for _, c := range askNode(t, cases) {
		t.Errorf("npm reads another thing (refused: %q):\n%q\n%q", c.Refused, c.Src, c.Out)
	}
}

func askNode(t *testing.T, cases []iniCase) (wrong []iniCase) {
	t.Helper()
	ini, err := filepath.Abs("../../.tools/npm/node_modules/npm/node_modules/ini")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(ini); err != nil {
		t.Fatal("the npm client of the tests is not installed: run .ci/tools.sh test")
	}
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "-e", compare, ini)
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
