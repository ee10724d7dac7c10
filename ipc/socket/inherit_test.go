package socket

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// handedOver is a listening socket at path, as a service manager hands it over.
func handedOver(t *testing.T, path string) *os.File {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	f, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAnInheritedSocket(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	ln, err := Inherit(handedOver(t, path), path, NoGroup)
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if peer, ok := PeerOf(c); !ok || peer.UID != uint32(os.Getuid()) || peer.PID != int32(os.Getpid()) {
		t.Errorf("PeerOf = %+v, %v", peer, ok)
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("it removed what is not its own: %v", err)
	}
}

func TestAnotherSocketIsNotInherited(t *testing.T) {
	dir := socketDir(t)
	path := filepath.Join(dir, "s")
	inet, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inet.Close()
	tcp, err := inet.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	gram, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "g"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer gram.Close()
	datagrams, err := gram.File()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		f    *os.File
		path string
	}{
		"at another path": {handedOver(t, path), filepath.Join(dir, "other")},
		"of the internet": {tcp, path},
		"of datagrams":    {datagrams, filepath.Join(dir, "g")},
		"no socket":       {file, path},
	} {
		if ln, err := Inherit(c.f, c.path, NoGroup); err == nil {
			_ = ln.Close()
			t.Errorf("%s: it was taken", name)
		}
	}
}

// A group gets at the socket by way of its directory, and at nothing else that
// may be there.
func TestAnInheritedSocketOfAGroup(t *testing.T) {
	for name, c := range map[string]struct {
		beside string
		want   os.FileMode
	}{
		"alone":                {"", 0o750},
		"beside other things":  {"letter", 0o700},
		"others may change it": {"", 0},
	} {
		dir := socketDir(t)
		path := filepath.Join(dir, "s")
		if c.beside != "" {
			if err := os.WriteFile(filepath.Join(dir, c.beside), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if c.want == 0 {
			if err := os.Chmod(dir, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		ln, err := Inherit(handedOver(t, path), path, os.Getgid())
		if c.want == 0 {
			if err == nil {
				_ = ln.Close()
				t.Errorf("%s: it was taken", name)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		for path, want := range map[string]os.FileMode{dir: c.want, path: 0o660} {
			if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != want {
				t.Errorf("%s: %v, %v, want mode %04o", name, fi.Mode(), err, want)
			}
		}
	}
}
