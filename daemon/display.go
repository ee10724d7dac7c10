package daemon

import (
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"rotd/ipc"
)

var (
	x11Name     = regexp.MustCompile(`^[A-Za-z0-9._/-]*:[0-9]{1,5}(\.[0-9]{1,3})?$`)
	waylandName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
)

// maxDisplayPath bounds a path that names a display.
const maxDisplayPath = 1024

// displayEnv is the environment by which a browser finds the caller's display;
// nil where there is none. What is passed on is a name or a path and nothing
// else.
func displayEnv(d *ipc.Display) ([]string, error) {
	if d == nil {
		return nil, nil
	}
	env := []string{}
	for _, v := range []struct {
		name, value string
		ok          bool
	}{
		{"DISPLAY", d.X11, x11Name.MatchString(d.X11) && len(d.X11) <= maxDisplayPath},
		{"XAUTHORITY", d.XAuthority, isPath(d.XAuthority)},
		{"WAYLAND_DISPLAY", d.Wayland, waylandName.MatchString(d.Wayland) || isPath(d.Wayland)},
		{"XDG_RUNTIME_DIR", d.RuntimeDir, isPath(d.RuntimeDir)},
	} {
		if v.value == "" {
			continue
		}
		if !v.ok {
			return nil, badRequest(v.name+" names no display", "set it right, or go without a window: --terminal")
		}
		env = append(env, v.name+"="+v.value)
	}
	if d.X11 == "" && d.Wayland == "" && runtime.GOOS != "darwin" {
		return nil, badRequest("the request names no display", "give DISPLAY or WAYLAND_DISPLAY, or go without a window: --terminal")
	}
	return env, nil
}

func isPath(s string) bool {
	return filepath.IsAbs(s) && filepath.Clean(s) == strings.TrimRight(s, "/") && len(s) <= maxDisplayPath &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
