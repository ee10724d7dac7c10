package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is the program when it is told so.
func TestMain(m *testing.M) {
	if os.Getenv("BE_NPM_SANDBOX") != "" {
		main()
	}
	os.Exit(m.Run())
}

func TestReadyAndSignals(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, os.Args[0], "--listen", "127.0.0.1:0", "--user", "ada", "--password-file", "-", "--totp", "JBSWY3DPEHPK3PXP")
		cmd.Env = append(os.Environ(), "BE_NPM_SANDBOX=1")
		cmd.Stdin = strings.NewReader("pw-EXAMPLE\n")
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		var ready struct{ Site, Registry string }
		if err := json.Unmarshal([]byte(line), &ready); err != nil || ready.Site != ready.Registry ||
			!strings.HasPrefix(line, `{"site":"http://localhost:`) {
			t.Fatalf("%v: %s", err, line)
		}
		for _, address := range []string{ready.Site, strings.Replace(ready.Site, "localhost", "127.0.0.1", 1)} {
			resp, err := http.Get(address + "/-/sandbox/tokens")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("%s: %d", address, resp.StatusCode)
			}
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatalf("after %v: %v", signal, err)
		}
	}
}

func TestUsage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good := []string{"--user", "ada", "--password", "pw-EXAMPLE"}
	for _, c := range []struct {
		args []string
		exit int
		says string
	}{
		{[]string{"--help"}, 0, "Examples:"},
		{nil, 2, "--user is missing"},
		{[]string{"--user", "ada"}, 2, "--password or --password-file is missing"},
		{[]string{"--user", "ada", "--password-file", file}, 2, "--password or --password-file is missing"},
		{[]string{"--user", "ada", "--password-file", file + "x"}, 2, "read the password"},
		{append(good, "--password-file", file), 2, "not both"},
		{append(good, "--totp", "JBSWY3DPEHPK3PXP", "--no-factor"), 2, "give one of"},
		{append(good, "--totp", "JBSWY3DPEHPK3PXP", "--security-key"), 2, "give one of"},
		{append(good, "--totp", "!"), 1, "not base32"},
		{append(good, "now"), 2, "unexpected argument"},
		{append(good, "--nonsense"), 2, "unknown flag"},
		{append(good, "--listen", "0.0.0.0:0"), 1, "loopback only"},
		{append(good, "--listen", "127.0.0.1:99999"), 1, "listen on"},
		{append(good, "--state", filepath.Join(file, "x")), 1, "state"},
	} {
		var out bytes.Buffer
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // should it start after all, it ends at once
		if got := run(ctx, c.args, strings.NewReader(""), &out, &out); got != c.exit || !strings.Contains(out.String(), c.says) {
			t.Errorf("%q: exit %d, %s", c.args, got, out.String())
		}
	}
}
