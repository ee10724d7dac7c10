package daemon

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// watch looks at what a daemon starts while it works: at the arguments and the
// environment of each process, and at what they listen on. It is Linux's /proc
// that tells.
type watch struct {
	t    *testing.T
	r    *rig
	stop chan struct{}
	done sync.WaitGroup

	seen      map[string]string // arguments and environments, by where they were found
	listeners map[string]bool
	processes int
}

func startWatch(t *testing.T, r *rig) *watch {
	t.Helper()
	w := &watch{t: t, r: r, stop: make(chan struct{}), seen: map[string]string{}, listeners: map[string]bool{}}
	w.done.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			w.look()
			select {
			case <-w.stop:
				return
			case <-tick.C:
			}
		}
	})
	return w
}

// look notes what the descendants of this process show at the moment.
func (w *watch) look() {
	pids := descendants()
	listening := listeningInodes()
	for _, inode := range socketsOf(os.Getpid()) {
		delete(listening, inode) // npm's, which a process has too until it has become another program
	}
	w.processes = max(w.processes, len(pids))
	for _, pid := range pids {
		for _, of := range []string{"cmdline", "environ"} {
			if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, of)); err == nil {
				w.seen[fmt.Sprintf("%s of process %d", of, pid)] = string(b)
			}
		}
		for _, inode := range socketsOf(pid) {
			if listening[inode] {
				w.listeners[strings.ReplaceAll(w.seen[fmt.Sprintf("cmdline of process %d", pid)], "\x00", " ")] = true
			}
		}
	}
}

// end stops watching and fails the test for what it saw: a listener, and one of
// the secrets in arguments, in an environment, in the log, or in a file.
func (w *watch) end(secrets map[string]string) {
	w.t.Helper()
	close(w.stop)
	w.done.Wait()
	for of := range w.listeners {
		w.t.Errorf("a process listens on TCP: %.200s", of)
	}
	for where, content := range w.everything() {
		for name, text := range secrets {
			if strings.Contains(content, text) {
				w.t.Errorf("the %s stands in %s", name, where)
			}
		}
	}
}

// everything is what was seen of processes, and what the run left: its log and
// the files below its directories, and below those that a browser makes in the
// temporary directory that all share.
func (w *watch) everything() map[string]string {
	w.t.Helper()
	w.seen["the log"] = w.r.log.String()
	dirs := []string{w.r.d.cfg.StateDir, w.r.d.cfg.RuntimeDir}
	for _, pattern := range []string{"rotd-[0-9]*", "org.chromium*", ".org.chromium*", "chromedp*"} {
		found, err := filepath.Glob(filepath.Join(os.TempDir(), pattern))
		if err != nil {
			w.t.Fatal(err)
		}
		dirs = append(dirs, found...)
	}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				if b, err := os.ReadFile(path); err == nil {
					w.seen["the file "+path] = string(b)
				}
			}
			return nil // others come and go here
		})
		if err != nil {
			w.t.Errorf("look through %s: %v", dir, err)
		}
	}
	return w.seen
}

// descendants are the processes below this one.
func descendants() (pids []int) {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// pid (comm) state ppid …, and comm may hold anything
		after := b[bytes.LastIndexByte(b, ')')+1:]
		fields := strings.Fields(string(after))
		if len(fields) < 2 {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		ppid, _ := strconv.Atoi(fields[1])
		children[ppid] = append(children[ppid], pid)
	}
	for next := children[os.Getpid()]; len(next) > 0; {
		pid := next[0]
		pids, next = append(pids, pid), append(next[1:], children[pid]...)
	}
	return pids
}

func socketsOf(pid int) (inodes []string) {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && strings.HasPrefix(to, "socket:[") {
			inodes = append(inodes, strings.Trim(to[len("socket:"):], "[]"))
		}
	}
	return inodes
}

// listeningInodes are the sockets that listen on TCP.
func listeningInodes() map[string]bool {
	found := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, _ := os.ReadFile(table)
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 9 && f[3] == "0A" {
				found[f[9]] = true
			}
		}
	}
	return found
}

// TestTheWatchSees plants what the watch is to find.
func TestTheWatchSees(t *testing.T) {
	r := newRig(t)
	const planted = "planted-secret-EXAMPLE"
	if err := os.MkdirAll(r.d.cfg.RuntimeDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.d.cfg.RuntimeDir, "left"), []byte("x"+planted), 0o600); err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "60")
	child.Env = []string{"LEAK=" + planted}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	w := &watch{t: t, r: r, seen: map[string]string{}, listeners: map[string]bool{}}
	w.look()
	var where []string
	for at, content := range w.everything() {
		if strings.Contains(content, planted) {
			where = append(where, at)
		}
	}
	if len(where) != 2 {
		t.Errorf("the planted secret was found in %q, want the file and the environment", where)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	listening := listeningInodes()
	if !slices.ContainsFunc(socketsOf(os.Getpid()), func(inode string) bool { return listening[inode] }) {
		t.Error("a listener is not seen")
	}
}
