package desk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"rotd/helper"
	"rotd/helper/npmrc"
	"rotd/ipc"
	"rotd/ipc/secret"
)

// standing is a line with a token in it.
type standing struct {
	file    string
	line    int
	key     string
	value   secret.Text
	own     bool // it is in the user's own file; else in a project's
	outcome string
	done    bool // the ROT's value is what is taken there now
}

// dir is the project's directory.
func (l *standing) dir() string { return filepath.Dir(l.file) }

// adoptee is one token, and where it stands.
type adoptee struct {
	ipc.Stray
	registry string
	value    secret.Text
	lines    []*standing
	rot      string // that is to take its place; "": none, and why says so
	why      string
	unknown  bool // rotd could not tell what it is
	revoked  bool
}

// search looks for tokens in files.
type search struct {
	*helper.Call
	registries []string // that an account is connected to
	found      []*adoptee
	left       []string        // what is left alone, and why
	files      int             // directory entries seen
	seen       map[string]bool // the .npmrc files
	failed     bool            // something could not be done
	// keeps has the registries whose token in the user's own file stays, and why.
	keeps map[string]string
}

const (
	// maxEntries is how many files and directories are looked at.
	maxEntries = 500_000
	// maxTokens is how many the registry is asked about: a file from elsewhere may
	// have any number of lines.
	maxTokens = 100
	// maxNpmrc is far beyond any .npmrc, in bytes.
	maxNpmrc = 1 << 20
)

var errTooMany = errors.New("too many files")

// walk looks at every .npmrc below a directory, once. It follows no symbolic links
// below it, and leaves out what was installed, and what is git's.
func (s *search) walk(ctx context.Context, dir, own string) error {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return helper.Local("name a folder that is there", "look for tokens: %v", err)
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if s.files++; s.files > maxEntries {
			return errTooMany
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && path == dir:
			return err
		case err != nil:
			s.left = append(s.left, path+": it cannot be read")
		case e.IsDir() && (e.Name() == "node_modules" || e.Name() == ".git"):
			return fs.SkipDir
		case e.Name() == ".npmrc" && e.Type().IsRegular() && !s.seen[path] && !sameFile(path, own):
			s.seen[path] = true
			s.read(path, false)
		}
		return nil
	})
	if errors.Is(err, errTooMany) {
		return helper.Local("name the folders of your projects", "there is too much below %s: rot looked at %d files and directories", dir, maxEntries)
	}
	return err
}

// read takes what one file has.
func (s *search) read(path string, own bool) {
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var src []byte
	if err == nil && (!fi.Mode().IsRegular() || fi.Size() > maxNpmrc) {
		err = errors.New("it is no .npmrc")
	}
	if err == nil {
		src, err = os.ReadFile(path)
	}
	if err != nil {
		s.left = append(s.left, short(s.Call, path)+": it cannot be read")
		return
	}
	for _, t := range npmrc.Tokens(src) {
		at := "line " + strconv.Itoa(t.Line) + " of " + short(s.Call, path)
		registry := s.registryOf(t.Key)
		switch {
		case strings.Contains(t.Value.Reveal(), "${"):
			s.left = append(s.left, at+": it names a variable, which stays")
			if own && registry != "" {
				s.keeps[registry] = "your own file names a variable"
			}
		case registry == "":
			s.left = append(s.left, at+": no account is connected at "+strings.TrimSuffix(t.Key, ":_authToken"))
		default:
			a := s.adoptee(registry, t.Value)
			a.lines = append(a.lines, &standing{file: path, line: t.Line, key: t.Key, value: t.Value, own: own})
		}
	}
}

// registryOf is the connected registry that a key is for.
func (s *search) registryOf(key string) string {
	for _, r := range s.registries {
		if full, err := npmrc.Key(r); err == nil && (key == full || key == strings.Replace(full, "/:_", ":_", 1)) {
			return r
		}
	}
	return ""
}

func (s *search) adoptee(registry string, value secret.Text) *adoptee {
	for _, a := range s.found {
		if a.registry == registry && a.value.Equal(value) {
			return a
		}
	}
	a := &adoptee{registry: registry, value: value}
	s.found = append(s.found, a)
	return a
}

// identify asks rotd what each token is, and which ROT is to take its place.
func (s *search) identify(ctx context.Context, rots []ipc.ROT, wanted string) error {
	if len(s.found) > maxTokens {
		return helper.Local("name folders with fewer of them", "there are %d different tokens here, and rot asks about %d at most", len(s.found), maxTokens)
	}
	for _, a := range s.found {
		err := s.Client().Post(ctx, ipc.PathStrays, ipc.FindStray{Registry: a.registry, Value: secret.Wire{Text: a.value}}, &a.Stray)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			a.unknown, a.why = true, "rotd cannot tell what it is: "+helper.AsError(err).Message
			s.failed = true
			continue
		}
		a.rot, a.why = a.successor(rots, wanted)
	}
	for _, a := range s.found {
		for _, l := range a.lines {
			if l.own && a.rot == "" {
				s.keeps[a.registry] = "your own file keeps its token, which hides the ROT's"
			}
		}
	}
	for _, a := range s.found {
		if why := s.keeps[a.registry]; a.rot != "" && why != "" {
			a.rot, a.why = "", why
		}
	}
	slices.SortStableFunc(s.found, func(a, b *adoptee) int { return a.ends().Compare(b.ends()) })
	return nil
}

// successor chooses the ROT for a token: the one that it is a value of, the one
// that was named, or the only one of the same account.
func (t *adoptee) successor(rots []ipc.ROT, wanted string) (ref, why string) {
	var fit []string
	narrow := ""
	for _, r := range rots {
		mine := r.Registry == t.registry && (!t.Accepted || strings.EqualFold(r.Username, t.Username))
		if t.ROT != "" {
			mine = r.Ref == t.ROT
		} else if wanted != "" {
			mine = mine && r.Ref == wanted
		}
		switch {
		case !mine || r.Generation == 0 || r.State == ipc.StateExpired:
		case t.Permission == ipc.PermissionWrite && !writes(r.Shape):
			narrow = r.Ref
		default:
			fit = append(fit, r.Ref)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], ""
	case len(fit) > 1:
		return "", "there are several ROTs for it: name one by --rot"
	case narrow != "":
		return "", "it may write packages, and " + narrow + " may not"
	case wanted != "" && t.ROT == "":
		return "", wanted + " is not of that account, or has no value"
	case t.Accepted && t.Passcard == "":
		return "", "the account is not connected: rot connect npm"
	case t.Passcard != "":
		return "", "the account has no ROT with a value: rot rotate " + t.Passcard
	}
	return "", "there is no ROT for it"
}

// writes tells whether tokens of that shape may publish, if only to a stage.
func writes(shape ipc.Shape) bool {
	return shape.Permission == ipc.PermissionWrite || shape.Permission == ipc.PermissionStage
}

func sameFile(a, b string) bool {
	fa, aerr := os.Stat(a)
	fb, berr := os.Stat(b)
	return aerr == nil && berr == nil && os.SameFile(fa, fb)
}
