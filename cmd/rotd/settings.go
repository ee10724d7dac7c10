package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"rotd/daemon"
	"rotd/ipc/private"
	"rotd/store"
)

// runFlags are the flags of rotd run, which rotd install takes too.
type runFlags struct {
	set                                                                                                        *pflag.FlagSet
	state, socket, group, credentials, key, browser, notify, readerTime, logDays, logEntries, logLevel, config *string
	noSandbox                                                                                                  *bool
}

func addRunFlags(fs *pflag.FlagSet) *runFlags {
	return &runFlags{
		set:         fs,
		state:       fs.String("state-dir", "", ""),
		socket:      fs.String("socket", "", ""),
		group:       fs.String("socket-group", "", ""),
		credentials: fs.String("credential-socket", "", ""),
		key:         fs.String("key", "keyring", ""),
		browser:     fs.String("browser", "", ""),
		noSandbox:   fs.Bool("browser-no-sandbox", false, ""),
		notify:      fs.String("notify", "", ""),
		readerTime:  fs.String("reader-time", daemon.DefaultReaderTime.String(), ""),
		logDays:     fs.String("log-days", fmt.Sprint(int(store.DefaultLogLimits.Age.Hours())/24), ""),
		logEntries:  fs.String("log-entries", fmt.Sprint(store.DefaultLogLimits.Most), ""),
		logLevel:    fs.String("log-level", "info", ""),
		config:      fs.String("config", "", ""),
	}
}

// settings are what the flags say and, where they are silent, the configuration
// file, which is read anew each time.
func (f *runFlags) settings() (s daemon.Settings, level slog.Level, err error) {
	file, err := f.readConfig()
	if err != nil {
		return s, level, err
	}
	// value is a setting, and what to call it in an error.
	value := func(name, flag string) (what, text string, given bool) {
		if text, ok := file[name]; ok && !f.set.Changed(name) {
			return name, text, true
		}
		return "--" + name, flag, f.set.Changed(name)
	}
	what, text, _ := value("log-level", *f.logLevel)
	if err := level.UnmarshalText([]byte(text)); err != nil {
		return s, level, fmt.Errorf("%s is debug, info, warn or error, not %q", what, text)
	}
	what, text, given := value("notify", *f.notify)
	if s.Notify = strings.Fields(text); given {
		if err := checkNotify(what, s.Notify); err != nil {
			return s, level, err
		}
	}
	what, text, _ = value("reader-time", *f.readerTime)
	if s.ReaderTime, err = time.ParseDuration(text); err != nil || s.ReaderTime < 0 || s.ReaderTime > maxReaderTime {
		return s, level, fmt.Errorf("%s is a time up to 24h, as 90m or 2h, or 0, not %q", what, text)
	}
	what, text, _ = value("log-days", *f.logDays)
	days, err := strconv.ParseUint(text, 10, 16)
	if err != nil || days < 1 || days > maxLogDays {
		return s, level, fmt.Errorf("%s is a number of days from 1 to %d, not %q", what, maxLogDays, text)
	}
	what, text, _ = value("log-entries", *f.logEntries)
	entries, err := strconv.ParseInt(text, 10, 64)
	if err != nil || entries < minLogEntries || entries > maxLogEntries {
		return s, level, fmt.Errorf("%s is a number from %d to %d, not %q", what, minLogEntries, maxLogEntries, text)
	}
	s.LogLimits = store.LogLimits{Age: time.Duration(days) * 24 * time.Hour, Most: entries}
	_, s.Browser, _ = value("browser", *f.browser)
	switch what, text, _ := value("browser-no-sandbox", fmt.Sprint(*f.noSandbox)); text {
	case "true":
		s.BrowserNoSandbox = true
	case "false":
	default:
		return s, level, fmt.Errorf("%s is true or false, not %q", what, text)
	}
	return s, level, nil
}

// configurable are the settings that the configuration file may name.
var configurable = []string{"log-level", "notify", "browser", "browser-no-sandbox", "reader-time", "log-days", "log-entries"}

// What a log can be limited to. A hundred million entries are 15 GB.
const (
	maxLogDays    = 3650
	minLogEntries = 1000
	maxLogEntries = 100_000_000
)

// maxReaderTime is longer than a command should run with one token.
const maxReaderTime = 24 * time.Hour

// readConfig reads the configuration file. The default one may be absent, one
// that a flag names may not.
func (f *runFlags) readConfig() (map[string]string, error) {
	path := *f.config
	if path == "" {
		if path = configPath(os.Getenv, runtime.GOOS, os.Getuid()); path == "" {
			return nil, nil
		}
	}
	text, err := readSource(path)
	if errors.Is(err, fs.ErrNotExist) && *f.config == "" {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	settings, err := parseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return settings, nil
}

// readSource reads a file that nobody else could have written: it names programs
// that rotd runs.
func readSource(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if err := private.Source("the configuration", path, info); err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(file, maxConfig))
	return string(b), err
}

// maxConfig bounds a configuration file.
const maxConfig = 64 << 10

// configPath is where the configuration file is when no flag says it: where the
// service manager says, in the system's place for a root without a session, in
// the user's otherwise; empty where there is no such place.
func configPath(getenv func(string) string, goos string, uid int) string {
	const name = "rotd.conf"
	if dir := getenv("CONFIGURATION_DIRECTORY"); filepath.IsAbs(dir) {
		return filepath.Join(dir, name)
	}
	if dir := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "rotd", name)
	}
	home := getenv("HOME")
	switch {
	case uid == 0 && getenv("XDG_RUNTIME_DIR") == "":
		return filepath.Join("/etc/rotd", name)
	case !filepath.IsAbs(home):
		return ""
	case goos == "darwin":
		return filepath.Join(home, "Library", "Application Support", "rotd", name)
	}
	return filepath.Join(home, ".config", "rotd", name)
}

// parseConfig reads lines of NAME = VALUE.
func parseConfig(text string) (map[string]string, error) {
	settings := make(map[string]string)
	n := 0
	for line := range strings.Lines(text) {
		n++
		line, _, _ = strings.Cut(" "+line, " #")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !ok:
			return nil, fmt.Errorf("line %d is not NAME = VALUE", n)
		case !slices.Contains(configurable, name):
			return nil, fmt.Errorf("line %d: there is no setting %q; there are %s", n, name, strings.Join(configurable, ", "))
		case settings[name] != "":
			return nil, fmt.Errorf("line %d names %s a second time", n, name)
		case value == "":
			return nil, fmt.Errorf("line %d: %s has no value", n, name)
		}
		settings[name] = value
	}
	return settings, nil
}
