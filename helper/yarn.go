package helper

import (
	"os"
	"path/filepath"
	"strings"
)

// Yarn 2 and later reads no .npmrc: the token is yarnToken, for the registry that
// yarnRegistry or a .yarnrc.yml names, whichever that is.
const (
	yarnToken    = "YARN_NPM_AUTH_TOKEN"
	yarnRegistry = "YARN_NPM_REGISTRY_SERVER"
)

// yarnServer is the registry that Yarn is told of, "" where it is told of none.
func (c *call) yarnServer() string {
	if server := c.Getenv(yarnRegistry); server != "" {
		return server
	}
	for dir := c.Dir(); dir != ""; dir = filepath.Dir(dir) {
		if server := yarnServerIn(filepath.Join(dir, ".yarnrc.yml")); server != "" {
			return server
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return yarnServerIn(filepath.Join(c.Getenv("HOME"), ".yarnrc.yml"))
}

// sameRegistry compares two addresses.
func sameRegistry(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, "/"), strings.TrimRight(b, "/"))
}

// yarnServerIn reads the setting where it stands as Yarn writes it.
func yarnServerIn(file string) string {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "npmRegistryServer:"); ok {
			value, _, _ = strings.Cut(value, " #")
			return strings.Trim(value, " \t\r\n\"'")
		}
	}
	return ""
}
