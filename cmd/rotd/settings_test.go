package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"rotd/daemon"
	"rotd/store"
)

func settingsOf(t *testing.T, config string, args ...string) (daemon.Settings, slog.Level, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rotd.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &call{command: runCommand}
	fs := c.flags()
	f := addRunFlags(fs)
	if err := c.parse(fs, append(args, "--config", path), 0); err != nil {
		t.Fatal(err)
	}
	return f.settings()
}

func TestSettings(t *testing.T) {
	const config = "# of all rotds\nlog-level = debug # for now\n\nnotify=/bin/true  --loud\nbrowser = /opt/a b/chromium\nbrowser-no-sandbox = true\nreader-time = 90m\nlog-days = 7\nlog-entries = 5000\n"
	s, level, err := settingsOf(t, config)
	want := daemon.Settings{Browser: "/opt/a b/chromium", BrowserNoSandbox: true, Notify: []string{"/bin/true", "--loud"}, ReaderTime: 90 * time.Minute,
		LogLimits: store.LogLimits{Age: 7 * 24 * time.Hour, Most: 5000}}
	if err != nil || level != slog.LevelDebug || !reflect.DeepEqual(s, want) {
		t.Errorf("got %+v, %v, %v", s, level, err)
	}
	s, level, err = settingsOf(t, config, "--log-level", "warn", "--notify", "/bin/false", "--browser", "/x", "--browser-no-sandbox=false", "--reader-time", "0", "--log-days", "90", "--log-entries", "1000000")
	want = daemon.Settings{Browser: "/x", Notify: []string{"/bin/false"}, LogLimits: store.DefaultLogLimits}
	if err != nil || level != slog.LevelWarn || !reflect.DeepEqual(s, want) {
		t.Errorf("flags do not win: %+v, %v, %v", s, level, err)
	}
	if s, _, err = settingsOf(t, "browser = /a#b # c\n#notify=x"); err != nil || s.Browser != "/a#b" {
		t.Errorf("of a line with comments: %+v, %v", s, err)
	}
	s, level, err = settingsOf(t, "")
	if err != nil || level != slog.LevelInfo || !reflect.DeepEqual(s, daemon.Settings{Notify: []string{}, ReaderTime: time.Hour, LogLimits: store.DefaultLogLimits}) {
		t.Errorf("nothing said: %+v, %v, %v", s, level, err)
	}
}

func TestSettingsThatMakeNoSense(t *testing.T) {
	for config, want := range map[string]string{
		"log-level = loud":               "log-level is debug",
		"log-level":                      "line 1 is not NAME = VALUE",
		"\nlog-level =":                  "line 2: log-level has no value",
		"state-dir = /x":                 `no setting "state-dir"; there are log-level`,
		"log-level=info\nlog-level=info": "line 2 names log-level a second time",
		"notify = rotd-no-such-program":  "notify: ",
		"reader-time = 25h":              "reader-time is a time up to 24h",
		"reader-time = -1h":              "reader-time is a time",
		"reader-time = soon":             "reader-time is a time",
		"log-days = 0":                   "log-days is a number of days from 1",
		"log-entries = 10":               "log-entries is a number from 1000",
		"browser-no-sandbox = yes":       "browser-no-sandbox is true or false",
	} {
		if _, _, err := settingsOf(t, config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", config, err, want)
		}
	}
	c := &call{command: runCommand}
	fs := c.flags()
	f := addRunFlags(fs)
	open := filepath.Join(t.TempDir(), "rotd.conf")
	if err := os.WriteFile(open, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o666); err != nil {
		t.Fatal(err)
	}
	*f.config = open
	if _, _, err := f.settings(); err == nil || daemon.Hint(err) == "" {
		t.Errorf("a file that others may write to: %v", err)
	}
	if err := fs.Parse([]string{"--config", "/nonexistent"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.settings(); err == nil {
		t.Error("a file that is not there is read")
	}
}

// TestAServiceHasTheSettings: what rotd install is given, the service runs with.
func TestAServiceHasTheSettings(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	c := &call{command: runCommand}
	fs := c.flags()
	f := addRunFlags(fs)
	given := []string{"--key", "credential:x", "--notify", "/bin/true -x", "--browser", "/b", "--browser-no-sandbox", "--log-level", "warn", "--reader-time", "2h", "--log-days", "30", "--log-entries", "2000"}
	if err := c.parse(fs, given, 0); err != nil {
		t.Fatal(err)
	}
	s, err := f.spec(false)
	if err != nil || !slices.Equal(s.Flags, given) {
		t.Errorf("it has %q, want %q: %v", s.Flags, given, err)
	}
}

func TestWhereTheConfigurationIs(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		goos string
		uid  int
		want string
	}{
		{map[string]string{"CONFIGURATION_DIRECTORY": "/etc/rotd", "HOME": "/h"}, "linux", 999, "/etc/rotd/rotd.conf"},
		{map[string]string{"XDG_CONFIG_HOME": "/c", "HOME": "/h"}, "linux", 1000, "/c/rotd/rotd.conf"},
		{map[string]string{"HOME": "/h"}, "linux", 1000, "/h/.config/rotd/rotd.conf"},
		{map[string]string{"HOME": "/h"}, "darwin", 501, "/h/Library/Application Support/rotd/rotd.conf"},
		{map[string]string{"HOME": "/root"}, "linux", 0, "/etc/rotd/rotd.conf"},
		{map[string]string{"HOME": "/root", "XDG_RUNTIME_DIR": "/run/user/0"}, "linux", 0, "/root/.config/rotd/rotd.conf"},
		{nil, "linux", 1000, ""},
	} {
		if got := configPath(func(k string) string { return c.env[k] }, c.goos, c.uid); got != c.want {
			t.Errorf("%v, %s, uid %d: %q, want %q", c.env, c.goos, c.uid, got, c.want)
		}
	}
}
