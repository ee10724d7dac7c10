package cmd_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
)

// execution is a command that runs under rot exec, and has its token.
type execution struct {
	*ground
	cmd   *exec.Cmd
	value secret.Text
	input io.Closer // ends the command
}

// exec starts a command that waits for end.
func (g *ground) exec(rot string) *execution {
	g.t.Helper()
	cmd := exec.Command(filepath.Join(bin, "rot"), "exec", "--socket", g.client.Socket, rot, "--", "sh", "-c", `echo "$NPM_TOKEN"; read x`)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + g.dir, "XDG_RUNTIME_DIR=" + g.dir}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = in.Close(); _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		g.t.Fatal(err)
	}
	return &execution{g, cmd, secret.New(line[:len(line)-1]), in}
}

// end has the command end, and rot if that runs still.
func (e *execution) end() { _ = e.input.Close(); _ = e.cmd.Wait() }

func (e *execution) accepted() bool {
	e.t.Helper()
	ok, _, err := e.accepts(e.value)
	if err != nil {
		e.t.Fatal(err)
	}
	return ok
}

// lives checks that the old value is kept, and status tells for how many.
func (e *execution) lives(rot string, readers int) {
	e.t.Helper()
	if !e.accepted() {
		e.t.Fatal("the token of a command that runs is revoked")
	}
	var st ipc.Status
	if err := e.client.Get(e.t.Context(), ipc.PathStatus, &st); err != nil {
		e.t.Fatal(err)
	}
	for _, r := range st.ROTs {
		if bare(r.Ref) == rot && r.Readers != readers {
			e.t.Errorf("status tells of %d readers, want %d", r.Readers, readers)
		}
	}
}

func (e *execution) dies() {
	e.t.Helper()
	e.await(20*time.Second, "the revocation", func() bool { return !e.accepted() })
}

func TestACommandKeepsItsToken(t *testing.T) {
	g, passcard := newGround(t)
	rot, other := g.newROT(passcard, "ci"), g.newROT(passcard, "other")
	first, second := g.exec(rot), g.exec(rot)
	res, err := g.stream(t.Context(), ipc.Path(ipc.PathRotate, rot), ipc.Rotate{})
	if err != nil || res.Rotations[0].RevokedOld || res.Rotations[0].Readers != 2 {
		t.Fatalf("%+v, %v", res, err)
	}
	first.lives(rot, 2)
	if tk, err := g.token(t.Context(), rot); err != nil || tk.Generation != 2 {
		t.Errorf("get answers generation %d, %v", tk.Generation, err)
	}
	// Nothing else waits: another rotation of the same ROT, that of another.
	third := g.exec(rot)
	for _, r := range []string{rot, other} {
		if err := g.rotate(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	first.lives(rot, 3)
	g.await(20*time.Second, "the end of the other's old token", func() bool { return len(g.leftOver()) == 2 })
	// Each value goes with the last that has it.
	first.end()
	second.lives(rot, 2)
	third.end()
	third.dies()
	second.lives(rot, 1)
	second.end()
	second.dies()
	g.servesWell(rot)
}

// TestCommandsAmongRotations: one rotation follows the other, and what a command
// was handed is good until it ends.
func TestCommandsAmongRotations(t *testing.T) {
	g, passcard := newGround(t)
	rot := g.newROT(passcard, "")
	const child = `sleep 0.1; curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $NPM_TOKEN" "$0"`
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var ended atomic.Int32
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				cmd := exec.Command(filepath.Join(bin, "rot"), "exec", "--socket", g.client.Socket, rot, "--", "sh", "-c", child, g.registry+"/-/whoami")
				cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + g.dir, "XDG_RUNTIME_DIR=" + g.dir}
				if said, err := cmd.CombinedOutput(); err != nil || string(said) != "200" {
					t.Errorf("a command: %q, %v", said, err)
					return
				}
				ended.Add(1)
			}
		})
	}
	rotations := 0
	for ; ended.Load() < 60 && !t.Failed(); rotations++ {
		if err := g.rotate(t.Context(), rot); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	all.Wait()
	t.Logf("%d commands among %d rotations", ended.Load(), rotations)
	g.await(time.Minute, "the end of the old tokens", func() bool { return len(g.leftOver()) == 0 })
}

