package cmd_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rotd/ipc"
)

// The user and the groups that TestASecondUser makes.
const (
	runnerUID = 64201
	buildGID  = 64300 // the user database has the runner in it
	socketGID = 64301 // his processes run with it
)

// TestASecondUser is about a user of the machine who is not rotd's. He is in a
// user database that only this rotd sees, so only root can do this.
func TestASecondUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root makes users and runs programs as them")
	}
	g := bareGround(t)
	if err := os.Chmod(g.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	g.client.Socket = filepath.Join(g.dir, "run", "s")
	g.startRegistry("127.0.0.1:0")
	g.writeUsers(true)
	g.flags = []string{"--socket-group", "sockets"}
	g.startWithUsers()
	g.awaitDaemon()
	ci := g.newROT(g.connect(), "ci")
	value, err := g.token(t.Context(), ci)
	if err != nil {
		t.Fatal(err)
	}
	secret := value.Value.Reveal() + "\n"
	owner, runner := g.rotAs(0, 0), g.rotAs(runnerUID, socketGID)

	runner("get", "ci").want(t, ipc.ExitNotAllowed, "", "rot: uid 64201 (runner) may not read ci\n  hint: uid 0, who runs rotd, can allow it: rot grant ci --uid 64201\n")
	runner("get", "nothing").want(t, ipc.ExitNotAllowed, "", "rot: uid 64201 (runner) may not read nothing\n  hint: uid 0, who runs rotd, can allow it: rot grant nothing --uid 64201\n")
	administers := func() {
		t.Helper()
		for _, args := range [][]string{{"ls"}, {"status"}, {"log"}, {"rotate", "ci"}, {"grant", "ci", "--uid", "runner"}, {"grants", "ci"}, {"revoke", "ci"}, {"remove", "ci", "--yes"}, {"schedule", "ci"}, {"deliver", "ci", "--", "true"}, {"approve"}} {
			if got := runner(args...); got.code != ipc.ExitNotAllowed || got.stdout != "" {
				t.Errorf("%v: %+v", args, got)
			}
		}
	}
	administers()
	g.rotAs(runnerUID, runnerUID)("get", "ci").want(t, ipc.ExitUnreachable, "", "you may not use its socket")

	owner("grant", "ci", "--uid", "runner").want(t, 0, "", "uid 64201 (runner) may read ci")
	runner("get", "ci").want(t, 0, secret, "")
	administers()
	owner("ungrant", "ci", "--uid", "runner").want(t, 0, "", "may not read ci any more")
	runner("get", "ci").want(t, ipc.ExitNotAllowed, "", "may not read ci")
	owner("grant", "ci", "--gid", "builders").want(t, 0, "", "warning: "+g.client.Socket+" is closed to gid 64300")
	runner("get", "ci").want(t, 0, secret, "")
	g.publishAs(runnerUID, socketGID)

	access := owner("grant", "ci", "--access-token", "job")
	access.want(t, 0, access.stdout, "access-token job may read ci")
	file := filepath.Join(g.dir, "token")
	if err := os.WriteFile(file, []byte(access.stdout), 0o644); err != nil {
		t.Fatal(err)
	}

	g.writeUsers(false) // he is gone; his processes are not
	g.await(20*time.Second, "a user who is gone", func() bool {
		return strings.Contains(runner("get", "ci").stderr, "uid 64201 is no user of this machine, and may not read ci")
	})
	administers()
	owner("grant", "ci", "--uid", "64201").want(t, ipc.ExitUsage, "", "there is no user \"64201\" on this machine")
	runner("get", "ci", "--access-token-file", file).want(t, 0, secret, "")

	wrong := filepath.Join(g.dir, "wrong")
	if err := os.WriteFile(wrong, []byte("rat_"+strings.Repeat("0", 27)+"2MvMGi"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		runner("get", "ci", "--access-token-file", wrong).want(t, ipc.ExitNotAllowed, "", "an access token that rotd does not know")
	}
	runner("get", "ci", "--access-token-file", file).want(t, ipc.ExitNotAllowed, "", "is shut out: it showed 10 wrong access tokens within a minute\n  hint: try again in ")
	owner("get", "ci").want(t, 0, secret, "")
}

// publishAs has a job of a runner's user publish with the real npm, of which it
// has a copy.
func (g *ground) publishAs(uid, gid int) {
	g.t.Helper()
	home := filepath.Join(g.dir, "home")
	npm := filepath.Join(g.dir, "npm")
	if err := os.CopyFS(npm, os.DirFS(filepath.Join(npmClient(g.t), "..", ".."))); err != nil {
		g.t.Fatal(err)
	}
	if err := os.Mkdir(home, 0o700); err != nil {
		g.t.Fatal(err)
	}
	g.write("home/package.json", `{"name":"rotd-example","version":"1.0.0"}`)
	for _, path := range []string{home, filepath.Join(home, "package.json")} {
		if err := os.Chown(path, uid, gid); err != nil {
			g.t.Fatal(err)
		}
	}
	g.runAs(uint32(uid), uint32(gid), home, filepath.Join(g.dir, "rot"), "exec", "ci", "--", "node", filepath.Join(npm, "bin", "npm-cli.js"), "publish").
		want(g.t, 0, "+ rotd-example@1.0.0\n", "npm notice")
}

// writeUsers writes the user database that the daemon sees, in its place.
func (g *ground) writeUsers(withRunner bool) {
	g.t.Helper()
	passwd := "root:x:0:0:root:/root:/bin/sh\n"
	if withRunner {
		passwd += fmt.Sprintf("runner:x:%d:%d::/nonexistent:/bin/sh\n", runnerUID, runnerUID)
	}
	group := fmt.Sprintf("root:x:0:\nrunner:x:%d:\nbuilders:x:%d:runner\nsockets:x:%d:\n", runnerUID, buildGID, socketGID)
	for name, text := range map[string]string{"passwd": passwd, "group": group} {
		if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o644); err != nil {
			g.t.Fatal(err)
		}
	}
}

// startWithUsers starts the daemon where /etc/passwd and /etc/group are ours.
func (g *ground) startWithUsers() {
	g.t.Helper()
	const inside = `mount --bind passwd /etc/passwd && mount --bind group /etc/group && exec "$@"`
	argv := append([]string{"-m", "--propagation", "private", "sh", "-c", inside, "sh", filepath.Join(bin, "rotd")}, g.daemonArgs()...)
	g.d = g.startBy("unshare", "rotd", io.Discard, argv...)
}
