package sandbox

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
)

// What becomes of the box that lets a token bypass 2FA (A.7.2).
const (
	bypassShown    = "shown"
	bypassFactor   = "factor" // only where the account has a second factor
	bypassLabel    = "label"  // a click on the box itself changes nothing
	bypassDisabled = "disabled"
	bypassMissing  = "missing"
)

// tokenFormPage is the form of a new token, empty or with what was wrong with a
// held post.
func (s *Sandbox) tokenFormPage(w http.ResponseWriter, r *http.Request, web *webSession) {
	if s.guardPage(w, r, web, settingsForm) {
		return
	}
	data, errs := web.FormData, web.FormErrors
	web.FormData, web.FormErrors = nil, nil
	s.showTokenForm(w, r, http.StatusOK, data, errs)
}

// showTokenForm shows the form. The shape of formData is not known beyond that
// errors are in it or in a notification.
func (s *Sandbox) showTokenForm(w http.ResponseWriter, r *http.Request, status int, data map[string]json.RawMessage, errs map[string]string) {
	formData := map[string]any{}
	for k, v := range data {
		if k != "csrftoken" {
			formData[k] = v
		}
	}
	pg := page{
		Renderer: rendererForm, Template: "token-form", Title: "npm | New Granular Access Token",
		Props: map[string]any{
			"allPackages": slices.Sorted(maps.Keys(s.state.Packages)), "allScopes": s.scopes(), "allOrgs": s.cfg.Orgs,
			"createTokenURL": s.tokensPath() + "/new-gat", "isGATReadWriteExpirationEnabled": true,
			"formData": formData,
		},
		Look: s.formLook(),
	}
	if len(errs) > 0 {
		formData["errors"] = s.changedTexts(errs)
		notices := errorNotice(textFailed)
		if text := errs[""]; text != "" {
			notices = append(notices, errorNotice(text)...)
		}
		pg.Props["notifications"] = notices
	}
	s.show(w, r, status, pg)
}

// scopes are the account's own and those of its organizations.
func (s *Sandbox) scopes() []string {
	all := []string{"@" + s.cfg.User}
	for _, org := range s.cfg.Orgs {
		all = append(all, "@"+org)
	}
	slices.Sort(all)
	return all
}

// formLook is what the form shows beside its props.
type formLook struct {
	Generation  int
	OrgsMenu    bool
	Bypass      string
	MovedSubmit bool
	Permissions []permissionLook // of packages and scopes
	OrgsPerms   []permissionLook
	// For the page's script.
	Script formScript
}

// picker is what the template of a permission picker gets.
func picker(key, section string, choices []permissionLook) map[string]any {
	return map[string]any{"Key": key, "Section": section, "Choices": choices}
}

// permissionLook is one choice of a permission picker.
type permissionLook struct{ Value, Label, ID string }

// formScript is what the page's script needs beside the props.
type formScript struct {
	Texts  map[string]string `json:"texts"`
	Now    int64             `json:"now"` // ms; the sandbox's clock
	Bypass string            `json:"bypass"`
	Writes []string          `json:"writes"` // the values that let a token write
	Max    int               `json:"max"`
}

func (s *Sandbox) formLook() formLook {
	look := formLook{
		Generation: s.switches.FormGeneration, OrgsMenu: s.switches.OrgsPicker == "menu",
		Bypass: s.switches.BypassBox, MovedSubmit: s.switches.MovedSubmit,
		OrgsPerms: []permissionLook{{wordNone, wordNone, "No-access"}, {wordRead, wordRead, "Read-only"}, {wordWrite, wordWrite, "Read-and-write"}},
	}
	look.Permissions = slices.Clone(look.OrgsPerms)
	if look.Generation == 2 { // the ids beside Read-and-write are by analogy
		look.Permissions = []permissionLook{
			look.OrgsPerms[0], look.OrgsPerms[1],
			{wordWrite, "Read and write (publish and stage)", "Read-and-write"},
			{s.switches.PageStageOnlyValue, wordStage, "Read-and-write-(stage-only)"},
		}
	}
	for _, list := range [][]permissionLook{look.Permissions, look.OrgsPerms} {
		for i := range list {
			if s.switches.RadioIDs == "values" && list[i].Value != wordWrite {
				list[i].ID = s.permissionOf(list[i].Value)
			}
			list[i].Label = s.changedText(list[i].Label)
		}
	}
	if look.Bypass == bypassFactor {
		look.Bypass = bypassMissing
		if s.hasFactor() {
			look.Bypass = bypassShown
		}
	}
	look.Script = formScript{
		Texts: s.changedTexts(map[string]string{
			"nameEmpty": textNameEmpty, "nameLong": textNameLong, "description": textDescription,
			"expiryPast": textExpiryPast, "expiryLong": textExpiryLong, "cidr": textCIDR, "cidrEmpty": textCIDREmpty,
			"noPackage": textNoPackage, "noOrg": textNoOrg, "nothingHere": textNothingHere, "nothingAbove": textNothingAbove,
			"max": textMax, "failed": textFailed,
		}),
		Now: s.now().UnixMilli(), Bypass: look.Bypass, Writes: []string{wordWrite, s.switches.PageStageOnlyValue}, Max: maxNamed,
	}
	return look
}
