package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// npm's words for what a token may do.
const (
	permissionNone  = "no-access"
	permissionRead  = "read-only"
	permissionWrite = "read-write"
	permissionStage = "read-write-stage-only" // npm 11.20 and later
)

var (
	packagePermissions = []string{permissionNone, permissionRead, permissionWrite, permissionStage}
	orgPermissions     = []string{permissionNone, permissionRead, permissionWrite}
)

// Limits of a token (A.7, C).
const (
	maxName        = 40
	maxDescription = 120
	maxNamed       = 50 // packages and scopes together; organizations
	maxTokens      = 1000
	maxWriteDays   = 90
	defaultDays    = 30
	defaultRWDays  = 7
)

// npmText is an error text of npm's own, capital and full stop included.
type npmText string

func (t npmText) Error() string { return string(t) }

// asked is the body of a creation, whichever of the two spellings it came in.
type asked struct {
	name, password, description string
	days                        int       // 0: until, or the default
	until                       time.Time // an ISO date was given
	packages, scopes, orgs      []string
	packagesAll                 bool
	permission, orgsPermission  string
	namesPermission             bool // a permission was named, if only no-access
	cidr                        []string
	bypass2FA                   bool
}

// readAsked reads the body. "cli" and "api" honour one spelling only, "both"
// takes either (B.5).
func (s *Sandbox) readAsked(body io.Reader) (asked, error) {
	var raw map[string]any
	if err := json.NewDecoder(body).Decode(&raw); err != nil {
		return asked{}, errors.New("the body is not JSON")
	}
	cli, api := s.switches.BodySpelling != "api", s.switches.BodySpelling != "cli"
	spelled := func(cliName, apiName string) any {
		if v, ok := raw[cliName]; ok && cli {
			return v
		}
		if v, ok := raw[apiName]; ok && api {
			return v
		}
		return nil
	}
	var a asked
	a.name, _ = raw["name"].(string)
	a.password, _ = raw["password"].(string)
	a.description, _ = spelled("description", "token_description").(string)
	a.bypass2FA, _ = raw["bypass_2fa"].(bool)
	if all, _ := raw["packages_all"].(bool); all && cli {
		a.packagesAll = true
	}
	if a.name == "" {
		return a, npmText("Token name is required")
	}
	for _, list := range []struct {
		into  *[]string
		value any
		err   string
	}{
		{&a.packages, raw["packages"], "Packages must be an array"},
		{&a.scopes, raw["scopes"], "Scopes must be an array"},
		{&a.orgs, raw["orgs"], "Organizations must be an array"},
		{&a.cidr, spelled("cidr_whitelist", "cidr"), "One or more fields contains an invalid CIDR entry."},
	} {
		var ok bool
		if *list.into, ok = stringList(list.value); !ok {
			return a, npmText(list.err)
		}
	}
	if slices.Equal(a.packages, []string{"*"}) && api {
		a.packages, a.packagesAll = []string{}, true
	}
	return a, a.readRest(raw)
}

// readRest reads permissions and expiry, and fills in npm's defaults.
func (a *asked) readRest(raw map[string]any) error {
	a.permission, _ = raw["packages_and_scopes_permission"].(string)
	a.orgsPermission, _ = raw["orgs_permission"].(string)
	a.namesPermission = a.permission != "" || a.orgsPermission != ""
	if a.permission == "" {
		a.permission = defaultPermission(a.packagesAll || len(a.packages)+len(a.scopes) > 0)
	}
	if a.orgsPermission == "" {
		a.orgsPermission = defaultPermission(len(a.orgs) > 0)
	}
	invalid := npmText("Invalid expiration value. Must be at least one day in the future.")
	switch v := raw["expires"].(type) {
	case nil:
	case float64:
		if v < 1 || v != math.Trunc(v) || v > 36500 {
			return invalid
		}
		a.days = int(v)
	case string:
		until, err := time.Parse(time.RFC3339, v)
		if err != nil {
			until, err = time.Parse(time.DateOnly, v)
		}
		if err != nil {
			return invalid
		}
		a.until = until.UTC()
	default:
		return invalid
	}
	return nil
}

func defaultPermission(listed bool) string {
	if listed {
		return permissionRead
	}
	return permissionNone
}

// stringList is never nil when ok.
func stringList(v any) ([]string, bool) {
	if v == nil {
		return []string{}, true
	}
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]string, len(list))
	for i, e := range list {
		if out[i], ok = e.(string); !ok {
			return nil, false
		}
	}
	return out, true
}

