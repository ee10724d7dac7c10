package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"rotd/daemon/service"
	"rotd/ipc"
	"rotd/store"
)

// spec turns the flags of rotd run into a service. What depends on where and by
// whom the command is given is written out.
func (f *runFlags) spec(system bool) (s service.Spec, err error) {
	if _, _, err := f.settings(); err != nil {
		return s, err
	}
	s.System, s.Group = system, *f.group
	if s.Group != "" {
		if _, err := findGroup(s.Group); err != nil {
			return s, err
		}
	}
	if system && f.set.Changed("credential-socket") {
		return s, errors.New("--credential-socket is not for --system: there it lies beside the socket")
	}
	if s.Program, err = os.Executable(); err != nil {
		return s, fmt.Errorf("find this program: %w", err)
	}
	if err := f.places(&s); err != nil {
		return s, err
	}
	if err := f.keyOf(&s); err != nil {
		return s, err
	}
	if f.set.Changed("notify") {
		argv := strings.Fields(*f.notify)
		if argv[0], err = programPath(argv[0]); err != nil {
			return s, err
		}
		s.Flags = append(s.Flags, "--notify", strings.Join(argv, " "))
	}
	for _, path := range []struct{ name, value string }{{"browser", *f.browser}, {"config", *f.config}, {"credential-socket", *f.credentials}} {
		if path.value == "" {
			continue
		}
		abs, err := filepath.Abs(path.value)
		if err != nil {
			return s, err
		}
		s.Flags = append(s.Flags, "--"+path.name, abs)
	}
	if *f.noSandbox {
		s.Flags = append(s.Flags, "--browser-no-sandbox")
	}
	for _, flag := range []struct{ name, value string }{{"log-level", *f.logLevel}, {"reader-time", *f.readerTime}, {"log-days", *f.logDays}, {"log-entries", *f.logEntries}} {
		if f.set.Changed(flag.name) {
			s.Flags = append(s.Flags, "--"+flag.name, flag.value)
		}
	}
	return s, nil
}

// places fills in the state directory, the socket, and where programs are.
func (f *runFlags) places(s *service.Spec) (err error) {
	s.StateDir, s.Socket = *f.state, *f.socket
	if s.System {
		dir, socket := service.SystemPlaces(runtime.GOOS)
		if s.StateDir == "" {
			s.StateDir = dir
		}
		if s.Socket == "" {
			s.Socket = socket
		}
	} else {
		if s.Home, err = os.UserHomeDir(); err != nil {
			return err
		}
		if s.StateDir, err = stateDir(s.StateDir); err != nil {
			return err
		}
		if s.Socket == "" {
			s.Socket = os.Getenv("ROTD_SOCKET")
		}
		s.Path = absoluteOnly(os.Getenv("PATH"))
	}
	if s.StateDir, err = filepath.Abs(s.StateDir); err != nil || s.Socket == "" {
		return err
	}
	if s.Socket, err = filepath.Abs(s.Socket); err != nil {
		return err
	}
	return ipc.CheckSocketPath(s.Socket, runtime.GOOS)
}

// keyOf fills in the flag that says where the key is.
func (f *runFlags) keyOf(s *service.Spec) error {
	key := *f.key
	if _, err := store.ParseKeySource(key); err != nil {
		return fmt.Errorf("--key: %w", err)
	}
	if file, ok := strings.CutPrefix(key, "file:"); ok {
		abs, err := filepath.Abs(file)
		if err != nil {
			return err
		}
		key = "file:" + abs
		if dir := filepath.Dir(abs); dir != s.StateDir {
			s.Writable = append(s.Writable, dir)
		}
	}
	if name, ok := strings.CutPrefix(key, "credential:"); ok {
		s.Credentials = append(s.Credentials, name)
	}
	switch {
	case f.set.Changed("key"):
		s.Flags = append(s.Flags, "--key", key)
	case s.System:
		return &needsKey{errors.New("a service of the machine has no keyring, and must be told where its key is")}
	}
	return nil
}

// needsKey is an error with its hint.
type needsKey struct{ error }

func (*needsKey) Hint() string {
	return "--key file:/var/lib/rotd/master.key makes one there; --key credential:NAME takes systemd's credential NAME"
}

// programPath is the absolute path of a program.
func programPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// absoluteOnly is a PATH without what depends on the current directory.
func absoluteOnly(path string) string {
	var kept []string
	for _, dir := range filepath.SplitList(path) {
		if filepath.IsAbs(dir) {
			kept = append(kept, dir)
		}
	}
	return strings.Join(kept, string(filepath.ListSeparator))
}
