package service

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tool is a program that .ci/tools.sh installs.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed: run .ci/tools.sh test", name)
	}
	return path
}

func userSpec() Spec {
	return Spec{Program: "/usr/bin/true", StateDir: "/home/ada/.local/state/rotd", Home: "/home/ada", Path: "/usr/bin:/bin", Flags: []string{"--log-level", "debug"}}
}

func systemSpec() Spec {
	return Spec{System: true, Program: "/usr/bin/true", StateDir: "/var/lib/rotd", Socket: "/run/rotd/rotd.sock",
		Flags: []string{"--key", "credential:rotd"}, Credentials: []string{"rotd"}}
}

// unusual is a spec whose every text has what systemd would read as its own.
func unusual(s Spec) Spec {
	const odd = `/a b/%h $HOME/"q" 'q' \n;#é`
	s.StateDir += odd + "/state"
	s.Socket = "/run/rotd/%n $x.sock"
	s.Flags = append(s.Flags, "--notify", odd, "", ";", "a\tb")
	s.Writable = []string{"/srv" + odd}
	if s.Path != "" {
		s.Path += ":/opt" + odd
	}
	return s
}

// units writes the units of a spec where systemd-analyze takes them, and returns
// the service's.
func units(t *testing.T, s Spec) string {
	t.Helper()
	dir := t.TempDir()
	files, err := s.Systemd(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if filepath.Dir(f.Path) == dir {
			if err := os.WriteFile(f.Path, f.Content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if filepath.Dir(files[0].Path) != dir || filepath.Base(files[0].Path) != unitName {
		t.Fatalf("the first file is %s", files[0].Path)
	}
	return files[0].Path
}

func TestUnitsAreWhatSystemdTakes(t *testing.T) {
	analyze := tool(t, "systemd-analyze")
	for name, s := range map[string]Spec{
		"user": userSpec(), "system": systemSpec(), "unusual user": unusual(userSpec()), "unusual system": unusual(systemSpec()),
	} {
		t.Run(name, func(t *testing.T) {
			unit := units(t, s)
			args := []string{"verify", "--man=no", unit, strings.TrimSuffix(unit, ".service") + ".socket"}
			if !s.System {
				args = append([]string{"--user"}, args...)
			}
			cmd := exec.Command(analyze, args...)
			cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir())
			out, err := cmd.CombinedOutput()
			if err != nil || len(bytes.TrimSpace(out)) > 0 { // what it does not know it only tells
				t.Errorf("systemd-analyze verify: %v\n%s", err, out)
			}
		})
	}
}

func TestTheSystemsServiceIsWalledIn(t *testing.T) {
	out, err := exec.Command(tool(t, "systemd-analyze"), "security", "--no-pager", "--offline=true", "--threshold=20", units(t, systemSpec())).CombinedOutput()
	if err != nil {
		t.Errorf("its exposure is more than 2.0: %v\n%s", err, out)
	}
}

// Each gap in the walls has a comment that says why.
func TestEachGapIsExplained(t *testing.T) {
	unit, err := os.ReadFile(units(t, systemSpec()))
	if err != nil {
		t.Fatal(err)
	}
	_, gaps, ok := strings.Cut(string(unit), "# The gaps")
	if !ok {
		t.Fatal("there is no paragraph on the gaps")
	}
	for _, setting := range []string{"RestrictAddressFamilies", "RestrictNamespaces", "SystemCallFilter", "MemoryDenyWriteExecute", "PrivateUsers", "ProcSubset"} {
		if !strings.Contains(gaps, setting) {
			t.Errorf("nothing is said of %s", setting)
		}
	}
}

func TestWhatAUnitCannotSay(t *testing.T) {
	for name, change := range map[string]func(*Spec){
		"a line break in the state directory": func(s *Spec) { s.StateDir = "/a\nExecStart=/b" },
		"a line break in the socket":          func(s *Spec) { s.Socket = "/run/x\n[Service]" },
		"a socket that ends with a backslash": func(s *Spec) { s.Socket = `/run/x\` },
		"a flag that is not text":             func(s *Spec) { s.Flags = []string{"\xff"} },
		"a quotation mark in the program":     func(s *Spec) { s.Program = `/a"b` },
		"a line break in PATH":                func(s *Spec) { s.Path = "/bin\n/x" },
		"a line break in a credential":        func(s *Spec) { s.Credentials = []string{"x\nExecStart=/b"} },
	} {
		s := userSpec()
		change(&s)
		if files, err := s.Systemd("/x"); err == nil {
			t.Errorf("%s: no error\n%s", name, files[0].Content)
		}
	}
}

func TestPropertyLists(t *testing.T) {
	plistutil := tool(t, "plistutil")
	s := userSpec()
	s.Program, s.Socket = "/Users/ada/<bin> & \"co\"/rotd", "/Users/ada/s"
	for _, s := range []Spec{s, {System: true, Program: "/usr/local/bin/rotd", StateDir: "/x", Socket: "/y"}} {
		f, err := s.Launchd()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "rotd.plist")
		if err := os.WriteFile(path, f.Content, 0o600); err != nil {
			t.Fatal(err)
		}
		// To macOS's own form and back: what is no property list gets lost.
		var out []byte
		for _, args := range [][]string{{"-f", "bin", "-i", path, "-o", path + ".bin"}, {"-f", "xml", "-i", path + ".bin"}} {
			if out, err = exec.Command(plistutil, args...).CombinedOutput(); err != nil {
				t.Fatalf("plistutil: %v\n%s\n%s", err, out, f.Content)
			}
		}
		read := strings.Join(strings.Fields(string(out)), " ")
		program, err := escapeXML(s.Program)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"<key>Label</key> <string>rotd</string>",
			"<key>ProgramArguments</key> <array> <string>" + strings.ReplaceAll(program, "&#34;", `"`) + "</string> <string>run</string>",
			"<key>KeepAlive</key> <dict> <key>SuccessfulExit</key> <false/> </dict>", "<key>Umask</key> <integer>63</integer>",
		} {
			if !strings.Contains(read, want) {
				t.Errorf("no %s in %s", want, read)
			}
		}
		if got := strings.Contains(string(out), `_rotd`); got != s.System {
			t.Errorf("its user is named: %v", got)
		}
		if got := installedState(path); got != s.StateDir {
			t.Errorf("the state is at %q, want %q", got, s.StateDir)
		}
	}
}

func TestTheStateOfAnInstalledUnit(t *testing.T) {
	s := unusual(userSpec())
	if got := installedState(units(t, s)); got != s.StateDir {
		t.Errorf("got %q, want %q", got, s.StateDir)
	}
}
