//go:build linux && (amd64 || arm64)

package early

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"rotd/ipc"
)

// begin makes the stack that the kernel would have left.
func begin(t testing.TB, argv, environ []string) {
	t.Helper()
	words := []uintptr{uintptr(len(argv))}
	var pin runtime.Pinner
	t.Cleanup(pin.Unpin)
	for _, texts := range [][]string{argv, environ} {
		for _, s := range texts {
			b := append([]byte(s), 0)
			pin.Pin(&b[0])
			words = append(words, uintptr(unsafe.Pointer(&b[0])))
		}
		words = append(words, 0)
	}
	stack = &words[0]
}

func TestAsked(t *testing.T) {
	for _, c := range []struct {
		argv        string
		ref, prefix string
	}{
		{"rot get ci", "ci", ""},
		{"/usr/bin/rot get ci", "ci", ""},
		{"./rot get rot://rot_a2c4q7", "rot_a2c4q7", ""},
		{"rot get dotenvx://rot_a2c4q7", "rot_a2c4q7", ""},
		{"rot get Web-2_~x", "Web-2_~x", ""},
		{"/home/ada/.local/bin/rot-helper-ci", "ci", "Bearer "},
		{"rot-helper-ci get", "", ""},
		{"rot-helper-", "", ""},
		{"rot-helper-ci get ci", "", ""},
		{"rot", "", ""},
		{"rot get", "", ""},
		{"rot get ci --json", "", ""},
		{"rot --json get ci", "", ""},
		{"rot get --help", "", ""},
		{"rot get -h", "", ""},
		{"rot get rot://", "", ""},
		{"rot get rot://-h", "", ""},
		{"rot get rot://dotenvx://ci", "", ""},
		{"rot get dotenvx://rot://ci", "", ""},
		{"rot get a.b", "", ""},
		{"rot get ..", "", ""},
		{"rot get a/b", "", ""},
		{"rot get a?b", "", ""},
		{"rot get é", "", ""},
		{"rot revoke ci", "", ""},
		{"carrot get ci", "", ""},
		{"rot/ get ci", "", ""},
	} {
		begin(t, strings.Fields(c.argv), nil)
		if ref, prefix := asked(); ref != c.ref || prefix != c.prefix {
			t.Errorf("%s: %q, %q; want %q, %q", c.argv, ref, prefix, c.ref, c.prefix)
		}
	}
	begin(t, nil, nil)
	if ref, _ := asked(); ref != "" {
		t.Errorf("no arguments, not even the program: %q", ref)
	}
	begin(t, []string{"rot", "get", ""}, nil)
	if ref, _ := asked(); ref != "" {
		t.Errorf("an empty reference: %q", ref)
	}
}

// TestPath holds the path to where it is from.
func TestPath(t *testing.T) {
	if want := ipc.Path(ipc.PathToken, "Web-2_~x"); pathBefore+"Web-2_~x"+pathAfter != want {
		t.Errorf("the path is %s, and here %s…%s", want, pathBefore, pathAfter)
	}
}

func TestVariable(t *testing.T) {
	begin(t, []string{"rot", "A=argument"}, []string{"A=1=0", "AB=2", "B", "A=3", "=x", ""})
	for name, want := range map[string]string{"A": "1=0", "AB": "2", "B": "", "C": ""} {
		if got := variable(name); got != want {
			t.Errorf("%s=%q, want %q", name, got, want)
		}
	}
	begin(t, []string{"rot"}, nil)
	if got := variable("A"); got != "" {
		t.Errorf("A=%q in an empty environment", got)
	}
}

// TestChooseSocket holds the choice to that of the program: the same, or none.
func TestChooseSocket(t *testing.T) {
	with, without := t.TempDir(), t.TempDir()
	for _, dir := range []string{with, with + "/link"} {
		if err := os.MkdirAll(filepath.Join(dir, "rotd"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(with, "rotd", "rotd.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/nowhere", filepath.Join(with, "link", "rotd", "rotd.sock")); err != nil {
		t.Fatal(err)
	}
	long := "/" + strings.Repeat("x", 200)
	for _, c := range []struct {
		name    string
		environ []string
		none    bool
	}{
		{"named", []string{"ROTD_SOCKET=/tmp/s", "XDG_RUNTIME_DIR=" + with}, false},
		{"named relatively", []string{"ROTD_SOCKET=s"}, false},
		{"named by nothing", []string{"ROTD_SOCKET=", "XDG_RUNTIME_DIR=" + with}, false},
		{"a name that is too long", []string{"ROTD_SOCKET=" + long}, true},
		{"a name just short enough", []string{"ROTD_SOCKET=" + long[:107]}, false},
		{"the user's", []string{"XDG_RUNTIME_DIR=" + with}, false},
		{"the user's, a link to nothing", []string{"XDG_RUNTIME_DIR=" + with + "/link"}, false},
		{"a relative runtime directory", []string{"XDG_RUNTIME_DIR=run"}, true},
		{"a runtime directory that is too long", []string{"XDG_RUNTIME_DIR=" + long}, true},
		{"a runtime directory with a way up", []string{"XDG_RUNTIME_DIR=" + with + "/link/.."}, true},
		{"no file", []string{"ROTD_SOCKET=@s"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin(t, []string{"rot", "get", "ci"}, c.environ)
			getenv := func(name string) string {
				for _, entry := range c.environ {
					if value, ok := strings.CutPrefix(entry, name+"="); ok {
						return value
					}
				}
				return ""
			}
			want := ipc.FindSocket(getenv, "linux", os.Getuid())
			switch ok := chooseSocket(); {
			case ok == c.none:
				t.Errorf("chosen: %t", ok)
			case ok && string(address.path[:address.n]) != want:
				t.Errorf("%s, and the program takes %s", address.path[:address.n], want)
			}
		})
	}
	t.Run("none of the user's", func(t *testing.T) {
		begin(t, []string{"rot", "get", "ci"}, []string{"XDG_RUNTIME_DIR=" + without})
		if !chooseSocket() || string(address.path[:address.n]) != ipc.SystemSocket {
			t.Errorf("%s, want that of the system", address.path[:address.n])
		}
	})
	t.Run("no runtime directory", func(t *testing.T) {
		begin(t, []string{"rot", "get", "ci"}, nil)
		want := ipc.FindSocket(func(string) string { return "" }, "linux", os.Getuid())
		if ok := chooseSocket(); ok != (os.Getuid() == 0) || ok && string(address.path[:address.n]) != want {
			t.Errorf("uid %d: %t, %s, and the program takes %s", os.Getuid(), ok, address.path[:address.n], want)
		}
	})
}
