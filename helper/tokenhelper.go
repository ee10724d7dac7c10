package helper

import (
	"path/filepath"
	"strings"
)

// HelperPrefix begins the name of a link to rot that pnpm runs to get a token
// (tokenHelper), without arguments: the reference follows in the name.
const HelperPrefix = "rot-helper-"

// Arguments are what follows the name of the program in a command line. Under
// the name of such a link rot answers as pnpm wants it.
func Arguments(argv []string) []string {
	ref, ok := strings.CutPrefix(filepath.Base(argv[0]), HelperPrefix)
	if !ok {
		return argv[1:]
	}
	return append([]string{get.name, ref, "--format", formatPnpm}, argv[1:]...)
}
