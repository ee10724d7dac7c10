package browser

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// A profile in a deep directory has its socket in /tmp, which goes too.
func TestDeepDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep/", 20))
	b, err := Start(t.Context(), Config{NoSandbox: asRoot, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(b.profile.tmp); err != nil || strings.HasPrefix(b.profile.tmp, dir) {
		t.Errorf("%s: %v", b.profile.tmp, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(b.profile.tmp); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", b.profile.tmp, err)
	}
}

// The test binary is started again as a process that owns a browser, to be
// killed.
const ownerDir = "ROTD_TEST_BROWSER_OWNER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerDir); dir != "" {
		b, err := Start(context.Background(), Config{NoSandbox: asRoot, Dir: dir})
		fmt.Println("ready", err)
		_, _ = bufio.NewReader(os.Stdin).ReadByte() // never comes
		runtime.KeepAlive(b)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// processes lists those with text in their command line, zombies left out.
func processes(t *testing.T, text string) []int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(all) == 0 {
		t.Fatal("these tests need /proc", err)
	}
	var found []int
	for _, path := range all {
		line, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(line), text) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			found = append(found, pid)
		}
	}
	return found
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func entries(t *testing.T, dir string) int {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return len(all)
}

func TestCloseLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // what goes to the system's place is seen
	dir, err := os.MkdirTemp("/tmp", "t")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	b, err := Start(t.Context(), Config{NoSandbox: asRoot, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(b.profile.dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("profile %v, %v", st, err)
	}
	if len(processes(t, b.profile.dir)) < 2 {
		t.Error("the browser's processes are not found by its profile")
	}
	began := time.Now()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("Close took %s", d)
	}
	until(t, "no process of the browser", func() bool { return len(processes(t, b.profile.dir)) == 0 })
	if n := entries(t, dir) + entries(t, os.TempDir()); n != 0 {
		t.Errorf("%d files are left", n)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := b.Page().Title(t.Context()); !errors.Is(err, ErrFailed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestOwnerKilled(t *testing.T) {
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), ownerDir+"="+dir)
	stdin, err := owner.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready <nil>\n" {
		t.Error(line)
	}
	if err := Sweep(dir); err != nil || entries(t, dir) != 1 {
		t.Errorf("a living run was swept: %v", err)
	}
	if len(processes(t, "--user-data-dir="+dir)) == 0 {
		t.Error("no browser")
	}
	_ = owner.Process.Kill()
	_ = owner.Wait()
	until(t, "no orphan", func() bool { return len(processes(t, "--user-data-dir="+dir)) == 0 })
	if entries(t, dir) != 1 {
		t.Error("expected the dead run's profile")
	}
	if err := Sweep(dir); err != nil || entries(t, dir) != 0 {
		t.Errorf("sweep: %v, %d left", err, entries(t, dir))
	}
}

// No user of the machine can reach the browser, or learn anything from it.
func TestNothingLeaks(t *testing.T) {
	t.Setenv("ROTD_TEST_SECRET", "s3cretEXAMPLE")
	t.Setenv("NODE_AUTH_TOKEN", "s3cretEXAMPLE")
	_, b := start(t)
	pids := processes(t, b.profile.dir)
	sockets := make(map[string]bool)
	for _, pid := range pids {
		for _, file := range []string{"environ", "cmdline"} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
			if err == nil && strings.Contains(string(text), "s3cret") {
				t.Errorf("a secret in the %s of %d", file, pid)
			}
		}
		fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:[") {
				sockets[strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")] = true
			}
		}
	}
	if len(sockets) == 0 {
		t.Fatal("no sockets seen: the test looks in the wrong place")
	}
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile("/proc/net/" + table)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 9 && f[3] == "0A" && sockets[f[9]] {
				t.Errorf("the browser listens: %s", line)
			}
		}
	}
}

func TestBrowserKilledInTheMiddle(t *testing.T) {
	ctx, b := start(t)
	p := b.Page()
	go func() {
		time.Sleep(200 * time.Millisecond)
		_ = chromedp.FromContext(b.ctx).Browser.Process().Kill()
	}()
	began := time.Now()
	err := p.WaitFor(ctx, func(ctx context.Context) (bool, error) {
		_, err := p.Title(ctx)
		return false, err
	})
	if !errors.Is(err, ErrFailed) || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	if _, err := b.Cookies(ctx); !errors.Is(err, ErrFailed) {
		t.Errorf("cookies: %v", err)
	}
}

func TestTabCrashes(t *testing.T) {
	ctx, b := start(t)
	go func() { _, _ = cdp.Call(ctx, b.page.target, page.Crash, cdp.Empty{}) }()
	<-b.page.alive.Done()
	if _, err := b.Page().Title(ctx); !errors.Is(err, ErrFailed) {
		t.Error(err)
	}
	if _, err := b.Cookies(ctx); err != nil {
		t.Errorf("the session is lost with the tab: %v", err)
	}
}

func TestContextEndsTheBrowser(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	b, err := Start(ctx, Config{NoSandbox: asRoot, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	until(t, "no process of the browser", func() bool { return len(processes(t, b.profile.dir)) == 0 })
	if _, err := b.Page().Title(t.Context()); !errors.Is(err, ErrFailed) {
		t.Error(err)
	}
	if err := b.Close(); err != nil || entries(t, dir) != 0 {
		t.Errorf("%v, %d left", err, entries(t, dir))
	}
}

func TestCancelledCallIsPrompt(t *testing.T) {
	ctx, b := start(t)
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	err := b.Page().Click(short, Control{Role: "button", Name: "None"})
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrFailed) || time.Since(began) > 2*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

func TestStartFailures(t *testing.T) {
	dir := t.TempDir()
	script := func(text string) string {
		path := filepath.Join(t.TempDir(), "browser")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct {
		c    Config
		kind error
		says string
	}{
		"not there":  {Config{Exec: "/nowhere/chromium", NoSandbox: asRoot}, ErrNotFound, "/nowhere/chromium"},
		"no PATH":    {Config{Exec: "chromium", NoSandbox: asRoot, Env: []string{"PATH=/nowhere"}}, ErrNotFound, "chromium"},
		"ends":       {Config{Exec: script("echo no display here >&2; exit 7"), NoSandbox: asRoot}, ErrFailed, "no display here"},
		"no program": {Config{Exec: script("exec /nowhere/at/all"), NoSandbox: asRoot}, ErrFailed, "did not start"},
	} {
		t.Run(name, func(t *testing.T) {
			test.c.Dir = dir
			began := time.Now()
			_, err := Start(t.Context(), test.c)
			var e *Error
			if !errors.Is(err, test.kind) || !errors.As(err, &e) || e.Hint == "" || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v", err)
			}
			if d := time.Since(began); d > 5*time.Second {
				t.Errorf("took %s", d)
			}
			if n := entries(t, dir); n != 0 {
				t.Errorf("%d profiles are left", n)
			}
		})
	}
	t.Run("mute", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := Start(ctx, Config{Exec: script("exec sleep 60"), NoSandbox: asRoot, Dir: dir}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if n := entries(t, dir); n != 0 {
			t.Errorf("%d profiles are left", n)
		}
	})
	t.Run("root", func(t *testing.T) {
		if os.Geteuid() != 0 || runtime.GOOS != "linux" {
			return // the rule is for root alone
		}
		_, err := Start(t.Context(), Config{Dir: dir})
		var e *Error
		if !errors.Is(err, ErrRootSandbox) || !errors.As(err, &e) || !strings.Contains(e.Hint, "--browser-no-sandbox") {
			t.Error(err)
		}
	})
}
