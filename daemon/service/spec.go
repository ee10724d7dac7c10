package service

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"rotd/ipc"
	"rotd/packaging"
)

// Spec says what is to run as a service, and how. Every path is absolute.
type Spec struct {
	System  bool     // the machine's, as the user rotd; else the present user's
	Program string   // rotd
	Flags   []string // of rotd run, beside --state-dir and --socket
	// StateDir and Socket are those of rotd run. Socket may be empty for a user's
	// service: then it is in the runtime directory, wherever that will be.
	StateDir string
	Socket   string
	// Group may connect to the socket; empty: rotd for the system's service,
	// nobody else for a user's.
	Group string
	// Credentials are those that systemd loads from its credential store.
	Credentials []string
	// Writable are directories beside StateDir that a system's service, which
	// sees the rest read-only, may write to.
	Writable []string
	// Path is where a user's service looks for programs; empty: as its manager.
	Path string
	Home string // of the user; for a user's service
}

// userSocket is where a user's manager puts the socket.
const userSocket = "%t/rotd/rotd.sock"

// File is a file of a service: its path and what stands in it.
type File struct {
	Path    string
	Content []byte
}

// Files are those of a service on a system, where its manager looks for them
// unless it is told otherwise.
func (s Spec) Files(goos string) ([]File, error) {
	switch {
	case goos == "darwin":
		f, err := s.Launchd()
		return []File{f}, err
	case s.System:
		return s.Systemd(systemUnits)
	}
	return s.Systemd(filepath.Join(s.Home, ".config", "systemd", "user"))
}

// Systemd is the unit files of a service, those of its kind being in unitDir,
// and for the system's the files that make its user and its directories. The
// service's own is the first.
func (s Spec) Systemd(unitDir string) ([]File, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	data := s.fields()
	kind := "user"
	if s.System {
		kind = "system"
	}
	files := []File{
		{Path: filepath.Join(unitDir, unitName)},
		{Path: filepath.Join(unitDir, socketName)},
	}
	from := []string{kind + ".service", kind + ".socket"}
	if s.System {
		files = append(files, File{Path: filepath.Join(unitDir, credentialName)}, File{Path: sysusersFile}, File{Path: tmpfilesFile})
		from = append(from, "credential.socket", "sysusers.conf", "tmpfiles.conf")
	}
	for i, name := range from {
		content, err := fill("systemd/"+name, data)
		if err != nil {
			return nil, err
		}
		files[i].Content = content
	}
	return files, nil
}

// fields are what the templates of systemd are filled in with, quoted.
func (s Spec) fields() map[string]any {
	socket, flag := plainPath(s.Socket), quoteArg(s.Socket)
	if s.Socket == "" {
		socket, flag = userSocket, userSocket
	}
	exec := []string{quoteWord(s.Program), "run", "--state-dir", quoteArg(s.StateDir), "--socket", flag}
	flags := s.Flags
	if s.System {
		flags = append([]string{"--credential-socket", s.credentialSocket()}, flags...)
	} else if s.Group != "" {
		flags = append([]string{"--socket-group", s.Group}, flags...)
	}
	for _, f := range flags {
		exec = append(exec, quoteArg(f))
	}
	writable := make([]string, 0, len(s.Writable))
	for _, dir := range s.Writable {
		writable = append(writable, quoteWord("-"+dir))
	}
	own := s.StateDir == ipc.SystemStateDir
	if !own {
		writable = append(writable, quoteWord(s.StateDir))
	}
	group := s.Group
	if group == "" {
		group = "rotd"
	}
	var env []string
	if s.Path != "" {
		env = append(env, quoteWord("PATH="+s.Path))
	}
	return map[string]any{
		"ExecStart":   strings.Join(exec, " "),
		"Environment": env,
		"Credentials": s.Credentials,
		"Writable":    writable,
		"OwnState":    own,
		"StateDir":    plainPath(s.StateDir),
		"StateWord":   quoteWord(s.StateDir),
		"Socket":      socket,
		"SocketDir":   quoteWord(path.Dir(s.Socket)),
		"Credential":  plainPath(s.credentialSocket()),
		"Group":       group,
	}
}

// credentialSocket is where systemd gets the credentials of other units: beside
// the socket of the system's service.
func (s Spec) credentialSocket() string {
	return filepath.Join(filepath.Dir(s.Socket), filepath.Base(ipc.SystemCredentialSocket))
}

// check refuses what a unit file cannot say.
func (s Spec) check() error {
	for what, text := range map[string]string{"the program": s.Program, "PATH": s.Path, "the state directory": s.StateDir, "the socket": s.Socket, "the group": s.Group} {
		if err := checkPath(what, text); err != nil {
			return err
		}
	}
	for _, name := range s.Credentials {
		if err := checkPath("the credential", name); err != nil {
			return err
		}
	}
	if strings.ContainsAny(s.Program, `"'\`) {
		return &Error{message: "systemd runs no program with a quotation mark or a backslash in its path: " + s.Program, hint: "put it elsewhere"}
	}
	for _, f := range slices.Concat(s.Flags, s.Writable) {
		if err := checkText("the flag", f); err != nil {
			return err
		}
	}
	if s.System && s.Socket == "" {
		return errors.New("the system's service has no socket")
	}
	return nil
}

// Launchd is the property list of a service.
func (s Spec) Launchd() (File, error) {
	args := []string{s.Program, "run", "--state-dir", s.StateDir}
	if s.Socket != "" {
		args = append(args, "--socket", s.Socket)
	}
	if s.Group != "" {
		args = append(args, "--socket-group", s.Group)
	}
	f := File{Path: filepath.Join(s.Home, "Library", "LaunchAgents", label+".plist")}
	log := filepath.Join(s.Home, "Library", "Logs", "rotd.log")
	if s.System {
		f.Path, log = filepath.Join("/Library/LaunchDaemons", label+".plist"), "/Library/Logs/rotd.log"
	}
	content, err := fill("launchd/rotd.plist", map[string]any{
		"Label": label, "Arguments": append(args, s.Flags...), "Path": s.Path, "System": s.System, "Log": log,
	})
	f.Content = content
	return f, err
}

// fill fills in one template.
func fill(name string, data map[string]any) ([]byte, error) {
	text, err := fs.ReadFile(packaging.Units, name)
	if err != nil {
		return nil, err
	}
	t, err := template.New(name).Option("missingkey=error").Funcs(template.FuncMap{"xml": escapeXML}).Parse(string(text))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func escapeXML(s string) (string, error) {
	var b strings.Builder
	err := xml.EscapeText(&b, []byte(s))
	return b.String(), err
}

// SystemPlaces are the state directory and the socket of the system's service
// where nothing else is said. On macOS nothing of /run outlives a boot that could
// be the service's own, so the socket lies beside the state.
func SystemPlaces(goos string) (stateDir, socket string) {
	if goos == "darwin" {
		const dir = "/Library/Application Support/rotd"
		return dir + "/state", dir + "/rotd.sock"
	}
	return ipc.SystemStateDir, ipc.SystemSocket
}

// checkSystem refuses what the system's service would not see.
func (s Spec) checkSystem() error {
	if err := checkVisible("the program", s.Program); err != nil {
		return err
	}
	if err := checkProgram(s.Program); err != nil {
		return err
	}
	paths := map[string]string{"the state directory": s.StateDir, "the socket": s.Socket}
	for _, dir := range s.Writable {
		paths["the key's directory"] = dir
	}
	for what, path := range paths {
		if err := checkVisible(what, path); err != nil {
			return err
		}
	}
	return s.checkOwn()
}
