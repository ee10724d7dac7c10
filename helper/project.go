package helper

import (
	"os"
	"path/filepath"
	"strings"

	"rotd/ipc/json"
)

// projectConfig finds the .npmrc that npm reads as the project's: beside the
// nearest package.json or node_modules, and for a member of a workspace, whose
// own it ignores, beside the package.json of the workspace.
func projectConfig(dir string) (string, bool) {
	project := ""
	for d := dir; d != ""; d = filepath.Dir(d) {
		if project == "" && (exists(d, "package.json") || exists(d, "node_modules")) {
			project = d
		} else if project != "" && hasMember(d, project) {
			project = d
			break
		}
		if d == filepath.Dir(d) {
			break
		}
	}
	if project == "" {
		project = dir
	}
	return filepath.Join(project, ".npmrc"), project != ""
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

// hasMember tells whether the package.json in a directory names another below it
// as of its workspace.
func hasMember(root, dir string) bool {
	src, err := os.ReadFile(filepath.Join(root, "package.json"))
	rel, rerr := filepath.Rel(root, dir)
	if err != nil || rerr != nil {
		return false
	}
	var list struct {
		Workspaces []string `json:"workspaces"`
	}
	var object struct { // as Yarn 1 has it
		Workspaces struct {
			Packages []string `json:"packages"`
		} `json:"workspaces"`
	}
	if json.Unmarshal(src, &list) != nil && json.Unmarshal(src, &object) == nil {
		list.Workspaces = object.Workspaces.Packages
	}
	for _, pattern := range list.Workspaces {
		pattern = strings.Trim(strings.TrimPrefix(pattern, "./"), "/")
		above, _, deep := strings.Cut(pattern, "**")
		if ok, _ := filepath.Match(pattern, rel); ok || deep && strings.HasPrefix(rel+"/", above) {
			return true
		}
	}
	return false
}
