package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rotd/daemon/service/systemdtest"
)

func TestVersionsOfPackages(t *testing.T) {
	for described, want := range map[string]string{
		"v1.2.0":                  "1.2.0",
		"v1.2.0-3-g0a1b2c3":       "1.2.0+3.g0a1b2c3",
		"v1.2.0-3-g0a1b2c3-dirty": "1.2.0+3.g0a1b2c3+dirty",
		"0a1b2c3":                 "0.0.0+0a1b2c3",
		"0a1b2c3-dirty":           "0.0.0+0a1b2c3.dirty",
	} {
		if got := packageVersion(described); got != want {
			t.Errorf("%s becomes %s, want %s", described, got, want)
		}
	}
}

// makePackages runs make package into a directory of the test's own.
func makePackages(t *testing.T) (dir, deb, rpm string) {
	t.Helper()
	dir = t.TempDir()
	run(t, "make", "-C", "../..", "package", "DIST="+dir)
	one := func(pattern string) string {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		return found[0]
	}
	return dir, one("*.deb"), one("*.rpm")
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is not installed: run .ci/tools.sh test", name)
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func TestPackages(t *testing.T) {
	dir, deb, rpm := makePackages(t)
	t.Run("the same again", func(t *testing.T) {
		_, deb2, rpm2 := makePackages(t)
		for a, b := range map[string]string{deb: deb2, rpm: rpm2} {
			if filepath.Base(a) != filepath.Base(b) || !bytes.Equal(read(t, a), read(t, b)) {
				t.Errorf("%s is another one when it is made again", filepath.Base(a))
			}
		}
	})
	t.Run("what is in them", func(t *testing.T) {
		both := []string{"/usr/bin/rot", "/usr/bin/rotd",
			"/usr/lib/systemd/system/rotd.service", "/usr/lib/systemd/system/rotd.socket", "/usr/lib/systemd/system/rotd-credential.socket",
			"/usr/lib/sysusers.d/rotd.conf", "/usr/lib/tmpfiles.d/rotd.conf",
			"/usr/share/bash-completion/completions/rot", "/usr/share/fish/vendor_completions.d/rot.fish",
			"/usr/share/doc/rotd/CHANGELOG.md", "/usr/share/doc/rotd/README.md",
			"/usr/share/man/man1/rot.1.gz", "/usr/share/man/man8/rotd.8.gz"}
		want := append(slices.Clone(both), "/usr/share/doc/rotd/copyright", "/usr/share/zsh/vendor-completions/_rot")
		var got []string
		for line := range strings.Lines(run(t, "dpkg-deb", "--contents", deb)) {
			f := strings.Fields(line)
			if f[1] != "root/root" {
				t.Errorf("not root's: %s", line)
			}
			if !strings.HasSuffix(f[5], "/") {
				got = append(got, strings.TrimPrefix(f[5], "."))
			}
		}
		same(t, "deb", got, want)
		want = append(slices.Clone(both), "/etc/rotd", "/usr/share/licenses/rotd/LICENSE", "/usr/share/zsh/site-functions/_rot") // it lists directories too
		same(t, "rpm", strings.Fields(run(t, "rpm", "-qlp", rpm)), want)
		run(t, "rpm", "--checksig", "--nosignature", rpm)
	})
	t.Run("the manuals", func(t *testing.T) {
		for _, name := range []string{"man1/rot.1", "man8/rotd.8"} {
			z, err := gzip.NewReader(bytes.NewReader(read(t, filepath.Join(dir, "root/usr/share/man", name+".gz"))))
			if err != nil {
				t.Fatal(err)
			}
			page, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			plain := filepath.Join(t.TempDir(), filepath.Base(name))
			if err := os.WriteFile(plain, page, 0o644); err != nil {
				t.Fatal(err)
			}
			run(t, "mandoc", "-T", "lint", "-W", "warning", plain) // prints and fails at what is wrong
			for _, section := range []string{".SH NAME", ".SH SYNOPSIS", ".SH COMMANDS", ".SH SEE ALSO"} {
				if !bytes.Contains(page, []byte(section+"\n")) {
					t.Errorf("%s has no %s", name, section)
				}
			}
			if bytes.Count(page, []byte("\n.SS ")) < 8 {
				t.Errorf("%s lacks commands", name)
			}
		}
	})
	t.Run("installed, used and purged", func(t *testing.T) { useDeb(t, dir, filepath.Base(deb)) })
}

// useDeb takes the package through its life, on a machine of its own.
func useDeb(t *testing.T, dir, deb string) {
	m := systemdtest.Boot(t, dir)
	m.Run("dpkg", "-i", "/mnt/"+deb)
	if out, _ := m.Try("systemctl", "is-active", "rotd.service", "rotd.socket"); strings.Contains(out, "\nactive") || strings.HasPrefix(out, "active") {
		t.Errorf("the installation started something: %s", out)
	}
	m.Run("systemctl", "enable", "--now", "rotd.socket", "rotd-credential.socket")

	// The first question starts the daemon.
	used := func() {
		t.Helper()
		out, err := m.Try("rot", "get", "no-such-name")
		if err == nil || !strings.Contains(out, "no such reference") {
			t.Errorf("rot get: %v\n%s", err, out)
		}
		out = m.Run("rot", "version")
		f := strings.Fields(out)
		if len(f) != 4 || f[1] != f[3] {
			t.Errorf("the versions differ: %s", out)
		}
		if out := m.Run("stat", "-c", "%U %a", "/var/lib/rotd", "/var/lib/rotd/master.key"); out != "rotd 700\nrotd 600" {
			t.Errorf("its state: %s", out)
		}
	}
	used()
	pid := m.Property("rotd.service", "MainPID")
	m.Run("dpkg", "-i", "/mnt/"+deb) // an upgrade, and that it can be done again
	used()
	if again := m.Property("rotd.service", "MainPID"); again == pid || again == "0" {
		t.Errorf("after an upgrade the process is %s, and was %s", again, pid)
	}

	// A rotd that does not start is no reason for dpkg to stop half way.
	m.Sh("echo log-level = loud >/etc/rotd/rotd.conf")
	m.Run("dpkg", "-i", "/mnt/"+deb)
	if out := m.Run("dpkg-query", "-W", "-f", "${Status}", "rotd"); out != "install ok installed" {
		t.Errorf("the package is %s", out)
	}

	m.Run("dpkg", "-r", "rotd")
	m.Sh("! systemctl is-active -q rotd.service && ! systemctl is-active -q rotd.socket && ! [ -e /usr/bin/rotd ] && [ -e /var/lib/rotd/rotd.db ]")
	m.Run("dpkg", "--purge", "rotd")
	m.Sh("! [ -e /var/lib/rotd ] && ! [ -e /run/rotd ] && ! [ -e /etc/rotd ] && ! dpkg -s rotd 2>/dev/null")
	if out := m.Run("systemctl", "list-units", "--failed", "--plain", "--no-legend", "rotd*"); out != "" {
		t.Errorf("left over: %s", out)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the %s has\n%s\nand should have\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
