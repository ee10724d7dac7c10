package desk

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"rotd/helper"
	"rotd/helper/npmrc"
	"rotd/ipc"
)

// npmrcs looks for what npm would take instead of a fresh token: a variable, a
// line in the project's file, a line in the user's that nothing keeps current.
func (x *examination) npmrcs(s ipc.Status) {
	var registries []string
	for _, p := range s.Passcards {
		if !slices.Contains(registries, p.Registry) {
			registries = append(registries, p.Registry)
		}
	}
	before := len(x.checks)
	user, err := x.UserConfig()
	if err != nil {
		user = ""
	}
	project := x.ProjectConfig()
	for _, registry := range registries {
		key, err := npmrc.Key(registry)
		if err != nil {
			continue
		}
		for _, s := range x.Shadows(key) {
			x.found("npmrc", false, "the environment sets "+s.Variable+", which "+s.Take+" instead of any file", "unset it")
		}
		x.npmrc(project, registry, "")
		x.npmrc(user, registry, keeperOf(s.ROTs, user, registry))
	}
	if len(registries) > 0 && len(x.checks) == before {
		x.found("npmrc", true, "nothing hides the token that rot hands over", "")
	}
}

// keeperOf is the ROT that rotd keeps the file current with; "" is none.
func keeperOf(rots []ipc.ROT, file, registry string) string {
	for _, r := range rots {
		for _, d := range r.Deliveries {
			if of, ok := helper.RegistryOf(d, file); ok && of == registry {
				return r.Ref
			}
		}
	}
	return ""
}

// npmrc looks at the registry's token in one file. The user's has the ROT that
// keeps it, if there is one; the project's is read before it.
func (x *examination) npmrc(file, registry, keeper string) {
	src, err := os.ReadFile(file)
	if err != nil {
		return
	}
	line, placeholder, ok := npmrc.Lookup(src, registry)
	at := "line " + strconv.Itoa(line) + " of " + file
	switch {
	case !ok:
	case placeholder != "":
		text := at + " takes the token from " + placeholder
		if name := strings.Trim(placeholder, "${?}"); x.Getenv(name) != "" {
			text += ", which is set here and does not change with the ROT"
		}
		x.found("npmrc", true, text, "rot exec REF -- CMD sets it to the present token, for CMD alone")
	case file == x.ProjectConfig():
		x.found("npmrc", false, at+" is a token that npm takes before the one in your own file", "delete that line, or have rot adopt do it")
	case keeper != "":
		x.found("npmrc", true, at+" is kept current with "+keeper, "")
	default:
		x.found("npmrc", true, at+" is a token that nothing keeps current", "rot adopt; or rot npmrc REF --link")
	}
}

// publishing looks for what npm's trusted publishing serves: jobs on machines of
// GitHub's, GitLab.com's and CircleCI's, and no others (npm-facts, part C).
func (x *examination) publishing() {
	const better = "publish by trusted publishing rather than with a token of rotd's: npm help trust"
	is := func(name, want string) bool { return x.Getenv(name) == want }
	where := ""
	switch {
	case is("GITHUB_ACTIONS", "true") && is("RUNNER_ENVIRONMENT", "github-hosted"):
		where = "this is a runner of GitHub's own: npm needs no token to publish from it"
	case is("GITLAB_CI", "true") && is("CI_SERVER_HOST", "gitlab.com") && strings.Contains(x.Getenv("CI_RUNNER_TAGS"), "saas-"):
		where = "this is a runner of GitLab.com's own: npm needs no token to publish from it"
	case is("CIRCLECI", "true"):
		where = "this is CircleCI: npm needs no token to publish from its cloud"
	}
	if where != "" {
		x.found("publishing", true, where, better)
	}
	for _, file := range hostedPublishers(x.Dir()) {
		x.found("publishing", true, file+" publishes from a runner of GitHub's own, where npm needs no token", better)
	}
}

// hostedPublishers are the workflows of the project around dir that publish with
// a token on GitHub's own runners.
func hostedPublishers(dir string) []string {
	for d := dir; d != ""; d = filepath.Dir(d) {
		files, _ := filepath.Glob(filepath.Join(d, ".github", "workflows", "*.y*ml"))
		if len(files) > 0 {
			return slices.DeleteFunc(files, func(file string) bool {
				src, err := os.ReadFile(file)
				return err != nil || !publishesHosted(string(src))
			})
		}
		if d == filepath.Dir(d) {
			break
		}
	}
	return nil
}

func publishesHosted(workflow string) bool {
	publishes, hosted := false, false
	for line := range strings.Lines(workflow) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		_, runner, ok := strings.Cut(line, "runs-on:")
		hosted = hosted || ok && !strings.Contains(runner, "self-hosted") &&
			(strings.Contains(runner, "ubuntu-") || strings.Contains(runner, "macos-") || strings.Contains(runner, "windows-"))
		publishes = publishes || strings.Contains(line, "npm publish") // pnpm's and yarn's, too
		if strings.HasPrefix(line, "id-token:") {
			return false // it has no token of npm's, or need not have
		}
	}
	return publishes && hosted
}
