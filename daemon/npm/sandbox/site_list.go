package sandbox

import (
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
)

// The renderers of the settings pages. Their names are not known; these are
// made up.
const (
	rendererTokens  = "tokens/list"
	rendererDetails = "tokens/gat/details"
	rendererForm    = "tokens/gat/create"
	rendererTFA     = "settings/tfa"
	rendererKeys    = "settings/tfa-list"
)

// siteToken is a token as the list's props tell it (PLAID, A.6).
type siteToken struct {
	ID      string     `json:"id"`
	Token   string     `json:"token"` // the first and last four characters
	Name    string     `json:"token_name"`
	Type    string     `json:"token_type"`
	Expires *time.Time `json:"expires"`
	Created time.Time  `json:"created"`
	CIDR    []string   `json:"cidr_whitelist"`
	Hash    string     `json:"hash"`
}

func describeForSite(t *granularToken) siteToken {
	sum := sha512.Sum512([]byte(t.Value))
	return siteToken{
		ID: t.Key, Token: t.Value[:4] + "..." + t.Value[len(t.Value)-4:], Name: t.Name, Type: "granular",
		Expires: t.Expiry, Created: t.Created, CIDR: t.CIDR, Hash: hex.EncodeToString(sum[:]),
	}
}

// tokensPage is the list, with a new token at its top if this browser has just
// made one by a post that was held.
func (s *Sandbox) tokensPage(w http.ResponseWriter, r *http.Request, web *webSession) {
	if s.guardPage(w, r, web, settingsList) {
		return
	}
	pg := s.tokensList(queryInt(r, "page", 0), max(1, queryInt(r, "perPage", 10)))
	pg.Props["notifications"] = append([]notice{}, web.Notices...)
	if web.NewToken != "" {
		pg.Props["newToken"] = web.NewToken
	}
	web.NewToken, web.Notices = "", nil
	s.show(w, r, http.StatusOK, pg)
}

// tokensList is one page of the list: tokens that are not deleted, newest
// first.
func (s *Sandbox) tokensList(number, perPage int) page {
	all := []siteToken{}
	for _, t := range slices.Backward(s.state.Tokens) {
		if t.Revoked == nil {
			all = append(all, describeForSite(t))
		}
	}
	from := min(number*perPage, len(all))
	to := min(from+perPage, len(all))
	urls := map[string]string{}
	address := func(n int) string { return fmt.Sprintf("%s?page=%d&perPage=%d", s.tokensPath(), n, perPage) }
	if to < len(all) {
		urls["next"] = address(number + 1)
	}
	if number > 0 {
		urls["prev"] = address(number - 1)
	}
	return page{
		Renderer: rendererTokens, Template: "tokens", Title: "npm | Access Tokens",
		Props: map[string]any{
			"list":         map[string]any{"objects": all[from:to], "total": len(all), "urls": urls},
			"createGATURL": s.tokenPath("new"),
			"deleteURL":    s.tokensPath() + "/delete",
		},
		Look: listLook{
			How: s.switches.DeleteHow, Confirm: s.switches.DeleteConfirm, Named: s.switches.DeleteRowLabel == "named",
			Markup: s.switches.NewTokenMarkup, Base: s.tokenPath(""),
		},
	}
}

// listLook is what the list shows beside its props.
type listLook struct {
	How, Confirm string
	Named        bool   // the × has the token's name
	Markup       string // of a new token
	Base         string // of the links to the details
}

// tokenDetailsPage shows one token (A.6). Expired ones are shown too.
func (s *Sandbox) tokenDetailsPage(w http.ResponseWriter, r *http.Request, web *webSession) {
	i := slices.IndexFunc(s.state.Tokens, func(t *granularToken) bool {
		return t.Revoked == nil && t.Key == r.PathValue("id")
	})
	if i < 0 {
		s.nothingHere(w, r)
		return
	}
	if s.guardPage(w, r, web, settingsDetails) {
		return
	}
	t := s.state.Tokens[i]
	which := ""
	switch {
	case t.PackagesAll:
		which = packagesAll
	case len(t.Packages)+len(t.Scopes) > 0:
		which = packagesSome
	}
	details := map[string]any{
		"tokenName": t.Name, "tokenID": t.Key, "tokenDescription": t.Description,
		"packagesAndScopesPermission": s.word(t.Permission), "selectedPackagesAndScopes": which,
		"selectedPackages": t.Packages, "selectedScopes": t.Scopes, "selectedOrgs": t.Orgs,
		"expired": t.Expiry != nil && !s.now().Before(*t.Expiry),
	}
	if s.switches.TokenDetailsMore {
		details["orgsPermission"], details["bypass2FA"], details["allowedIPRanges"] = s.word(t.OrgsPermission), t.Bypass2FA, t.CIDR
	}
	s.show(w, r, http.StatusOK, page{
		Renderer: rendererDetails, Template: "token-details", Title: "npm | Access Token Details",
		Props: map[string]any{"tokenDetails": details},
		Look:  tokenLook{t, s.changedText(s.word(t.Permission)), s.changedText(s.word(t.OrgsPermission))},
	})
}

// tokenLook is what the details page shows beside its props.
type tokenLook struct {
	*granularToken
	PackagesWord, OrgsWord string
}

// postDeleteTokens takes {csrftoken, tokens}: one key or a list of them.
func (s *Sandbox) postDeleteTokens(w http.ResponseWriter, r *http.Request, web *webSession) {
	f, ok := s.readForm(w, r)
	if !ok || s.guardPost(w, r, web, s.switches.DeleteEscalation, s.tokensPath(), f) {
		return
	}
	notices := s.deleteTokens(f)
	status := http.StatusOK
	if len(notices) > 0 {
		status = s.switches.PageErrorStatus
	}
	pg := s.tokensList(0, 10)
	pg.Props["notifications"] = notices
	s.show(w, r, status, pg)
}

// deleteTokens revokes all that the form names, or none: what comes back says
// why. npm's words for that are not known.
func (s *Sandbox) deleteTokens(f form) []notice {
	if s.switches.HighImpactFreeze {
		return errorNotice(frozenText)
	}
	keys, ok := f.list("tokens")
	if !ok {
		keys = []string{f.get("tokens")}
	}
	var found []*granularToken
	for _, key := range keys {
		i := slices.IndexFunc(s.state.Tokens, func(t *granularToken) bool { return t.Revoked == nil && t.Key == key })
		if uuid.Validate(key) != nil || i < 0 {
			return errorNotice("The token could not be deleted.")
		}
		found = append(found, s.state.Tokens[i])
	}
	now := s.now()
	for _, t := range found {
		if !s.switches.DeleteLies {
			t.Revoked = &now
		}
	}
	return []notice{}
}
