package cmd_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"rotd/ipc"
)

// The promise about a daemon that is besieged: 1000 connections that say nothing
// and 200 that do harm leave rot get at 50 ms, and the daemon below 64 MB.
const (
	siegeIdle    = 1000
	siegeHostile = 200
	siegeMemory  = 64 << 20 // bytes, at most
	// siegePause is between two acts of one hostile connection: together they
	// begin 2000 a second. Without it the besieger, on the same processors, takes
	// as much of them as he is given.
	siegePause = 100 * time.Millisecond
)

// TestSiege: every rot get is answered, and memory does not grow.
func TestSiege(t *testing.T) {
	g, rot := siegeGround(t)
	g.besiege(uint32(os.Getuid()), 0)
	for range 10 {
		g.rot(t, "get", rot)
	}
	if got := g.inStatus("VmHWM:"); got > siegeMemory {
		t.Errorf("rotd takes %d MB", got>>20)
	}
}

// BenchmarkGetBesieged is the whole of rot get meanwhile: by processes of the
// owner's, the hard case, and of another user's.
func BenchmarkGetBesieged(b *testing.B) {
	for _, c := range []struct {
		name  string
		uid   uint32
		pause time.Duration
	}{
		{"by=nobody", 0, -1},
		{"by=owner", uint32(os.Getuid()), siegePause},
		{"by=another", runnerUID, siegePause},
		{"by=owner-without-pause", uint32(os.Getuid()), 0},
		{"by=another-without-pause", runnerUID, 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			if c.uid == runnerUID && os.Getuid() != 0 {
				b.Skip("only root runs programs as others")
			}
			g, rot := siegeGround(b)
			if c.pause >= 0 {
				g.besiege(c.uid, c.pause)
			}
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				g.rot(b, "get", rot)
				took = append(took, time.Since(start))
			}
			for _, p := range []int{50, 95, 99} {
				b.ReportMetric(percentile(took, p), fmt.Sprintf("p%d-ms", p))
			}
			b.ReportMetric(float64(g.inStatus("VmHWM:"))/(1<<20), "peak-RSS-MB")
		})
	}
}

// siegeGround has a daemon that is built as it is released, and is open to
// everybody.
func siegeGround(tb testing.TB) (g *ground, rot string) {
	g = bareGround(tb)
	if err := os.Chmod(g.dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	g.client.Socket = filepath.Join(g.dir, "run", "s")
	g.flags = []string{"--socket-group", strconv.Itoa(os.Getgid())}
	if os.Getuid() == 0 {
		g.flags[1] = strconv.Itoa(socketGID)
	}
	g.program = released(tb)
	g.startRegistry("127.0.0.1:0")
	g.startDaemon()
	g.awaitDaemon()
	return g, g.newROT(g.connect(), "ci")
}

// besiege has a process of this user lay siege to the daemon, until the end.
func (g *ground) besiege(uid uint32, pause time.Duration) {
	g.t.Helper()
	program := filepath.Join(g.dir, "besieger")
	text, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(program, text, 0o755)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	siege := exec.Command(program)
	siege.Env = append(os.Environ(), siegeEnv+"="+g.client.Socket, siegePauseEnv+"="+pause.String())
	siege.Stderr = os.Stderr
	if uid != uint32(os.Getuid()) {
		siege.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: socketGID}}
	}
	stdin, err := siege.StdinPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	stdout, err := siege.StdoutPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	if err := siege.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { stdin.Close(); _ = siege.Wait() })
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		g.t.Fatalf("the siege does not begin: %q, %v", line, err)
	}
}

// siegeEnv makes this test binary the besieger of the socket that it names, with
// this pause between two acts of a connection.
const (
	siegeEnv      = "ROTD_TEST_SIEGE"
	siegePauseEnv = "ROTD_TEST_SIEGE_PAUSE"
)

func init() { disguises[siegeEnv] = lay }

// lay besieges the socket until standard input ends.
func lay(socket string) int {
	pause, err := time.ParseDuration(os.Getenv(siegePauseEnv))
	idle := make([]net.Conn, siegeIdle)
	for i := range idle {
		if err == nil {
			idle[i], err = net.Dial("unix", socket)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for i := range siegeHostile {
		all.Go(func() {
			for ctx.Err() == nil {
				harm(ctx, socket, i)
				select {
				case <-ctx.Done():
				case <-time.After(pause):
				}
			}
		})
	}
	fmt.Println("laid")
	_, _ = os.Stdin.Read(make([]byte, 1))
	cancel()
	all.Wait()
	runtime.KeepAlive(idle)
	return 0
}

// harm is one connection of somebody who means no good.
func harm(ctx context.Context, socket string, i int) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	switch i % 9 {
	case 0: // asks without a pause
		for range 100 {
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: rotd\r\n\r\n", ipc.PathStatus)
			_, _ = conn.Read(make([]byte, 4096))
		}
	case 1: // asks, and does not read
		for range 100 {
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: rotd\r\n\r\n", ipc.PathStatus)
		}
	case 2: // has a gigabyte to say
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: rotd\r\nContent-Length: %d\r\n\r\n", ipc.PathApprove, 1<<30)
		_, _ = io.Copy(conn, io.LimitReader(zeros{}, 1<<30))
	case 3: // has a header without an end
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: rotd\r\nX: ", ipc.PathVersion)
		_, _ = io.Copy(conn, io.LimitReader(zeros{}, 1<<30))
	case 4: // speaks another language
		_, _ = io.Copy(conn, io.LimitReader(zeros{}, 1<<20))
	case 5: // begins, and leaves
		fmt.Fprint(conn, "GET ")
	case 6: // holds on to a stream
		fmt.Fprintf(conn, "GET %s?follow=1 HTTP/1.1\r\nHost: rotd\r\n\r\n", ipc.PathLog)
		_, _ = io.Copy(io.Discard, conn)
	case 7: // begins, and never comes to an end
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: rotd\r\nContent-Length: 1000\r\n\r\n", ipc.PathApprove)
		_, _ = io.Copy(io.Discard, conn)
	case 8: // guesses access tokens
		fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nAuthorization: Bearer rat_EXAMPLE\r\n\r\n", ipc.Path(ipc.PathToken, "ci"))
		_, _ = io.Copy(io.Discard, conn)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '0'
	}
	return len(b), nil
}
