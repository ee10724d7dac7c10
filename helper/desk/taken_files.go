package desk

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/pelletier/go-toml/v2"

	"rotd/helper"
	"rotd/helper/npmrc"
	"rotd/ipc/secret"
)

// yarnSettings is what of a .yarnrc.yml is about tokens.
type yarnSettings struct {
	Token      string `yaml:"npmAuthToken"`
	Registries map[string]struct {
		Token string `yaml:"npmAuthToken"`
	} `yaml:"npmRegistries"`
}

// yarnrc reads the file of the project and the user's, as the place says.
func (s *seeker) yarnrc(cl helper.Client, p helper.Place) (taken, bool) {
	files := s.yarnrcs()
	own := filepath.Join(s.Getenv("HOME"), ".yarnrc.yml")
	for _, file := range files {
		if p != helper.RegistryYarnrc && (file == own) != (p == helper.UserYarnrc) {
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		t := taken{at: short(s.Call, file)}
		var rc yarnSettings
		if err := yaml.Unmarshal(src, &rc); err != nil {
			t.trouble = "Yarn cannot read it"
			return t, true
		}
		token := rc.Token
		if p == helper.RegistryYarnrc {
			entry, ok := rc.entry(s.registry)
			if !ok {
				continue
			}
			t.at = "npmRegistries in " + t.at
			if token = entry; token == "" {
				t.trouble = "it has no npmAuthToken for the registry, and hides every other"
				return t, true
			}
		}
		if token != "" {
			t.value, t.trouble = s.expand(cl, secret.New(token))
			return t, true
		}
	}
	return taken{}, false
}

// entry is the token of a registry under npmRegistries, which Yarn finds by the
// address with its scheme, or else without.
func (rc yarnSettings) entry(registry string) (token string, ok bool) {
	registry = strings.TrimRight(registry, "/")
	for _, want := range []string{registry, registry[strings.Index(registry, "//"):]} {
		for address, e := range rc.Registries {
			if strings.TrimRight(address, "/") == want {
				return e.Token, true
			}
		}
	}
	return "", false
}

// yarnrcs are the files that Yarn reads, the nearest first.
func (s *seeker) yarnrcs() []string {
	var files []string
	for d := s.dir; d != ""; d = filepath.Dir(d) {
		files = append(files, filepath.Join(d, ".yarnrc.yml"))
		if d == filepath.Dir(d) {
			break
		}
	}
	return append(files, filepath.Join(s.Getenv("HOME"), ".yarnrc.yml"))
}

// bunfig reads the project's bunfig.toml and the user's.
func (s *seeker) bunfig(cl helper.Client) (taken, bool) {
	own := filepath.Join(s.Getenv("HOME"), ".bunfig.toml")
	if dir := s.Getenv("XDG_CONFIG_HOME"); dir != "" {
		own = filepath.Join(dir, ".bunfig.toml")
	}
	for _, file := range []string{filepath.Join(s.dir, "bunfig.toml"), own} {
		src, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		t := taken{at: short(s.Call, file)}
		var config struct {
			Install struct {
				Registry any            `toml:"registry"`
				Scopes   map[string]any `toml:"scopes"`
			} `toml:"install"`
		}
		if err := toml.Unmarshal(src, &config); err != nil {
			t.trouble = "Bun cannot read it"
			return t, true
		}
		for _, entry := range append([]any{config.Install.Registry}, values(config.Install.Scopes)...) {
			table, _ := entry.(map[string]any)
			url, _ := table["url"].(string)
			token, _ := table["token"].(string)
			if sameRegistry(url, s.registry) && token != "" {
				t.value, t.trouble = s.dollar(token)
				return t, true
			}
		}
	}
	return taken{}, false
}

func values(m map[string]any) (all []any) {
	for _, v := range m {
		all = append(all, v)
	}
	return all
}

func sameRegistry(a, b string) bool {
	ka, aerr := npmrc.Key(a)
	kb, berr := npmrc.Key(b)
	return aerr == nil && berr == nil && ka == kb
}

// dollar puts in the variable that Bun's $NAME names.
func (s *seeker) dollar(token string) (secret.Text, string) {
	name, ok := strings.CutPrefix(token, "$")
	if !ok {
		return secret.New(token), ""
	}
	value, set := s.lookup(strings.Trim(name, "{}"))
	if !set {
		return secret.Text{}, "it names " + token + ", which is not set"
	}
	return secret.New(value), ""
}
