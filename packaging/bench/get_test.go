package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rotd/ipc"
)

// BenchmarkGet is rot get beside what people ask for their secrets today, and
// beside what there is no getting below. The daemon is warm.
func BenchmarkGet(b *testing.B) {
	w := newWorldAt(b, "info", "--totp", totpSeed)
	w.connect(byTOTP())
	ref := w.newROT("ci")
	path := ipc.Path(ipc.PathToken, ref)
	var tok ipc.Token
	if err := w.client.Get(b.Context(), path, &tok); err != nil {
		b.Fatal(err)
	}
	value := tok.Value.Reveal()
	socket := w.client.Socket
	c := filepath.Join(w.dir, "get")
	run(b, w.dir, "", tool(b, "gcc"), "-O2", "-static", "-o", c, testdata(b, "get.c"))
	curl := []string{tool(b, "curl"), "--silent", "--unix-socket", socket, "http://rotd" + path}
	runners := []runner{
		{name: "rot", argv: []string{built(b, "rot"), "get", "ci"}},
		gitCache(b, w.dir, value),
		{name: "go-floor", argv: []string{floor(b, w.dir)}},
		{name: "c", argv: []string{c, socket, path}},
		{name: "curl", argv: curl, every: 5},
		secretTool(b, w.dir, value),
		passwordStore(b, w.dir, value),
		{name: "node", argv: []string{tool(b, "node"), "-e", "0"}, every: 20},
	}
	for _, r := range runners {
		in := ""
		if r.stdin != "" {
			text, err := os.ReadFile(r.stdin)
			if err != nil {
				b.Fatal(err)
			}
			in = string(text)
		}
		got := run(b, w.dir, in, r.argv[0], r.argv[1:]...)
		if r.name != "go-floor" && r.name != "node" && !strings.Contains(got, value) {
			b.Fatalf("%s answers %d bytes, and no token", r.name, len(got))
		}
	}
	race(b, w.dir, runners)
}

// BenchmarkRotMemory is how large rot is, as a file and at its peak.
func BenchmarkRotMemory(b *testing.B) {
	w := newWorldAt(b, "info", "--totp", totpSeed)
	w.connect(byTOTP())
	w.newROT("ci")
	rot := built(b, "rot")
	fi, err := os.Stat(rot)
	if err != nil {
		b.Fatal(err)
	}
	peak := 0
	for b.Loop() {
		// By a small parent: what a process takes counts from before its exec.
		out := filepath.Join(w.dir, "peak")
		run(b, w.dir, "", tool(b, "time"), "--format=%M", "--output="+out, rot, "get", "ci")
		text, err := os.ReadFile(out)
		if err != nil {
			b.Fatal(err)
		}
		kB, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			b.Fatal(err)
		}
		peak = max(peak, kB)
	}
	b.ReportMetric(float64(fi.Size())/1e6, "file-MB")
	b.ReportMetric(float64(peak)/1e3, "peak-RSS-MB")
}

func testdata(b *testing.B, name string) string {
	b.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		b.Fatal(err)
	}
	return path
}

// floor builds a program of Go's that prints a line, as rot is built.
func floor(b *testing.B, dir string) string {
	b.Helper()
	path := filepath.Join(dir, "floor")
	cmd := "cd " + testdata(b, "floor") + " && CGO_ENABLED=0 GOFLAGS=-mod=mod GO111MODULE=off GOCACHE=" + goEnv(b, "GOCACHE") + " go build -trimpath -ldflags '-s -w' -o " + path + " main.go"
	run(b, dir, "", tool(b, "sh"), "-c", cmd)
	return path
}

func goEnv(b *testing.B, name string) string {
	return strings.TrimSpace(run(b, shortDir(b), "", tool(b, "sh"), "-c", "HOME="+os.Getenv("HOME")+" go env "+name))
}

// gitCache is git's own cache of passwords: a daemon behind a socket, too.
func gitCache(b *testing.B, dir, value string) runner {
	b.Helper()
	git := tool(b, "git")
	private := filepath.Join(dir, "git")
	query := filepath.Join(dir, "query")
	const of = "protocol=https\nhost=localhost\nusername=ada\n"
	if err := os.Mkdir(private, 0o700); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(query, []byte(of+"\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	socket := "--socket=" + filepath.Join(private, "s")
	run(b, dir, of+"password="+value+"\n\n", git, "credential-cache", socket, "store")
	b.Cleanup(func() { run(b, dir, "", git, "credential-cache", socket, "exit") })
	return runner{name: "git-credential-cache", argv: []string{git, "credential-cache", socket, "get"}, stdin: query}
}

// busConfig is a session bus that starts nothing by itself.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=%</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
`

// secretTool asks gnome-keyring, on a bus of its own.
func secretTool(b *testing.B, dir, value string) runner {
	b.Helper()
	config, bus := filepath.Join(dir, "bus.conf"), filepath.Join(dir, "bus")
	if err := os.WriteFile(config, []byte(strings.ReplaceAll(busConfig, "%", bus)), 0o600); err != nil {
		b.Fatal(err)
	}
	startIn(b, dir, tool(b, "dbus-daemon"), "--nofork", "--config-file="+config)
	env := []string{tool(b, "env"), "DBUS_SESSION_BUS_ADDRESS=unix:path=" + bus}
	startIn(b, dir, env[0], env[1], "sh", "-c", "printf pw | exec gnome-keyring-daemon --foreground --unlock --components=secrets")
	store := append(env[1:], tool(b, "secret-tool"), "store", "--label=bench", "service", "bench")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if try(dir, value, env[0], store...) == nil {
			break
		}
		if time.Now().After(end) {
			b.Fatal("gnome-keyring does not get ready")
		}
	}
	return runner{name: "secret-tool", argv: append(env, tool(b, "secret-tool"), "lookup", "service", "bench"), every: 5}
}

// passwordStore is pass, with a key that has no passphrase.
func passwordStore(b *testing.B, dir, value string) runner {
	b.Helper()
	gpg := tool(b, "gpg")
	run(b, dir, "", gpg, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", "--quick-generate-key", "bench", "future-default", "default", "never")
	b.Cleanup(func() { run(b, dir, "", tool(b, "gpgconf"), "--kill", "all") })
	pass := tool(b, "pass")
	run(b, dir, "", pass, "init", "bench")
	run(b, dir, value+"\n", pass, "insert", "--echo", "ci")
	return runner{name: "pass", argv: []string{pass, "show", "ci"}, every: 10}
}
