package helper

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rotd/ipc"
	"rotd/ipc/fmt"
)

// keepOutOfGit refuses a file that git would take into a repository: the token
// in it would be committed, and one that was published is to be revoked. It asks
// git itself, as only git knows all of what it ignores. real is the file, with
// symbolic links followed.
func (c *call) keepOutOfGit(real string) error {
	top, ok := gitTree(filepath.Dir(real))
	if !ok {
		return nil
	}
	ignored, err := c.gitIgnores(real)
	switch {
	case err != nil:
		return local("have git in PATH; or write your own file: rot npmrc REF", "find out whether git ignores %s: %v", real, err)
	case ignored:
		return nil
	}
	inTree, _ := filepath.Rel(top, real)
	return &ipc.Error{Code: ipc.CodeLocal,
		Message: fmt.Sprintf("%s is in the git repository %s, which does not ignore it: the token would be committed", real, top),
		Hint: fmt.Sprintf("leave the project's file without a token: rot npmrc REF writes your own, rot exec REF -- CMD needs none; or have it ignored: echo /%s >>%s (and git rm --cached it, if it is committed)",
			inTree, filepath.Join(top, ".gitignore"))}
}

// gitTree finds the git repository around a directory.
func gitTree(dir string) (top string, ok bool) {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(filepath.Join(d, ".git")); err == nil { // a file, in a worktree
			return d, true
		}
		if d == filepath.Dir(d) {
			return "", false
		}
	}
}

// gitIgnores tells whether git would never take a file: it is ignored, and not
// in the repository already. A repository may name programs that git is to run:
// those of somebody else git does not trust, and the one that runs for this
// command is turned off.
func (c *call) gitIgnores(file string) (bool, error) {
	git, err := lookPath("git", c.Getenv("PATH"))
	if err != nil {
		return false, fmt.Errorf("there is no git")
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer null.Close()
	p, err := os.StartProcess(git, []string{"git", "-c", "core.fsmonitor=false", "check-ignore", "-q", "--", file}, &os.ProcAttr{
		Dir:   filepath.Dir(file),
		Files: []*os.File{null, null, null},
		Env:   slices.DeleteFunc(slices.Clone(c.Environ), func(kv string) bool { return strings.HasPrefix(kv, "GIT_") }),
	})
	if err != nil {
		return false, err
	}
	state, err := p.Wait()
	if err != nil {
		return false, err
	}
	const yes, no = 0, 1
	if code := state.ExitCode(); code != yes && code != no {
		return false, fmt.Errorf("git says %d: try git -C %s status", code, filepath.Dir(file))
	}
	return state.ExitCode() == yes, nil
}
