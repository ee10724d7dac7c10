package ipc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhereThingsAre(t *testing.T) {
	const user = 4294967290 // has no /run/user
	for name, tc := range map[string]struct {
		env           map[string]string
		goos          string
		uid           int
		socket, state string
	}{
		"runtime directory": {map[string]string{"XDG_RUNTIME_DIR": "/run/user/7", "HOME": "/home/ada"}, "linux", user,
			"/run/user/7/rotd/rotd.sock", "/home/ada/.local/state/rotd"},
		"state directory": {map[string]string{"XDG_RUNTIME_DIR": "/r", "XDG_STATE_HOME": "/s", "HOME": "/home/ada"}, "linux", user,
			"/r/rotd/rotd.sock", "/s/rotd"},
		"named socket": {map[string]string{"ROTD_SOCKET": "./x.sock", "HOME": "/home/ada"}, "linux", user,
			"./x.sock", "/home/ada/.local/state/rotd"},
		"nothing set":                {nil, "linux", user, "", ""},
		"relative, against the spec": {map[string]string{"XDG_RUNTIME_DIR": "r", "XDG_STATE_HOME": "s", "HOME": "h"}, "linux", user, "", ""},
		"system service":             {map[string]string{"HOME": "/root"}, "linux", 0, SystemSocket, SystemStateDir},
		"root at a terminal": {map[string]string{"XDG_RUNTIME_DIR": "/run/user/0", "HOME": "/root"}, "linux", 0,
			"/run/user/0/rotd/rotd.sock", "/root/.local/state/rotd"},
		"macOS": {map[string]string{"HOME": "/Users/ada"}, "darwin", user,
			"/Users/ada/Library/Application Support/rotd/rotd.sock", "/Users/ada/Library/Application Support/rotd"},
	} {
		t.Run(name, func(t *testing.T) {
			getenv := func(k string) string { return tc.env[k] }
			socket, serr := SocketPath(getenv, tc.goos, tc.uid)
			state, terr := StateDir(getenv, tc.goos, tc.uid)
			if socket != tc.socket || (serr == nil) != (tc.socket != "") {
				t.Errorf("socket %q, %v, want %q", socket, serr, tc.socket)
			}
			if state != tc.state || (terr == nil) != (tc.state != "") {
				t.Errorf("state %q, %v, want %q", state, terr, tc.state)
			}
		})
	}
}

func TestFindSocketPrefersTheUsersOwn(t *testing.T) {
	dir := socketDir(t)
	env := map[string]string{"XDG_RUNTIME_DIR": dir}
	find := func() string { return FindSocket(func(k string) string { return env[k] }, "linux", 1000) }
	own := filepath.Join(dir, "rotd", "rotd.sock")
	if !exists(SystemSocket) && find() != own {
		t.Errorf("with none: %q, want the user's %q", find(), own)
	}
	if err := os.Mkdir(filepath.Dir(own), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, nil, 0o600); err != nil { // that it is there is all that counts
		t.Fatal(err)
	}
	if find() != own {
		t.Errorf("with the user's: %q", find())
	}
	env["ROTD_SOCKET"] = "/else"
	if find() != "/else" {
		t.Errorf("with ROTD_SOCKET: %q", find())
	}
}

func TestSocketPathLimit(t *testing.T) {
	for goos, limit := range map[string]int{"linux": 107, "darwin": 103} {
		if err := CheckSocketPath(strings.Repeat("x", limit), goos); err != nil {
			t.Errorf("%s, %d bytes: %v", goos, limit, err)
		}
		var long *PathTooLongError
		if err := CheckSocketPath(strings.Repeat("x", limit+1), goos); !errors.As(err, &long) || long.Limit != limit {
			t.Errorf("%s, %d bytes: %v", goos, limit+1, err)
		}
	}
}
