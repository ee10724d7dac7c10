package cmd_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// workspacePackages is how many a workspace has here, and the one in the middle
// waits in its prepublishOnly: for npm has read the token by then.
const workspacePackages, waitingPackage = 64, 32

func packageName(i int) string { return fmt.Sprintf("rotd-ws-%02d", i) }

// newWorkspace is a runner whose project is a workspace.
func newWorkspace(t *testing.T) *runner {
	t.Helper()
	r := newRunner(t)
	r.write("project/package.json", `{"name":"rotd-ws","private":true,"workspaces":["packages/*"]}`)
	for i := 1; i <= workspacePackages; i++ {
		if err := os.MkdirAll(filepath.Join(r.project, "packages", packageName(i)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(r.project, "gate"), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

// setVersion is the next version of all packages.
func (r *runner) setVersion(version string) {
	r.t.Helper()
	for i := 1; i <= workspacePackages; i++ {
		scripts := ""
		if i == waitingPackage {
			scripts = `,"scripts":{"prepublishOnly":"echo > ../../waits; read x < ../../gate"}`
		}
		r.write(filepath.Join("project/packages", packageName(i), "package.json"), fmt.Sprintf(`{"name":%q,"version":%q%s}`, packageName(i), version, scripts))
	}
	_ = os.Remove(filepath.Join(r.project, "waits"))
}

// rotateWhileItWaits rotates twice when the one in the middle has come to its
// script, and then lets that end.
func (r *runner) rotateWhileItWaits(published func() int) {
	r.t.Helper()
	r.await(5*time.Minute, "the package in the middle", func() bool { _, err := os.Stat(filepath.Join(r.project, "waits")); return err == nil })
	before := r.value("ci")
	for range 2 {
		if err := r.rotate(r.t.Context(), "ci"); err != nil {
			r.t.Error(err)
		}
	}
	if n := published(); n == 0 || n == workspacePackages || r.value("ci") == before {
		r.t.Errorf("the rotation was not in the middle: %d are published", n)
	}
	gate, err := os.OpenFile(filepath.Join(r.project, "gate"), os.O_WRONLY, 0)
	if err == nil {
		_, err = gate.WriteString("go\n")
		_ = gate.Close()
	}
	if err != nil {
		r.t.Error(err)
	}
}

// published counts the packages that the registry has in a version.
func (r *runner) published(version string) (n int) {
	r.t.Helper()
	for i := 1; i <= workspacePackages; i++ {
		var doc struct{ Versions map[string]any }
		resp, err := http.Get(r.registry + "/" + packageName(i))
		if err != nil {
			r.t.Fatal(err)
		}
		if resp.StatusCode == http.StatusOK {
			err = json.NewDecoder(resp.Body).Decode(&doc)
		}
		_ = resp.Body.Close()
		if err != nil {
			r.t.Fatal(err)
		}
		if doc.Versions[version] != nil {
			n++
		}
	}
	return n
}

// TestAWorkspaceThroughARotation publishes 64 packages with the real npm: in one
// go, and each by itself. The token is replaced in the middle.
func TestAWorkspaceThroughARotation(t *testing.T) {
	r := newWorkspace(t)
	for _, step := range []struct { // npm publishes no version that is below the latest
		version string
		publish func() []outcome
	}{
		{"1.0.0", func() []outcome { return []outcome{r.sh("rot exec ci -- npm publish --workspaces")} }},
		{"2.0.0", func() (all []outcome) {
			next := make(chan string, workspacePackages)
			for i := 1; i <= workspacePackages; i++ {
				next <- packageName(i)
			}
			close(next)
			var wg sync.WaitGroup
			var mu sync.Mutex
			for range 3 { // one of which waits
				wg.Go(func() {
					for p := range next {
						got := r.sh("rot exec ci -- npm publish --workspace " + p)
						mu.Lock()
						all = append(all, got)
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			return all
		}},
	} {
		name, began := step.version, time.Now()
		r.setVersion(name)
		done := make(chan []outcome)
		go func() { done <- step.publish() }()
		r.rotateWhileItWaits(func() int { return r.published(name) })
		var said strings.Builder
		for _, got := range <-done {
			said.WriteString(got.stdout)
			if got.code != 0 {
				t.Errorf("%s: exit status %d: %s", name, got.code, got.stderr)
			}
		}
		if n := strings.Count(said.String(), "@"+name+"\n"); n != workspacePackages || r.published(name) != n {
			t.Errorf("%s: npm has published %d, and the registry has %d", name, n, r.published(name))
		}
		t.Logf("%s: %d published in %v", name, workspacePackages, time.Since(began).Round(time.Millisecond))
		r.await(20*time.Second, "the end of the old tokens", func() bool { return len(r.leftOver()) == 0 })
	}
}