func TestACommandKeepsItsTokenThoughRotIsKilled(t *testing.T) {
	g, passcard := newGround(t)
	rot := g.newROT(passcard, "")
	e := g.exec(rot)
	if err := e.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = e.cmd.Process.Wait() // not Wait, which closes the command's input
	if err := g.rotate(t.Context(), rot); err != nil {
		t.Fatal(err)
	}
	e.lives(rot, 1)
	e.end()
	e.dies()
}

// TestACommandKeepsItsTokenThoughRotdIsKilled, and does not where it went while
// there was no rotd: that is noticed after a moment.
func TestACommandKeepsItsTokenThoughRotdIsKilled(t *testing.T) {
	t.Parallel() // it waits for the most part
	g, passcard := newGround(t)
	stays, goes, never := g.newROT(passcard, "stays"), g.newROT(passcard, "goes"), g.newROT(passcard, "never")
	staying, going := g.exec(stays), g.exec(goes)
	g.kill(&g.d)
	going.end()
	g.restartDaemon()
	for _, rot := range []string{stays, goes, never} {
		if err := g.rotate(t.Context(), rot); err != nil {
			t.Fatal(err)
		}
	}
	if left := g.leftOver(); len(left) != 2 {
		t.Errorf("left over are %v, want the two that had readers", left)
	}
	g.stop() // and once more, as a service manager does it
	g.restartDaemon()
	g.await(40*time.Second, "the end of the token that has no reader", func() bool { return !going.accepted() })
	staying.lives(stays, 1)
	staying.end()
	staying.dies()
}

// TestACommandKeepsItsTokenThoughRotdIsKilledAtAStep of a rotation.
func TestACommandKeepsItsTokenThoughRotdIsKilledAtAStep(t *testing.T) {
	t.Parallel() // it waits for the most part
	g, passcard := newGround(t)
	running := map[string]*execution{}
	for _, step := range []string{"planned", "created", "verified", "current"} {
		rot := g.newROT(passcard, step)
		running[rot] = g.exec(rot)
		for ev, err := range g.client.Stream(t.Context(), ipc.Path(ipc.PathRotate, rot), ipc.Rotate{}) {
			if err != nil {
				t.Fatal(err)
			}
			if ev.Step != nil && ev.Step.Name == step {
				break
			}
		}
		g.kill(&g.d)
		g.restartDaemon()
		g.servesWell(rot)
		if err := g.rotate(t.Context(), rot); err != nil {
			t.Fatal(err)
		}
	}
	for rot, e := range running {
		e.lives(rot, 1)
		e.end()
	}
	for rot, e := range running { // at the latest when the daemon waits for nobody
		e.await(40*time.Second, "the revocation", func() bool { return !e.accepted() })
		g.servesWell(rot)
	}
}

func TestACommandKeepsItsTokenForATime(t *testing.T) {
	t.Parallel() // it waits for the most part
	g := bareGround(t)
	g.flags = []string{"--reader-time", "6s"}
	g.startRegistry("127.0.0.1:0")
	g.restartDaemon()
	passcard := g.connect()
	rot := g.newROT(passcard, "")
	e := g.exec(rot)
	if err := g.rotate(t.Context(), rot); err != nil {
		t.Fatal(err)
	}
	e.lives(rot, 1)
	e.dies()
	e.end()

	leaked := g.exec(rot)
	if _, err := g.stream(t.Context(), ipc.Path(ipc.PathRotate, rot), ipc.Rotate{RevokeNow: true}); err != nil {
		t.Fatal(err)
	}
	if leaked.accepted() {
		t.Error("a leaked token lives for its reader")
	}
	leaked.end()
}
