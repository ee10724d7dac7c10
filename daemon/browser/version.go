package browser

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// Check tells which browser Start would start, without starting it: its path,
// and what it says of itself ("Chromium 156.0.7204.92"). Of c it looks at Exec,
// Env and NoSandbox. Its errors are those of Start.
func Check(ctx context.Context, c Config) (path, version string, err error) {
	if err := checkRoot(c.NoSandbox); err != nil {
		return "", "", err
	}
	env := c.Env
	if env == nil {
		env = os.Environ()
	}
	if path, err = Find(c.Exec, lookup(env)); err != nil {
		return "", "", err
	}
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = env
	out, err := cmd.Output()
	version, _, _ = strings.Cut(strings.TrimSpace(string(out)), "\n")
	version, _, _ = strings.Cut(version, " built on ") // Debian's
	if err != nil || version == "" {
		return "", "", &Error{Kind: ErrFailed, Message: path + " does not say which version it is",
			Hint: "see what it prints: " + path + " --version; or name another: rotd run --browser PATH"}
	}
	return path, version, nil
}

// checkRoot refuses root, whom Chromium gives no sandbox.
func checkRoot(noSandbox bool) error {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 || noSandbox {
		return nil
	}
	return &Error{Kind: ErrRootSandbox,
		Message: "Chromium does not run as root with its sandbox",
		Hint:    "run rotd as another user, or, where what it opens is trusted, with --browser-no-sandbox"}
}
