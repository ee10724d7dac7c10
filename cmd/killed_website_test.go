package cmd_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rotd/daemon/npm/sandbox"
	"rotd/ipc"
	"rotd/ipc/secret"
)

// TestKilledOnTheWebsite kills the daemon while Chromium's post of a new token,
// or of a deletion, is in flight: before it took effect, and after it did. The
// browser ends with the daemon, its profile is gone with the next one.
func TestKilledOnTheWebsite(t *testing.T) {
	g := bareGround(t)
	if os.Getuid() == 0 {
		g.flags = []string{"--browser-no-sandbox"}
	}
	const state = "npm.json"
	g.startRegistry("127.0.0.1:0", "--state", state)
	g.startDaemon()
	g.awaitDaemon()
	rot := g.newROT(g.connectBySite(), "")
	ctx, stop := context.WithCancel(t.Context())
	r := &readers{g: g}
	r.follow(ctx, rot)
	for _, post := range []string{"new-gat", "delete"} {
		for _, kind := range []string{sandbox.FaultSlow, sandbox.FaultHold} {
			t.Run(post+", "+kind, func(t *testing.T) {
				defer func(former testing.TB) { g.t = former }(g.t)
				g.t = t
				g.rotateAndHoldPost(rot, "/settings/ada/tokens/"+post, kind)
				session := g.webSessions(state)
				g.kill(&g.d)
				g.await(10*time.Second, "the end of Chromium", func() bool { return len(g.browsers()) == 0 })
				left := g.profiles()
				if len(left) != 1 {
					t.Errorf("profiles of the killed run: %q, want one, for the next to remove", left)
				}
				if found := g.inPlain(session, state); len(found) > 0 {
					t.Errorf("npm's session stands in %q, before the next daemon", found)
				}
				g.faultsAndRestart()
				for _, path := range left {
					if _, err := os.Stat(path); err == nil {
						t.Errorf("%s is there still", path)
					}
				}
				g.await(time.Minute, "the end of what was begun", func() bool { return g.settled() && len(g.leftOver()) == 0 })
				g.await(10*time.Second, "the end of the next Chromium", func() bool { return len(g.browsers())+len(g.profiles()) == 0 })
				g.servesWell(rot)
				if found := g.inPlain(session, state); len(found) > 0 {
					t.Errorf("npm's session stands in %q", found)
				}
			})
		}
	}
	if err := g.rotate(t.Context(), rot); err != nil {
		t.Errorf("the next rotation: %v", err)
	}
	stop()
	r.wg.Wait()
	if r.read == 0 || len(r.refused)+len(r.none)+len(r.back) > 0 {
		t.Errorf("%d values read, refused: %q, none: %q, an older one: %q", r.read, r.refused, r.none, r.back)
	}
	if left := g.leftOver(); len(left) > 0 {
		t.Errorf("left over: %q", left)
	}
}

// connectBySite connects the account by the website way.
func (g *ground) connectBySite() (passcard string) {
	g.t.Helper()
	res, err := g.stream(g.t.Context(), ipc.PathPasscards, ipc.Connect{
		Registry: g.registry, Via: ipc.ViaWebsite, AcceptTerms: true, Username: "ada",
		Password: secret.NewWire("pw"), TOTPSecret: secret.NewWire(totpSeed), Terminal: true,
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return bare(res.Passcard)
}

// rotateAndHoldPost begins a rotation and returns when its post to the path is
// in flight: by a FaultSlow before it takes effect, by a FaultHold after it.
func (g *ground) rotateAndHoldPost(rot, path, kind string) {
	g.t.Helper()
	before := g.effects()
	g.faults(sandbox.Fault{Method: http.MethodPost, Path: path, Count: 1, Kind: kind, DelayMS: never})
	done := make(chan error, 1)
	ctx, client := g.t.Context(), *g.client
	go func() {
		var err error
		for _, err = range client.Stream(ctx, ipc.Path(ipc.PathRotate, rot), ipc.Rotate{}) {
		}
		done <- err
	}()
	g.await(time.Minute, "the post", func() bool {
		select {
		case err := <-done:
			g.t.Fatalf("the rotation ended before its post: %v", err)
		default:
		}
		var sw sandbox.Switches
		if err := g.control("GET", "switches", "", noBearer, &sw); err != nil {
			g.t.Fatal(err)
		}
		now := g.effects()
		switch taken := sw.Faults[0].Count == 0; {
		case strings.HasSuffix(path, "delete"):
			return taken && (kind == sandbox.FaultSlow || now.dead > before.dead)
		default:
			return taken && (kind == sandbox.FaultSlow || now.made > before.made)
		}
	})
}

// effects count what has been done at npm.
type effects struct{ made, dead int }

func (g *ground) effects() (e effects) {
	g.t.Helper()
	for _, tk := range g.tokens() {
		e.made++
		if !tk.Live {
			e.dead++
		}
	}
	return e
}

// webSessions are the website's sessions, as the sandbox keeps them.
func (g *ground) webSessions(state string) []string {
	g.t.Helper()
	b, err := os.ReadFile(filepath.Join(g.dir, state))
	if err != nil {
		g.t.Fatal(err)
	}
	var st struct {
		WebSessions map[string]any `json:"web_sessions"`
	}
	if err := json.Unmarshal(b, &st); err != nil || len(st.WebSessions) == 0 {
		g.t.Fatalf("the sandbox has no session: %v", err)
	}
	return slices.Collect(maps.Keys(st.WebSessions))
}

// profiles are the directories of browsers.
func (g *ground) profiles() []string {
	g.t.Helper()
	found, err := filepath.Glob(filepath.Join(g.dir, "rotd/browser/*"))
	if err != nil {
		g.t.Fatal(err)
	}
	return found
}

// browsers are the processes that work in one of them; what has ended, and is
// not waited for yet, has no command line.
func (g *ground) browsers() (pids []string) {
	g.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(all) == 0 {
		g.t.Fatalf("this test needs /proc: %v", err)
	}
	for _, path := range all {
		if line, err := os.ReadFile(path); err == nil && strings.Contains(string(line), filepath.Join(g.dir, "rotd/browser")) {
			pids = append(pids, path)
		}
	}
	return pids
}

// inPlain looks for secrets in all that the daemon and its browsers have: the
// state, the runtime directory, the log, and what Chromium puts into the
// temporary directory. The sandbox's own state is not theirs.
func (g *ground) inPlain(secrets []string, state string) (where []string) {
	g.t.Helper()
	dirs := []string{g.dir}
	for _, pattern := range []string{"rotd-[0-9]*", "org.chromium*", ".org.chromium*"} {
		found, err := filepath.Glob(filepath.Join(os.TempDir(), pattern))
		if err != nil {
			g.t.Fatal(err)
		}
		dirs = append(dirs, found...)
	}
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() || filepath.Base(path) == state {
				return nil // others come and go in the temporary directory
			}
			b, err := os.ReadFile(path)
			for _, s := range secrets {
				if err == nil && strings.Contains(string(b), s) {
					where = append(where, fmt.Sprintf("%s (a secret of %d characters)", path, len(s)))
				}
			}
			return nil
		})
	}
	return where
}
