package helper

import (
	"slices"
	"strings"

	"rotd/ipc"
	"rotd/ipc/fmt"
)

// A purpose is one of the usual shapes of a token.
type purpose struct {
	name  string
	line  string // what it is for
	shape ipc.Shape
}

// purposes are the values of --for. Their days are npm's limit for tokens that
// write and its default for those that only read (API, B.5).
var purposes = []purpose{
	{"publish", "publish packages: read and write, no second factor asked, 90 days", ipc.Shape{
		ExpiresDays: 90, PackagesAll: true, Permission: ipc.PermissionWrite, Bypass2FA: true,
	}},
	{"stage", "stage versions, which a person then approves: 90 days", ipc.Shape{
		ExpiresDays: 90, PackagesAll: true, Permission: ipc.PermissionStage,
	}},
	{"install", "install private packages: read only, 30 days", ipc.Shape{
		ExpiresDays: 30, PackagesAll: true, Permission: ipc.PermissionRead,
	}},
}

// january is what npm has announced for tokens of --for publish (npm-facts, C).
const january = `note: around January 2027 npm ends direct publishing with tokens that bypass
      2FA; they will still read and stage, and --for stage goes on as it is.
      https://gh.io/bypass-2fa-tokens-no-longer-publish`

// losesPublishing tells whether the announcement is about this shape.
func losesPublishing(s *ipc.Shape) bool {
	return s != nil && s.Bypass2FA && s.Permission == ipc.PermissionWrite
}

// shapeFlags are the flags that shape a token: --for and npm's own.
type shapeFlags struct {
	fs    *flagSet
	name  string // of the ROT
	what  string // --for
	shape ipc.Shape
}

// The flags that are not simply a field of ipc.Shape.
const (
	flagGrace       = "grace"
	flagRevokeNow   = "revoke-now"
	flagFor         = "for"
	flagPackages    = "packages"
	flagPackagesAll = "packages-all"
	flagScopes      = "scopes"
)

func newShapeFlags(fs *flagSet) *shapeFlags {
	f := &shapeFlags{fs: fs}
	fs.StringVar(&f.name, "name", "", "")
	fs.StringVar(&f.what, flagFor, "", "")
	s := &f.shape
	fs.StringVar(&s.Description, "description", "", "")
	fs.IntVar(&s.ExpiresDays, "expires", 0, "")
	fs.StringSliceVar(&s.Packages, flagPackages, nil, "")
	fs.BoolVar(&s.PackagesAll, flagPackagesAll, false, "")
	fs.StringSliceVar(&s.Scopes, flagScopes, nil, "")
	fs.StringSliceVar(&s.Orgs, "orgs", nil, "")
	fs.StringVar(&s.Permission, "packages-and-scopes-permission", "", "")
	fs.StringVar(&s.OrgsPerm, "orgs-permission", "", "")
	fs.StringSliceVar(&s.CIDR, "cidr", nil, "")
	fs.BoolVar(&s.Bypass2FA, "bypass-2fa", false, "")
	return f
}

// wanted is the shape that the flags describe, nil where none of them was
// given. A flag beats what --for says.
func (f *shapeFlags) wanted() (*ipc.Shape, error) {
	said := false
	for _, name := range f.fs.Given() {
		said = said || !slices.Contains([]string{"name", "socket", "json", flagGrace, flagRevokeNow}, name)
	}
	if !said {
		return nil, nil
	}
	s := f.shape
	if f.fs.Changed("expires") && s.ExpiresDays < 1 {
		return nil, fmt.Errorf("--expires is a number of days, 1 or more")
	}
	if f.fs.Changed(flagFor) {
		preset, err := purposeOf(f.what)
		if err != nil {
			return nil, err
		}
		f.fill(&s, preset)
	}
	if err := checkPermission("packages-and-scopes-permission", s.Permission, ipc.PermissionStage); err != nil {
		return nil, err
	}
	if err := checkPermission("orgs-permission", s.OrgsPerm, ""); err != nil {
		return nil, err
	}
	if s.PackagesAll && len(s.Packages)+len(s.Scopes) > 0 {
		return nil, fmt.Errorf("--packages-all and the names of packages or scopes contradict each other")
	}
	return &s, nil
}

// fill takes from the preset what no flag has said.
func (f *shapeFlags) fill(s *ipc.Shape, preset ipc.Shape) {
	narrowed := len(s.Packages)+len(s.Scopes) > 0
	if !f.fs.Changed(flagPackagesAll) {
		s.PackagesAll = preset.PackagesAll && !narrowed
	}
	if !f.fs.Changed("expires") {
		s.ExpiresDays = preset.ExpiresDays
	}
	if !f.fs.Changed("packages-and-scopes-permission") {
		s.Permission = preset.Permission
	}
	if !f.fs.Changed("bypass-2fa") {
		s.Bypass2FA = preset.Bypass2FA
	}
}

func purposeOf(name string) (ipc.Shape, error) {
	for _, p := range purposes {
		if p.name == name {
			return p.shape, nil
		}
	}
	return ipc.Shape{}, fmt.Errorf("--for is publish, stage or install, not %q", name)
}

func checkPermission(flag, value, more string) error {
	known := []string{ipc.PermissionNone, ipc.PermissionRead, ipc.PermissionWrite}
	if more != "" {
		known = append(known, more)
	}
	if value == "" || slices.Contains(known, value) {
		return nil
	}
	return fmt.Errorf("--%s is one of %s, not %q", flag, strings.Join(known, ", "), value)
}
