package helper

import (
	"os"
	"path/filepath"
	"strings"

	"rotd/helper/npmrc"
	"rotd/ipc/fmt"
)

// npmConfig is npm's setting from the environment, whose names npm reads in
// either case.
func (c *call) npmConfig(name string) string {
	for i := len(c.Environ) - 1; i >= 0; i-- {
		if k, v, _ := strings.Cut(c.Environ[i], "="); isNpmConfig(k, name) && v != "" {
			return v
		}
	}
	return ""
}

// isNpmConfig tells whether an environment variable is npm's setting of that
// name: NPM_CONFIG_REGISTRY, npm_config_registry.
func isNpmConfig(variable, name string) bool {
	const prefix = "npm_config_"
	return len(variable) > len(prefix) && strings.EqualFold(variable[:len(prefix)], prefix) &&
		strings.EqualFold(strings.ReplaceAll(variable[len(prefix):], "-", "_"), name)
}

// isTokenVariable tells whether an environment variable sets the registry's
// token, which npm prefers to every file. Its prefix is npm's or pnpm's.
func isTokenVariable(variable, key string) bool {
	const npm, pnpm = "npm_config_", "pnpm_config_"
	for _, prefix := range []string{npm, pnpm} {
		if len(variable) > len(prefix) && strings.EqualFold(variable[:len(prefix)], prefix) {
			name := variable[len(prefix):]
			return name == key || name == strings.Replace(key, "/:_", ":_", 1)
		}
	}
	return false
}

// tokenVariables names those that are set.
func (c *call) tokenVariables(key string) []string {
	var names []string
	for _, kv := range c.Environ {
		if k, _, _ := strings.Cut(kv, "="); isTokenVariable(k, key) {
			names = append(names, k)
		}
	}
	return names
}

// warnShadows tells of what npm reads before the user's file, and what would so
// hide the token in it: an environment variable, or the project's own .npmrc.
// The latter may name one of the variables in handed, which hold the same
// token.
func (c *call) warnShadows(registry, file string, handed []string) {
	key, err := npmrc.Key(registry)
	if err != nil {
		return
	}
	if handed == nil {
		for _, name := range c.tokenVariables(key) {
			c.warn("the environment sets " + name + ", which npm takes instead: unset it")
		}
	}
	project, ok := projectConfig(c.Dir)
	if !ok || sameFile(project, file) {
		return
	}
	src, err := os.ReadFile(project)
	if err != nil {
		return
	}
	line, value, ok := npmrc.Lookup(src, registry)
	if !ok {
		return
	}
	for _, name := range handed {
		if value == "${"+name+"}" || value == "${"+name+"?}" {
			return
		}
	}
	c.warn(fmt.Sprintf("npm takes the token of the project's own file instead, here: delete line %d of %s", line, project))
}

// projectConfig finds the .npmrc that npm reads as the project's: beside the
// nearest package.json or node_modules.
func projectConfig(dir string) (string, bool) {
	for d := dir; d != ""; d = filepath.Dir(d) {
		for _, mark := range []string{"package.json", "node_modules"} {
			if _, err := os.Stat(filepath.Join(d, mark)); err == nil {
				return filepath.Join(d, ".npmrc"), true
			}
		}
		if d == filepath.Dir(d) {
			break
		}
	}
	if dir == "" {
		return "", false
	}
	return filepath.Join(dir, ".npmrc"), true
}

func sameFile(a, b string) bool {
	fa, aerr := os.Stat(a)
	fb, berr := os.Stat(b)
	return aerr == nil && berr == nil && os.SameFile(fa, fb)
}