func (a asked) writes() bool {
	return strings.HasPrefix(a.permission, permissionWrite) || a.orgsPermission == permissionWrite
}

// expiry is when the token ends: 7 days by default for one that writes, 30 for
// others.
func (a asked) expiry(now time.Time) time.Time {
	switch {
	case !a.until.IsZero():
		return a.until
	case a.days != 0:
		return now.AddDate(0, 0, a.days)
	case a.writes():
		return now.AddDate(0, 0, defaultRWDays)
	}
	return now.AddDate(0, 0, defaultDays)
}

// checkAsked returns npm's own text for the first thing that is wrong (B.5,
// and A.7.1 where the API's text is not known).
func (s *Sandbox) checkAsked(a asked) error {
	some := a.packagesAll || len(a.packages)+len(a.scopes) > 0
	switch {
	case utf8.RuneCountInString(a.name) > maxName:
		return npmText("Token name is too long (maximum is 40 characters)")
	case utf8.RuneCountInString(a.description) > maxDescription:
		return npmText("Token description is too long (maximum is 120 characters)")
	case !slices.Contains(packagePermissions, a.permission):
		return npmText("Invalid packages_and_scopes_permission. Must be one of: no-access, read-only, read-write")
	case !slices.Contains(orgPermissions, a.orgsPermission):
		return npmText("Invalid orgs_permission. Must be one of: no-access, read-only, read-write")
	case !some && len(a.orgs) == 0 && !a.namesPermission:
		return npmText("You must have at least one package / scope or organization added to this token.")
	case a.orgsPermission != permissionNone && len(a.orgs) == 0:
		return npmText("You must select at least one organization if granting organization permissions to this token.")
	case a.permission != permissionNone && !some:
		return npmText("You must select at least one package or scope if granting package/scopes permissions to this token.")
	case a.permission == permissionNone && a.orgsPermission == permissionNone:
		return npmText("Please select at least one: package, scope or organization.")
	}
	if err := s.checkExpiry(a); err != nil {
		return err
	}
	for _, c := range a.cidr {
		if ip, _, err := net.ParseCIDR(c); err != nil || ip.To4() == nil || strings.Contains(c, ":") {
			return npmText("One or more fields contains an invalid CIDR entry.")
		}
	}
	return s.checkNamed(a)
}

func (s *Sandbox) checkExpiry(a asked) error {
	now := s.now()
	expiry := a.expiry(now)
	// A date without a time is midnight: tomorrow is at least one day ahead.
	if !expiry.After(now) {
		return npmText("Invalid expiration value. Must be at least one day in the future.")
	}
	if a.writes() && expiry.After(now.AddDate(0, 0, maxWriteDays)) {
		return npmText("Read-write tokens cannot have expiration longer than 90 days")
	}
	return nil
}

// checkNamed checks what the token is for. npm refuses packages that do not
// exist; its words for that are not known.
func (s *Sandbox) checkNamed(a asked) error {
	if len(a.packages)+len(a.scopes) > maxNamed || len(a.orgs) > maxNamed {
		return npmText("Select at least one. Max 50.")
	}
	live := 0
	for _, t := range s.state.Tokens {
		if t.Revoked == nil {
			live++
		}
	}
	if live >= maxTokens {
		return npmText("You have reached the limit of 1000 granular access tokens.")
	}
	if s.switches.AllowUnknownNames {
		return nil
	}
	for _, p := range a.packages {
		if s.state.Packages[p] == nil {
			return npmText(fmt.Sprintf("Package %s does not exist or you do not have access to it.", p))
		}
	}
	for _, scope := range a.scopes {
		if !s.ownsScope(scope) {
			return npmText(fmt.Sprintf("Scope %s does not exist or you do not have access to it.", scope))
		}
	}
	for _, org := range a.orgs {
		if !slices.Contains(s.cfg.Orgs, org) {
			return npmText(fmt.Sprintf("Organization %s does not exist or you do not have access to it.", org))
		}
	}
	return nil
}

// ownsScope: the account's own scope and those of its organizations.
func (s *Sandbox) ownsScope(scope string) bool {
	name, ok := strings.CutPrefix(scope, "@")
	return ok && (name == s.cfg.User || slices.Contains(s.cfg.Orgs, name))
}
