package desk

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"rotd/helper"
	"rotd/helper/npmrc"
	"rotd/ipc/secret"
)

// taken is the token that a client takes, and where it stands.
type taken struct {
	at      string // "line 3 of ~/.npmrc"; "" where there is none
	value   secret.Text
	trouble string // why it is no token: "it names ${T}, which is not set"
}

// seeker looks for the token of a registry as the clients do.
type seeker struct {
	*helper.Call
	registry string
	dir      string          // where the client would run
	ctx      context.Context // of the programs that are run
}

// take finds what a client takes. A key that is nearer to the registry's address
// comes before any place.
func (s *seeker) take(cl helper.Client) taken {
	for i, key := range npmrc.Keys(s.registry, ":_authToken") {
		if cl.Keys == helper.OwnKey && i > 0 || cl.Keys == helper.SlashedKey && i%2 == 1 {
			continue
		}
		for _, p := range cl.Order {
			t, ok := s.look(cl, p, key, i == 0)
			if ok && i > 0 && cl.Keys == helper.OwnToWrite && t.trouble == "" {
				t.trouble = "it installs by that, and does not publish: the key is not the registry's own"
			}
			if ok {
				return t
			}
		}
	}
	return taken{}
}

// look looks at one place. first: it is the first key, and what has none counts.
func (s *seeker) look(cl helper.Client, p helper.Place, key string, first bool) (taken, bool) {
	switch p {
	case helper.NpmVariable, helper.PnpmVariable:
		return s.variable(p, key)
	case helper.ProjectNpmrc, helper.UserNpmrc, helper.GlobalNpmrc, helper.PnpmAuth:
		return s.npmrc(cl, p, key)
	case helper.PnpmUserHelper, helper.PnpmAuthHelper:
		return s.tokenHelper(cl, p, strings.Replace(key, ":_authToken", ":tokenHelper", 1))
	}
	if !first {
		return taken{}, false
	}
	switch p {
	case helper.YarnVariable, helper.BunVariable:
		return s.variable(p, key)
	case helper.Bunfig:
		return s.bunfig(cl)
	}
	return s.yarnrc(cl, p)
}

func (s *seeker) variable(p helper.Place, key string) (taken, bool) {
	for _, name := range s.Variables(p, key) {
		return taken{at: name + " in the environment", value: secret.New(s.Getenv(name))}, true
	}
	return taken{}, false
}

// npmrc reads a file in npm's form.
func (s *seeker) npmrc(cl helper.Client, p helper.Place, key string) (taken, bool) {
	file := s.file(p)
	src, err := os.ReadFile(file)
	if err != nil {
		return taken{}, false
	}
	line, value, ok := npmrc.Value(src, key)
	if !ok || value.IsZero() {
		return taken{}, false
	}
	t := taken{at: s.lineOf(line, file)}
	if strings.Contains(value.Reveal(), "${") && cl.NoVariables && p == helper.ProjectNpmrc {
		return taken{}, false
	}
	t.value, t.trouble = s.expand(cl, value)
	return t, t.trouble == "" || cl.Unset != helper.SkipsIt
}

// file is the path of a place that is a file in npm's form.
func (s *seeker) file(p helper.Place) string {
	switch p {
	case helper.ProjectNpmrc:
		return s.ProjectConfigOf(s.dir)
	case helper.PnpmAuth, helper.PnpmAuthHelper:
		return filepath.Join(s.configDir("pnpm"), "auth.ini")
	case helper.GlobalNpmrc:
		return s.globalConfig()
	}
	file, _ := s.UserConfig()
	return file
}

// configDir is where a program keeps its configuration: XDG_CONFIG_HOME, or the
// system's own place.
func (s *seeker) configDir(program string) string {
	switch dir := s.Getenv("XDG_CONFIG_HOME"); {
	case dir != "":
		return filepath.Join(dir, program)
	case s.GOOS == "darwin":
		return filepath.Join(s.Getenv("HOME"), "Library", "Preferences", program)
	}
	return filepath.Join(s.Getenv("HOME"), ".config", program)
}

// globalConfig is npm's file of the machine: that of the Node.js in PATH.
func (s *seeker) globalConfig() string {
	if file := s.NpmConfig("globalconfig"); file != "" {
		return file
	}
	prefix := s.NpmConfig("prefix")
	if node, err := s.LookPath("node"); err == nil && prefix == "" {
		if node, err = filepath.EvalSymlinks(node); err == nil {
			prefix = filepath.Dir(filepath.Dir(node))
		}
	}
	return filepath.Join(prefix, "etc", "npmrc")
}

// expand puts in the environment's values for ${NAME}.
func (s *seeker) expand(cl helper.Client, value secret.Text) (secret.Text, string) {
	var b strings.Builder
	rest := value.Reveal()
	for {
		before, after, found := strings.Cut(rest, "${")
		name, more, closed := strings.Cut(after, "}")
		b.WriteString(before)
		if !found || !closed {
			b.WriteString(strings.TrimPrefix(rest, before))
			return secret.New(b.String()), ""
		}
		rest = more
		word, otherwise, hasDefault := strings.Cut(name, "-")
		if !cl.Defaults || !hasDefault {
			word, hasDefault = strings.TrimSuffix(name, "?"), false
		}
		is, set := s.lookup(strings.TrimSuffix(word, ":"))
		switch {
		case set:
			b.WriteString(is)
		case hasDefault:
			b.WriteString(otherwise)
		default:
			return secret.Text{}, "it names ${" + name + "}, which is not set"
		}
	}
}

// lookup is os.LookupEnv.
func (s *seeker) lookup(name string) (value string, set bool) {
	for _, kv := range s.Environ {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			value, set = v, true
		}
	}
	return value, set
}

// helperTime is how long a token helper may take. pnpm gives it a minute.
const helperTime = 10 * time.Second

// tokenHelper runs the program that pnpm would run.
func (s *seeker) tokenHelper(cl helper.Client, p helper.Place, key string) (taken, bool) {
	file := s.file(p)
	src, err := os.ReadFile(file)
	if err != nil {
		return taken{}, false
	}
	line, program, ok := npmrc.Value(src, key)
	if !ok || program.IsZero() {
		return taken{}, false
	}
	t := taken{at: s.lineOf(line, file) + ", by " + short(s.Call, program.Reveal())}
	ctx, cancel := context.WithTimeout(s.ctx, helperTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program.Reveal())
	cmd.Dir, cmd.Env, cmd.WaitDelay = s.dir, s.Environ, time.Second
	out, err := cmd.Output()
	value, bearer := strings.CutPrefix(strings.TrimSpace(string(out)), "Bearer ")
	switch {
	case err != nil:
		t.trouble = "that program fails"
	case !bearer && cl.Raw:
		t.trouble = "that program does not print: Bearer TOKEN"
	}
	t.value = secret.New(value)
	return t, true
}

func (s *seeker) lineOf(line int, file string) string {
	return "line " + strconv.Itoa(line) + " of " + short(s.Call, file)
}

// short has ~ for the home directory.
func short(c *helper.Call, path string) string {
	if rest, ok := strings.CutPrefix(path, c.Getenv("HOME")+"/"); ok && c.Getenv("HOME") != "" {
		return "~/" + rest
	}
	return path
}
