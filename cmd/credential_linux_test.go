package cmd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rotd/daemon/service/systemdtest"
)

// credentialUnit is a job that takes its token as a systemd credential, and
// keeps it where a test can see it.
const credentialUnit = `[Unit]
Description=a job that publishes

[Service]
Type=oneshot
LoadCredential=%[1]s:%[2]s/credential.sock
ExecStart=/bin/sh -c 'cat "$$CREDENTIALS_DIRECTORY"/%[1]s >%[2]s/%%n.got'
`

// TestCredentialsOfUnits has the real systemd take tokens from rotd's credential
// socket, for a user's units and for the system's.
func TestCredentialsOfUnits(t *testing.T) {
	g := bareGround(t)
	g.flags = []string{"--credential-socket", filepath.Join(g.dir, "credential.sock")}
	g.startRegistry("127.0.0.1:0")
	g.startDaemon()
	g.awaitDaemon()
	passcard := g.connect()
	values := make(map[string]string)
	for _, name := range []string{"ci", "other"} {
		tk, err := g.token(t.Context(), g.newROT(passcard, name))
		if err != nil {
			t.Fatal(err)
		}
		values[name] = tk.Value.Reveal()
	}
	rot := g.rotAs(uint32(os.Getuid()), uint32(os.Getgid()))
	for _, grant := range [][2]string{{"ci", "publish.service"}, {"ci", "both"}, {"other", "both"}, {"ci", "neither.service"}, {"other", "neither"}, {"other", "at@7.service"}} {
		rot("grant", grant[0], "--unit", grant[1]).want(t, 0, "", "may read "+grant[0])
	}
	jobs := []struct{ unit, credential, want string }{
		{"publish.service", "npm-token", values["ci"]},
		{"both.service", "other", values["other"]},
		{"both.service", "ci", values["ci"]},
		{"neither.service", "npm-token", ""}, // two ROTs, and the name says neither
		{"at@7.service", "npm-token", values["other"]},
		{"at@8.service", "npm-token", ""},
		{"stranger.service", "npm-token", ""},
	}
	system := systemdtest.Boot(t, g.dir)
	user := systemdtest.User(t)
	for _, way := range []struct {
		name    string
		m       *systemdtest.Machine
		dir     string // the ground's, inside
		units   string
		control string
	}{
		{"a user's units", user, g.dir, user.Home() + "/.config/systemd/user", "systemctl --user"},
		{"the system's units", system, "/mnt", "/etc/systemd/system", "systemctl"},
	} {
		for _, j := range jobs {
			text := filepath.Join(g.dir, "unit")
			if err := os.WriteFile(text, fmt.Appendf(nil, credentialUnit, j.credential, way.dir), 0o644); err != nil {
				t.Fatal(err)
			}
			way.m.Sh(fmt.Sprintf("mkdir -p %[1]s; cp %[2]s/unit %[1]s/%[3]s; %[4]s daemon-reload; %[4]s start %[3]s", way.units, way.dir, j.unit, way.control))
			got, err := os.ReadFile(filepath.Join(g.dir, j.unit+".got"))
			if err != nil || string(got) != j.want {
				t.Errorf("%s, %s as %s: got %d bytes, %v, want %d", way.name, j.unit, j.credential, len(got), err, len(j.want))
			}
			_ = os.Remove(filepath.Join(g.dir, j.unit+".got"))
		}
	}
	g.await(20*time.Second, "an entry of the log", func() bool {
		return strings.Contains(rot("log", "ci", "--json").stdout, `"detail":"unit publish.service"`)
	})
	rot("ungrant", "ci", "--unit", "publish").want(t, 0, "", "may not read ci any more")
	user.Run("systemctl", "--user", "start", "publish.service")
	if got, err := os.ReadFile(filepath.Join(g.dir, "publish.service.got")); err != nil || len(got) != 0 {
		t.Errorf("taken back, it still gets %d bytes, %v", len(got), err)
	}
}
