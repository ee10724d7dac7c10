package daemon

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// noID is the uid of nobody in particular.
const noID int64 = -1

// closedTo is what on the way to a socket keeps a user out: a directory that he
// may not search, or the socket. "" is nothing, as far as modes say: there may
// be access lists. With anyGroup a group's leave will do, whichever it is.
func closedTo(path string, uid int64, gids []uint32, anyGroup bool) string {
	if uid == 0 {
		return ""
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	const search, write = 1, 2
	need := uint32(write)
	for at := path; ; at, need = filepath.Dir(at), search {
		fi, err := os.Stat(at)
		if err != nil {
			return ""
		}
		st, ok := fi.Sys().(*syscall.Stat_t)
		if !ok {
			return ""
		}
		mode := uint32(fi.Mode().Perm())
		var may uint32
		switch {
		case int64(st.Uid) == uid:
			may = mode >> 6
		case slices.Contains(gids, st.Gid):
			may = mode >> 3
		case anyGroup:
			may = mode>>3 | mode
		default:
			may = mode
		}
		if may&need == 0 {
			return at
		}
		if at == filepath.Dir(at) {
			return ""
		}
	}
}
