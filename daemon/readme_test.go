package daemon

import (
	"os"
	"strings"
	"testing"
)

// TestEveryPathIsShownWithCurl: the README shows each path of the API, and the
// script that runs curl against the programs calls it.
func TestEveryPathIsShownWithCurl(t *testing.T) {
	for _, file := range []string{"../README.md", "../cmd/testdata/script/curl.txtar"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// The names that stand for {ref}, {name} and {id} there.
		shown := strings.NewReplacer("/ci", "/{ref}", "/$ROT", "/{ref}", "/$PAS", "/{ref}", "/\"$ROT\"", "/{ref}",
			"deliveries/fleet", "deliveries/{name}", "deliveries/file", "deliveries/{name}",
			"grants/uid:1001", "grants/{id}", "grants/access-token:runner", "grants/{id}",
			"questions/ID", "questions/{id}", "questions/\"$id\"", "questions/{id}").Replace(string(b))
		for _, rt := range routes {
			if !strings.Contains(shown, "http://rotd"+rt.path) && !strings.Contains(shown, "http://localhost"+rt.path) {
				t.Errorf("%s does not show %s", file, rt.path)
			}
		}
	}
}
