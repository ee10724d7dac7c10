package daemon

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"rotd/store"
)

func TestUnitOf(t *testing.T) {
	for name, want := range map[string][2]string{
		"@0123456789abcdef/unit/publish.service/npm-token": {"publish.service", "npm-token"},
		`@0123456789abcdef/unit/a\x2db@1.service/x`:        {`a\x2db@1.service`, "x"},
		"@f0123456789abcd/unit/a.service/x":                {"a.service", "x"}, // one in 16 has a zero in front
		"":                                                 {}, "@": {}, "/run/x": {}, "@/unit/a.service/x": {}, "@0123456789abcdef/unit/a.service": {},
		"@0123456789abcdef/unit/a.service/": {}, "@0123456789abcdef/unit//x": {}, "@0123456789abcdef/job/a.service/x": {},
		"@0123456789abcdeg/unit/a.service/x": {}, "@10123456789abcdef/unit/a.service/x": {}, "0123456789abcdef/unit/a.service/x": {},
		"@0123456789abcdef/unit/a.service/x/y": {}, "@0123456789abcdef/unit/a b/x": {},
	} {
		unit, cred, ok := unitOf(&net.UnixAddr{Name: name, Net: "unix"})
		if ok != (want[0] != "") || ok && (unit != want[0] || cred != want[1]) {
			t.Errorf("%q is unit %q, credential %q, %v", name, unit, cred, ok)
		}
	}
	if _, _, ok := unitOf(&net.TCPAddr{}); ok {
		t.Error("an address of the network is a unit")
	}
}

const forged = "@0123456789abcdef/unit/publish.service/npm-token"

// forgeEnv makes this test binary somebody who has made up a unit's address.
const forgeEnv = "ROTD_TEST_FORGE"

// forge reads from a credential socket as a service manager would.
func forge(path string) (string, error) {
	c, err := net.DialUnix("unix", &net.UnixAddr{Name: forged, Net: "unix"}, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	b, err := io.ReadAll(c)
	return string(b), err
}

// TestCredentialSocket: the address that names a unit counts from the daemon's
// own user, and not from another who has made it up.
func TestCredentialSocket(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has abstract addresses")
	}
	r := newRig(t)
	_, rot := r.first()
	_, program := r.openDoor()
	r.d.cfg.CredentialSocket = filepath.Join(filepath.Dir(program), "c")
	if err := os.Chmod(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	serve, err := r.d.openCredentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	serve()
	own := func(want string) {
		t.Helper()
		if got, err := forge(r.d.cfg.CredentialSocket); err != nil || got != want {
			t.Errorf("the daemon's own user gets %d bytes, %v, want %d", len(got), err, len(want))
		}
	}
	own("")
	if _, err := r.d.store.Load().AddGrant(t.Context(), store.Grant{ROT: rot, Kind: store.GrantUnit, Subject: "publish.service"}, nil); err != nil {
		t.Fatal(err)
	}
	own(r.token(rot).Value.Reveal())

	if fi, err := os.Stat(r.d.cfg.CredentialSocket); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", fi.Mode(), err)
	}
	if os.Getuid() == 0 { // who can be another
		if err := os.Chmod(r.d.cfg.CredentialSocket, 0o666); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program)
		cmd.Dir = "/"
		cmd.Env = []string{forgeEnv + "=" + r.d.cfg.CredentialSocket, "GORACE=atexit_sleep_ms=0"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: strangerUID, Gid: nobodies}}
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("another user who forges the address gets %d bytes, %v", len(out), err)
		}
	}
	// One who says nothing and reads nothing holds nobody up.
	idle, err := net.Dial("unix", r.d.cfg.CredentialSocket)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	own(r.token(rot).Value.Reveal())
	if err := r.d.writeLog(t.Context()); err != nil {
		t.Fatal(err)
	}
	reads, refusals := r.entries(rot, store.LogRead), r.entries("", store.LogRefused)
	told := false
	for _, e := range reads {
		told = told || e.Detail == "unit publish.service" && e.Count == 2
	}
	if !told {
		t.Errorf("the log tells of reads %+v", reads)
	}
	if len(refusals) == 0 || !strings.Contains(refusals[0].Detail, "credential socket") {
		t.Errorf("the log tells of refusals %+v", refusals)
	}
}
