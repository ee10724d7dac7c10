package deliver

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rotd/ipc/secret"
)

const token = "npm_d2cJrUZk0aVnYb7WqLxTfGhE3sPo1mEXAMPLE"

func sh(script string) Job {
	return Job{Command: []string{"sh", "-c", script}, Stdin: secret.New(token), Dir: os.TempDir()}
}

func TestTheValueIsOnStdinAndNowhereElse(t *testing.T) {
	t.Setenv("NPM_TOKEN", "npm_ofTheDaemonEXAMPLE")
	t.Setenv("LC_TIME", "C")
	dir := t.TempDir()
	job := sh(`cat > stdin; tr '\0' '\n' < /proc/self/environ > env; tr '\0' '\n' < /proc/$$/cmdline > argv; pwd`)
	job.Dir, job.Env = dir, []string{"ROT_REF=rot://rot_x"}
	out, err := Run(t.Context(), job)
	if err != nil || strings.TrimSpace(out) != dir {
		t.Fatalf("%q, %v", out, err)
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := read("stdin"); got != token {
		t.Errorf("stdin is %q", got)
	}
	env := read("env")
	for _, want := range []string{"ROT_REF=rot://rot_x", "PATH=" + os.Getenv("PATH"), "LC_TIME=C"} {
		if !slices.Contains(strings.Split(env, "\n"), want) {
			t.Errorf("the environment lacks %s", want)
		}
	}
	if strings.Contains(env+read("argv"), "EXAMPLE") {
		t.Error("a secret is in the environment or the command line")
	}
}

func TestHowACommandEnds(t *testing.T) {
	notExecutable := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(notExecutable, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		job         Job
		output, err string
	}{
		"well":                    {sh("echo out; echo err >&2"), "out\nerr\n", ""},
		"without reading":         {sh("exec 0<&-; exit 0"), "", ""},
		"badly":                   {sh("echo no; exit 3"), "no\n", "exit status 3"},
		"by a signal":             {sh("kill -TERM $$"), "", "signal: terminated"},
		"a program that is not":   {Job{Command: []string{"rotd-no-such-program"}}, "", "there is no program rotd-no-such-program in rotd's PATH"},
		"a path that is not":      {Job{Command: []string{"/nonexistent/x"}}, "", "there is no program /nonexistent/x"},
		"one that may not be run": {Job{Command: []string{notExecutable}}, "", "may not be run"},
		"a child that stays":      {sh("sleep 60 & echo begun"), "begun\n", ""},
		"with the value in words": {sh("cat; exit 1"), "[redacted]", "exit status 1"},
	} {
		out, err := Run(t.Context(), c.job)
		if out != c.output || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %q, %v; want %q, %q", name, out, err, c.output, c.err)
		}
	}
}

func TestATimeLimitEndsTheWholeGroup(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	job := sh(`sleep 100 & echo $! > ` + pids + `; echo $$ >> ` + pids + `; printf before; wait`)
	job.Limit = 300 * time.Millisecond
	begun := time.Now()
	out, err := Run(t.Context(), job)
	if err == nil || err.Error() != "it was stopped after 300ms" || out != "before" {
		t.Errorf("%q, %v", out, err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	b, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(string(b)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); alive(pid); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d is alive", pid)
			}
		}
	}
}

// alive tells a running process from one that is gone or waits to be reaped.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

func TestTheEndOfTheContextEndsTheCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := Run(ctx, sh("sleep 100")); err == nil || ctx.Err() == nil {
		t.Errorf("%v", err)
	}
}

func TestWhatACommandPrintsHasNoSecrets(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	for name, script := range map[string]string{
		"plain":                "cat",
		"in two writes":        `v=$(cat); printf %s "$v" | head -c 20; sleep 0.05; printf %s "$v" | tail -c +21`,
		"over both streams":    `v=$(cat); printf %s "$v" | head -c 20; printf %s "$v" | tail -c +21 >&2`,
		"folded":               "fold -w 7",
		"twice":                `v=$(cat); echo "$v$v"`,
		"base64":               "base64",
		"base64 with a prefix": `{ printf :; cat; } | base64 -w 0`,
		"base64 of a pair":     `{ printf x:; cat; printf :y; } | base64 -w 10`,
		"base64url":            `base64 | tr +/ -_`,
		"hex":                  "od -An -v -tx1",
		"upper hex":            `od -An -v -tx1 | tr a-f A-F`,
		"after a lot":          `v=$(cat); head -c 100000 /dev/zero | tr '\0' x; echo "$v"`,
		"cut in the middle":    `v=$(cat); printf %s "$v"; head -c 65520 /dev/zero | tr '\0' x`,
		"another":              "echo correct-horse-EXAMPLE",
		"one with spaces":      "echo 'a battery EXAMPLE'",
	} {
		job := sh(script)
		job.Secrets = []secret.Text{secret.New("correct-horse-EXAMPLE"), secret.New("a battery EXAMPLE"), secret.New("e"), {}}
		out, err := Run(t.Context(), job)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(out, redacted) {
			t.Errorf("%s: nothing is redacted: %.200q", name, out)
		}
		bare := strings.ToLower(strings.Join(strings.Fields(out), ""))
		for _, s := range []string{token[5:15], token[25:35], "horse", "battery", "example", b64([]byte(token))[8:20], b64([]byte("x:" + token))[8:20], b64([]byte(":" + token))[8:20], "6e706d5f"} {
			if strings.Contains(bare, strings.ToLower(s)) {
				t.Errorf("%s: %q is in %.200q", name, s, out)
			}
		}
	}
}

func TestOutputStaysAsItIs(t *testing.T) {
	for _, text := range []string{"", "plain\n", " spaced  out \r\n\t", "npm_d2cJ", "\xff\xfe"} {
		if got := redact([]byte(text), false, []secret.Text{secret.New(token)}); got != strings.ToValidUTF8(text, "\ufffd") {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := redact([]byte("a "+token+" b\n"), false, []secret.Text{secret.New(token)}); got != "a [redacted] b\n" {
		t.Errorf("got %q", got)
	}
}
