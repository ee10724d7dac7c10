package service

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An installation changes the mode and the owner of these directories: of those
// that are others' too, none.
func TestPlacesThatAreNotRotdsAlone(t *testing.T) {
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, sub := range []string{"empty", "sockets", "full"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ln, err := net.Listen("unix", filepath.Join(dir, "sockets", "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if err := os.WriteFile(filepath.Join(dir, "full", "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	in := func(sub string) string { return filepath.Join(dir, sub) }
	for _, c := range []struct {
		state, socket string
		want          string
	}{
		{"/var/lib/rotd", "/run/rotd/rotd.sock", ""},
		{in("absent"), in("absent2/s"), ""},
		{in("empty"), in("empty/s"), ""},
		{"/var/lib/rotd", in("sockets/s"), ""},
		{"/var/lib/rotd", "/run/rotd.sock", "the socket's directory, /run, is not"},
		{"/var/lib/rotd", in("full/s"), "the socket's directory, " + in("full")},
		{"/srv", "/run/rotd/rotd.sock", "the state directory, /srv, is not"},
		{"/etc", "/run/rotd/rotd.sock", "the state directory, /etc, is not"},
		{in("full"), "/run/rotd/rotd.sock", "the state directory, " + in("full")},
		{in("sockets"), "/run/rotd/rotd.sock", "the state directory, " + in("sockets")},
	} {
		s := systemSpec()
		s.StateDir, s.Socket = c.state, c.socket
		err := s.checkOwn()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s and %s: %v, want %q", c.state, c.socket, err, c.want)
		}
	}
}

func TestProgramsThatOthersCouldReplace(t *testing.T) {
	dir, err := os.MkdirTemp("", "t") // in a sticky directory, which is fine
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "rotd")
	if err := os.WriteFile(program, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir, program os.FileMode
		owner        int
		want         string
	}{
		{0o755, 0o755, 0, ""},
		{0o775, 0o775, 0, ""}, // of a group that root chose, as Debian's staff
		{0o700, 0o755, 0, "cannot be run by the user rotd"},
		{0o755, 0o700, 0, "cannot be run by the user rotd"},
		{0o757, 0o755, 0, "not safe from others"},
		{0o755, 0o757, 0, "not safe from others"},
		{0o755, 0o755, 1, "not safe from others"},
	} {
		if os.Getuid() != 0 { // whose programs are never root's
			c.want = "."
		} else if err := os.Chown(program, c.owner, 0); err != nil {
			t.Fatal(err)
		}
		for path, mode := range map[string]os.FileMode{dir: c.dir, program: c.program} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		err := checkProgram(program)
		if (err == nil) != (c.want == "") || err != nil && c.want != "." && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// What systemd-sysusers and systemd-tmpfiles make of unusual names. They want a
// root of their own, and that is root's to give.
func TestTheSystemsUserAndDirectories(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives directories away")
	}
	s := unusual(systemSpec())
	s.StateDir = strings.ReplaceAll(s.StateDir, ":", "") // it is a home, too
	s.Socket = `/run/a b/%h "q"/rotd.sock`
	files, err := s.Systemd(systemUnits)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		var args []string
		switch f.Path {
		case sysusersFile:
			args = []string{"systemd-sysusers", "--root=" + root}
		case tmpfilesFile:
			args = []string{"systemd-tmpfiles", "--create", "--root=" + root}
		default:
			continue
		}
		path := filepath.Join(t.TempDir(), "rotd.conf")
		if err := os.WriteFile(path, f.Content, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(tool(t, args[0]), append(args[1:], path)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s\n%s", args, err, out, f.Content)
		}
	}
	passwd, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	if err != nil || !strings.Contains(string(passwd), ":"+s.StateDir+":") {
		t.Errorf("%v: the user's home is not %s:\n%s", err, s.StateDir, passwd)
	}
	for path, want := range map[string]os.FileMode{s.StateDir: 0o700, filepath.Dir(s.Socket): 0o750} {
		fi, err := os.Stat(filepath.Join(root, path))
		if err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %04o", path, fi, err, want)
		}
	}
}
