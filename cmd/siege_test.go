package cmd_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rotd/ipc"
)

// The promise about a daemon that is besieged by its own user: 1000 connections
// that say nothing and 200 that do harm.
const (
	siegeIdle    = 1000
	siegeHostile = 200
	siegeMemory  = 64 << 20 // bytes, at most
	siegeAnswer  = 50 * time.Millisecond
)

// TestSiege: every rot get is answered, and memory does not grow.
func TestSiege(t *testing.T) {
	g, rot := besieged(t)
	for range 10 {
		g.getBesieged(rot)
	}
	if got := g.memory(); got > siegeMemory {
		t.Errorf("rotd takes %d MB", got>>20)
	}
}

// BenchmarkGetBesieged is the whole of rot get meanwhile.
func BenchmarkGetBesieged(b *testing.B) {
	g, rot := besieged(b)
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		g.getBesieged(rot)
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	p99 := took[int(math.Ceil(0.99*float64(len(took))))-1]
	memory := g.memory()
	median := took[len(took)/2]
	b.ReportMetric(float64(median.Microseconds())/1000, "ms/median")
	b.ReportMetric(float64(p99.Microseconds())/1000, "ms/p99")
	b.ReportMetric(float64(memory)/(1<<20), "MB")
	if p99 > siegeAnswer || memory > siegeMemory {
		b.Errorf("of %d rot get, half take %v and 1 %% more than %v; rotd takes %d MB", len(took), median, p99, memory>>20)
	}
}

// besieged is a ground whose daemon, built as it is released, is under siege.
func besieged(tb testing.TB) (g *ground, rot string) {
	g, passcard := newGround(tb)
	rot = g.newROT(passcard, "ci")
	g.stop()
	g.program = "rotd-released"
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(bin, g.program), "rotd/cmd/rotd")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	g.restartDaemon()

	// Another process, as the one that measures is not to be besieged.
	siege := exec.Command(os.Args[0])
	siege.Env = append(os.Environ(), siegeEnv+"="+g.client.Socket)
	stdin, err := siege.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := siege.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := siege.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { stdin.Close(); _ = siege.Wait() })
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		tb.Fatalf("the siege does not begin: %q, %v", line, err)
	}
	return g, rot
}

// siegeEnv makes this test binary the besieger of the socket that it names.
const siegeEnv = "ROTD_TEST_SIEGE"

// lay besieges the socket until standard input ends.
func lay(socket string) int {
	idle := make([]net.Conn, siegeIdle)
	for i := range idle {
		var err error
		if idle[i], err = net.Dial("unix", socket); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for i := range siegeHostile {
		all.Go(func() {
			for ctx.Err() == nil {
				harm(ctx, socket, i)
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
	switch i % 8 {
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
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '0'
	}
	return len(b), nil
}

// getBesieged runs rot get.
func (g *ground) getBesieged(rot string) {
	g.t.Helper()
	out, err := exec.Command(filepath.Join(bin, "rot"), "get", rot, "--socket", g.client.Socket).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "npm_") {
		g.t.Fatalf("rot get: %v\n%s", err, out)
	}
}

// memory is the largest part of the daemon's memory that was ever resident, in
// bytes.
func (g *ground) memory() int {
	g.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.d.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), "VmHWM:")
	kb, err := strconv.Atoi(strings.Fields(after + " ?")[0])
	if err != nil {
		g.t.Fatal(err)
	}
	return kb << 10
}
