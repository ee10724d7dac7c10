package helper

import (
	"path/filepath"
	"strings"

	"rotd/helper/early"
)

// HelperPrefix begins the name of a link that answers as pnpm's tokenHelper.
const HelperPrefix = early.LinkPrefix

// Arguments are what follows the name of the program in a command line. Under
// the name of such a link rot answers as pnpm wants it.
func Arguments(argv []string) []string {
	ref, ok := strings.CutPrefix(filepath.Base(argv[0]), HelperPrefix)
	if !ok {
		return argv[1:]
	}
	return append([]string{get.name, ref, "--format", formatPnpm}, argv[1:]...)
}
