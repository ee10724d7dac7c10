package helper

import (
	"os"
	"slices"
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
// token, which its client prefers to every file. Its prefix is npm's or pnpm's.
func isTokenVariable(variable, key string) bool {
	return isVariable(NpmVariable, variable, key) || isVariable(PnpmVariable, variable, key)
}

// isVariable tells whether an environment variable is one that is read at the
// place.
func isVariable(p Place, variable, key string) bool {
	prefixes := []string{"npm_config_"}
	switch p {
	case PnpmVariable:
		prefixes = append(prefixes, "pnpm_config_")
	case NpmVariable:
	case YarnVariable:
		return variable == "YARN_NPM_AUTH_TOKEN"
	case BunVariable:
		return variable == "BUN_CONFIG_TOKEN" || variable == "NPM_CONFIG_TOKEN"
	default:
		return false
	}
	for _, prefix := range prefixes {
		if len(variable) > len(prefix) && strings.EqualFold(variable[:len(prefix)], prefix) {
			name := variable[len(prefix):]
			return name == key || name == strings.Replace(key, "/:_", ":_", 1)
		}
	}
	return false
}

// variables names those that are set.
func (c *call) variables(p Place, key string) []string {
	var names []string
	for _, kv := range c.Environ {
		if k, v, _ := strings.Cut(kv, "="); isVariable(p, k, key) && v != "" && !slices.Contains(names, k) {
			names = append(names, k)
		}
	}
	return names
}

// before names the clients that look at a place before they look at another.
func before(p, other Place) []string {
	var names []string
	for _, cl := range Clients {
		if i := slices.Index(cl.Order, p); i >= 0 && i < slices.Index(cl.Order, other) {
			names = append(names, cl.Name)
		}
	}
	return names
}

// take is "npm takes", "npm and Bun take", "npm and 3 others take".
func take(clients []string) string {
	switch n := len(clients); n {
	case 1:
		return clients[0] + " takes"
	case 2:
		return clients[0] + " and " + clients[1] + " take"
	default:
		return fmt.Sprintf("%s and %d others take", clients[0], n-1)
	}
}

// Shadow is an environment variable with a token that hides one in a file.
type Shadow struct {
	Variable string
	Take     string // "npm and pnpm 11+ take"
}

// shadows are those that hide the token in the file that is read at a place.
func (c *call) shadows(key string, at Place) []Shadow {
	var all []Shadow
	for _, p := range []Place{PnpmVariable, BunVariable} {
		for _, name := range c.variables(p, key) {
			who := before(p, at)
			if isVariable(NpmVariable, name, key) {
				who = append(before(NpmVariable, at), who...)
			}
			if len(who) > 0 {
				all = append(all, Shadow{name, take(who)})
			}
		}
	}
	return all
}

// warnShadows tells of what a client reads before the file, and what would so
// hide the token in it: an environment variable, or the project's own .npmrc.
// The latter may name one of the variables in handed, which hold the same
// token.
func (c *call) warnShadows(registry, file string, handed []string) {
	key, err := npmrc.Key(registry)
	if err != nil {
		return
	}
	at, project := UserNpmrc, c.projectNpmrc(c.Dir())
	if project != "" && sameFile(project, file) {
		at = ProjectNpmrc
	}
	if handed == nil {
		for _, s := range c.shadows(key, at) {
			c.warn("the environment sets " + s.Variable + ", which " + s.Take + " instead: unset it")
		}
	}
	if at == UserNpmrc && project != "" {
		c.warnProject(project, registry, handed)
	}
}

// warnProject tells of the token in the project's file.
func (c *call) warnProject(project, registry string, handed []string) {
	src, err := os.ReadFile(project)
	if err != nil {
		return
	}
	line, value, ok := npmrc.Lookup(src, registry)
	name := strings.TrimRight(strings.TrimPrefix(value, "${"), "?}")
	switch {
	case !ok || value != "" && slices.Contains(handed, name):
	case value != "" && !c.isSet(name):
		c.warn(fmt.Sprintf("line %d of %s takes the token from %s, which is not set: npm sends these words instead of your token: delete that line, or: rot exec REF -- CMD", line, project, value))
	default:
		c.warn(fmt.Sprintf("%s the token of the project's own file instead, here: delete line %d of %s", take(before(ProjectNpmrc, UserNpmrc)), line, project))
	}
}

// isSet tells whether there is an environment variable of that name.
func (c *call) isSet(name string) bool {
	return slices.ContainsFunc(c.Environ, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
}

// projectNpmrc is the .npmrc of the project around a directory; "" where that is
// the user's own.
func (c *call) projectNpmrc(dir string) string {
	project, ok := projectConfig(dir)
	if own, err := c.userConfig(); !ok || err == nil && sameFile(project, own) {
		return ""
	}
	return project
}

func sameFile(a, b string) bool {
	fa, aerr := os.Stat(a)
	fb, berr := os.Stat(b)
	return aerr == nil && berr == nil && os.SameFile(fa, fb)
}
