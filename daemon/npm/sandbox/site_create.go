package sandbox

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The website's words for what a token may do, which are the form's values
// (A.7.1). The one for stage-only is not known: page_stage_only_value.
const (
	wordNone  = "No access"
	wordRead  = "Read only"
	wordWrite = "Read and write"
	wordStage = "Read and write (stage only)"
)

// Values of selectedPackagesAndScopes.
const (
	packagesAll  = "packagesAll"
	packagesSome = "packagesAndScopesSome"
)

// The texts of the form, npm's own (A.7.1).
const (
	textNameEmpty    = "Token name cannot be empty"
	textNameLong     = "Token name is too long (maximum is 40 characters)"
	textNameLetters  = "Token name can only contain letters, numbers, underscores, dashes, and spaces."
	textDescription  = "Token description is too long (maximum is 120 characters)"
	textExpiryPast   = "Invalid expiration value. Must be at least one day in the future."
	textExpiryLong   = "Invalid expiration value. Read-write tokens can only be valid for up to 90 days."
	textCIDR         = "One or more fields contains an invalid CIDR entry."
	textCIDREmpty    = "Please provide an IP address range before adding a new one."
	textNoPackage    = "You must select at least one package or scope."
	textNoOrg        = "You must select at least one organization if granting organization permissions to this token."
	textNothingHere  = "Please select at least one: package, scope here or organization below."
	textNothingAbove = "Please select at least one: organization here or package, scope above."
	textNothing      = "You must give this token access to at least one package, scope, or organization."
	textFailed       = "Token generation failed. Please review any errors and try again."
	textMax          = "Select at least one. Max 50." // not known to be the text of that error
)

var nameLetters = regexp.MustCompile(`^[A-Za-z0-9_\- ]+$`)

// word is a permission as the website says it.
func (s *Sandbox) word(permission string) string {
	switch permission {
	case permissionRead:
		return wordRead
	case permissionWrite:
		return wordWrite
	case permissionStage:
		return s.switches.PageStageOnlyValue
	}
	return wordNone
}

// permissionOf is the reverse of word, "" for what is none. Generation 1 of the
// form is older than stage-only tokens, its server is not.
func (s *Sandbox) permissionOf(word string) string {
	for _, p := range packagePermissions {
		if s.word(p) == word {
			return p
		}
	}
	return ""
}

// list is a field that holds several texts; false when it is not a list.
func (f form) list(name string) ([]string, bool) {
	var l []string
	if json.Unmarshal(f.raw[name], &l) != nil || l == nil {
		return nil, false
	}
	return l, true
}

// postTokenForm makes a token from the form (A.7.3). The answer is the list
// with the new token, or the form with its errors, status 200 either way.
func (s *Sandbox) postTokenForm(w http.ResponseWriter, r *http.Request, web *webSession) {
	f, ok := s.readForm(w, r)
	if !ok || s.guardPost(w, r, web, "", s.tokenPath("new"), f) {
		return
	}
	t, errs := s.createFromForm(f)
	if t == nil {
		s.showTokenForm(w, r, s.switches.PageErrorStatus, f.raw, errs)
		return
	}
	pg := s.tokensList(0, 10)
	pg.Props["newToken"] = t.Value
	w.Header().Set("push-state", s.tokensPath())
	s.show(w, r, http.StatusOK, pg)
}

// createFromForm makes the token, or tells what is wrong with each field. The
// key "" is for the form as a whole.
func (s *Sandbox) createFromForm(f form) (*granularToken, map[string]string) {
	if s.switches.HighImpactFreeze {
		return nil, map[string]string{"": frozenText}
	}
	a := s.askedByForm(f)
	if errs := s.formErrors(a, f); len(errs) > 0 {
		return nil, errs
	}
	t := s.mint(a)
	s.state.Tokens = append(s.state.Tokens, t)
	return t, nil
}

// askedByForm reads the form's fields. Packages and scopes count only where
// some are to be selected.
func (s *Sandbox) askedByForm(f form) asked {
	a := asked{
		name: f.get("tokenName"), description: f.get("tokenDescription"),
		permission:     s.permissionOf(f.get("packagesAndScopesPermission")),
		orgsPermission: s.permissionOf(f.get("orgsPermission")),
		bypass2FA:      f.get("bypass2FA") == "true",
		packages:       []string{}, scopes: []string{}, orgs: []string{}, cidr: []string{},
	}
	a.days, _ = strconv.Atoi(f.get("expirationDays")) // 0 is refused
	if a.permission != permissionNone {
		switch f.get("selectedPackagesAndScopes") {
		case packagesAll:
			a.packagesAll = true
		case packagesSome:
			a.packages, _ = f.list("selectedPackages")
			a.scopes, _ = f.list("selectedScopes")
		}
	}
	if a.orgsPermission != permissionNone {
		a.orgs, _ = f.list("selectedOrgs")
	}
	ranges, _ := f.list("allowedIPRanges")
	for _, r := range ranges {
		if r != "" { // [""] is none
			a.cidr = append(a.cidr, r)
		}
	}
	return a
}

// formErrors is what npm says to each field, by the field's name.
func (s *Sandbox) formErrors(a asked, f form) map[string]string {
	errs := map[string]string{}
	say := func(field string, wrong bool, text string) {
		if wrong && errs[field] == "" {
			errs[field] = text
		}
	}
	some := a.packagesAll || len(a.packages)+len(a.scopes) > 0
	say("tokenName", strings.TrimSpace(a.name) == "", textNameEmpty)
	say("tokenName", utf8.RuneCountInString(a.name) > maxName, textNameLong)
	say("tokenName", !nameLetters.MatchString(a.name), textNameLetters)
	say("tokenName", s.switches.DuplicateNameStatus != 0 && s.nameTaken(a.name), s.switches.PageDuplicateNameText)
	say("tokenDescription", utf8.RuneCountInString(a.description) > maxDescription, textDescription)
	say("expirationDays", a.days < 1 || a.days > 36500, textExpiryPast)
	say("expirationDays", a.writes() && a.days > maxWriteDays, textExpiryLong)
	say("allowedIPRanges", slices.ContainsFunc(a.cidr, func(c string) bool { return !isCIDR4(c) }), textCIDR)
	say("packagesAndScopes", a.permission == "", "Invalid permission.")
	say("orgs", !slices.Contains(orgPermissions, a.orgsPermission), "Invalid permission.")
	say("", a.permission == permissionNone && a.orgsPermission == permissionNone, textNothing)
	say("packagesAndScopes", a.permission != permissionNone && !some, textNoPackage)
	say("orgs", a.orgsPermission != permissionNone && len(a.orgs) == 0, textNoOrg)
	say("packagesAndScopes", len(a.packages)+len(a.scopes) > maxNamed, textMax)
	if len(errs) == 0 {
		if err := s.checkNamed(a); err != nil {
			errs[""] = err.Error()
		}
	}
	return errs
}

func isCIDR4(text string) bool {
	p, err := netip.ParsePrefix(text)
	return err == nil && p.Addr().Is4()
}
