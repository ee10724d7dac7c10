package daemon

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"rotd/ipc"
)

// maxChosen is how many packages and scopes, and how many organizations, one
// token takes (DOCS, "Limits").
const maxChosen = 50

// maxWriteDays is the longest life of a token that may write (API, B.5).
const maxWriteDays = 90

// maxDescription is in characters (FE, A.7.1).
const maxDescription = 120

// checkShape refuses what npm would refuse, before a second factor is spent on
// it. What it lets through npm may still refuse.
func checkShape(s *ipc.Shape) error {
	wrong := func(format string, args ...any) error {
		return badRequest("this is no token that npm makes: "+fmt.Sprintf(format, args...), "rot rotate --help lists the flags that shape a token")
	}
	if !slices.Contains([]string{"", ipc.PermissionNone, ipc.PermissionRead, ipc.PermissionWrite, ipc.PermissionStage}, s.Permission) {
		return wrong("the permission for packages and scopes is no-access, read-only, read-write or read-write-stage-only")
	}
	if !slices.Contains([]string{"", ipc.PermissionNone, ipc.PermissionRead, ipc.PermissionWrite}, s.OrgsPerm) {
		return wrong("the permission for organizations is no-access, read-only or read-write")
	}
	chosen := len(s.Packages) + len(s.Scopes)
	writes := s.Permission == ipc.PermissionWrite || s.Permission == ipc.PermissionStage || s.OrgsPerm == ipc.PermissionWrite
	switch {
	case s.ExpiresDays < 0:
		return wrong("its life is a number of days, 1 or more")
	case writes && s.ExpiresDays > maxWriteDays:
		return wrong("a token that can write lives %d days at most, not %d", maxWriteDays, s.ExpiresDays)
	case s.PackagesAll && len(s.Packages) > 0:
		return wrong("it is for all packages or for those named, not both")
	case chosen > maxChosen || len(s.Orgs) > maxChosen:
		return wrong("it names more than %d packages and scopes, or organizations", maxChosen)
	case !s.PackagesAll && chosen == 0 && len(s.Orgs) == 0:
		return wrong("it must be for at least one package, scope or organization, or for all packages")
	case len([]rune(s.Description)) > maxDescription:
		return wrong("its description is longer than %d characters", maxDescription)
	}
	for _, scope := range s.Scopes {
		if !strings.HasPrefix(scope, "@") {
			return wrong("the scope %q does not begin with @", scope)
		}
	}
	for _, c := range s.CIDR {
		if p, err := netip.ParsePrefix(c); err != nil || !p.Addr().Is4() {
			return wrong("%q is not an IPv4 range such as 203.0.113.0/24", c)
		}
	}
	return nil
}
