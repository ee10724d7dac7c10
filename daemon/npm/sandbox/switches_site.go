package sandbox

import (
	"fmt"
	"slices"
	"strings"
)

// SiteSwitches are those of the website. Where nothing is known of npm's pages
// the default is the likelier of two, and the comment says what the other is.
type SiteSwitches struct {
	// Signing in and the registry's pages.
	Escalation        []string `json:"escalation"`          // the checks of an escalation: of "password", "otp", "webauthn"; empty: the account's factor
	EscalateInPlace   bool     `json:"escalate_in_place"`   // at /auth/cli the prompt comes at the URL itself (A.4), not at /escalate/…
	LoginCLIEscalates string   `json:"login_cli_escalates"` // "signed-in-before", "always" or "never"
	Cooldown          bool     `json:"cooldown"`            // the five-minute checkbox of A.3.4
	KeyLoginPage      string   `json:"key_login_page"`      // the security key's page at sign-in is /login/ and this; "webauthn"
	RecoveryCodeURL   string   `json:"recovery_code_url"`   // where the link to the recovery codes leads
	PageLockedText    string   `json:"page_locked_text"`    // what signing in says to everybody; empty: the account is not locked
	PageErrorPlace    string   `json:"page_error_place"`    // of a wrong password or code: at the "field" (role alert), or a "notification"

	// When the settings pages escalate, and for how long that counts (A.4).
	SettingsEscalation      string   `json:"settings_escalation"`        // "never", "if-login-older-than", "on-open" or "on-submit"
	SettingsEscalationAge   int      `json:"settings_escalation_age"`    // seconds; of if-login-older-than; 900
	SettingsEscalationPages []string `json:"settings_escalation_pages"`  // what on-open guards: of "list", "details", "form"; all
	SettingsEscalationLife  int      `json:"settings_escalation_life"`   // seconds that a passed check counts; 0: for one request; 300
	SettingsEscalateInPlace bool     `json:"settings_escalate_in_place"` // at the protected URL, status 200 (SD); else at /escalate/…
	SettingsHeldPost        string   `json:"settings_held_post"`         // a post that met the check is "lost", or "replayed" after it
	DeleteEscalation        string   `json:"settings_delete_escalation"` // of a deletion: "same" as the above, "never" or "always"

	// The list of tokens and their details (A.6).
	NewTokenMarkup   string `json:"new_token_markup"`   // how a token is shown once: "ezcopy", "input" or "code"
	DeleteHow        string `json:"delete_how"`         // "each" (× in a row), "selected" (tick boxes) or "both"
	DeleteRowLabel   string `json:"delete_row_label"`   // the × is called "x" (by its sign), or "named" for its token
	DeleteConfirm    string `json:"delete_confirm"`     // "native" (confirm()), "dialog" (in the page) or "none"
	TokenDetailsMore bool   `json:"token_details_more"` // tokenDetails tells orgsPermission, bypass2FA and allowedIPRanges too

	// The token form (A.7).
	FormGeneration        int    `json:"form_generation"`          // of the permission picker: 1 (menus) or 2 (radio buttons)
	RadioIDs              string `json:"radio_ids"`                // of generation 2, beside "Read-and-write": "words" ("No-access") or "values" ("no-access")
	OrgsPicker            string `json:"orgs_picker"`              // "checkboxes", or the same in a "menu"
	BypassBox             string `json:"bypass_box"`               // "shown", "factor" (only with 2FA), "label" (ticked by its label only), "disabled" or "missing"
	PageStageOnlyValue    string `json:"page_stage_only_value"`    // in the form's JSON: "Read and write (stage only)" or "read-write-stage-only"
	PageDuplicateNameText string `json:"page_duplicate_name_text"` // of a name that is taken

	// Adding a security key.
	ResidentKey string `json:"resident_key"` // asked of the authenticator: "discouraged", "preferred" or "required"

	// Distortions: the page works as before, but does not look it.
	RenamedIDs   bool   `json:"renamed_ids"`   // every id and class, other ones at each load
	RenamedID    string `json:"renamed_id"`    // this one id
	RenamedNames bool   `json:"renamed_names"` // the field names of what is filled in
	ChangedWords bool   `json:"changed_words"` // every word of npm's that can be seen or heard
	MovedSubmit  bool   `json:"moved_submit"`  // "Generate token" stands before the form, outside of it
	AlertBanner  bool   `json:"alert_banner"`  // npm's own banner, which is no bot check
	Notification bool   `json:"notification"`  // a notification that is about something else

	// The pages' server.
	WebSessionIdle     int     `json:"web_session_idle"`     // seconds without a request after which the session ends; 0: never
	BotChallenge       int     `json:"bot_challenge"`        // so many more page requests meet the bot check; -1: all
	BotChallengeAt     int     `json:"bot_challenge_at"`     // the n-th page request from now meets it; 0: none
	BotChallengeChance float64 `json:"bot_challenge_chance"` // each page request meets it with this probability …
	BotChallengeSeed   uint64  `json:"bot_challenge_seed"`   // … drawn from this seed and the request's number
	BotChallengeText   string  `json:"bot_challenge_text"`   // what its page says, without Cloudflare's header and marks; empty: with them
	CookieSecure       bool    `json:"cookie_secure"`        // cs and wub carry Secure
	CookiePersistent   bool    `json:"cookie_persistent"`    // they carry Expires
	CSRFReadable       bool    `json:"csrf_readable"`        // cs is not HttpOnly
	CSRFRotatesAtLogin bool    `json:"csrf_rotates"`         // signing in changes cs
	ManifestHash       string  `json:"manifest_hash"`        // of the pages; change it in mid-session …
	ManifestEvery      int     `json:"manifest_every"`       // … or have it change by itself after so many pages; 0: never
}

func defaultSiteSwitches() SiteSwitches {
	return SiteSwitches{
		Escalation:              []string{},
		LoginCLIEscalates:       "signed-in-before",
		KeyLoginPage:            checkWebAuthn,
		RecoveryCodeURL:         "/recovery-support/message/recovery-code",
		PageErrorPlace:          "field",
		SettingsEscalation:      escalateOld,
		SettingsEscalationAge:   900,
		SettingsEscalationPages: []string{settingsList, settingsDetails, settingsForm},
		SettingsEscalationLife:  300,
		SettingsEscalateInPlace: true,
		SettingsHeldPost:        heldLost,
		DeleteEscalation:        "same",
		PageDuplicateNameText:   "Every token needs a unique name",
		PageStageOnlyValue:      wordStage,
		NewTokenMarkup:          "ezcopy",
		DeleteHow:               "both",
		DeleteConfirm:           "native",
		DeleteRowLabel:          "x",
		ResidentKey:             "preferred",
		FormGeneration:          2,
		RadioIDs:                "words",
		OrgsPicker:              "checkboxes",
		BypassBox:               bypassShown,
		CSRFReadable:            true,
		ManifestHash:            "5ca1ab1e",
	}
}

// check refuses values that mean nothing.
func (sw *SiteSwitches) check() error {
	if err := oneOf("login_cli_escalates", sw.LoginCLIEscalates, "signed-in-before", "always", "never"); err != nil {
		return err
	}
	for _, c := range []struct {
		name, value string
		allowed     []string
	}{
		{"page_error_place", sw.PageErrorPlace, []string{"field", "notification"}},
		{"settings_escalation", sw.SettingsEscalation, []string{escalateNever, escalateOld, escalateOpen, escalateSubmit}},
		{"settings_held_post", sw.SettingsHeldPost, []string{heldLost, heldReplayed}},
		{"settings_delete_escalation", sw.DeleteEscalation, []string{"same", "never", "always"}},
		{"page_stage_only_value", sw.PageStageOnlyValue, []string{wordStage, permissionStage}},
		{"new_token_markup", sw.NewTokenMarkup, []string{"ezcopy", "input", "code"}},
		{"delete_how", sw.DeleteHow, []string{"each", "selected", "both"}},
		{"delete_confirm", sw.DeleteConfirm, []string{"native", "dialog", "none"}},
		{"delete_row_label", sw.DeleteRowLabel, []string{"x", "named"}},
		{"resident_key", sw.ResidentKey, []string{"discouraged", "preferred", "required"}},
		{"radio_ids", sw.RadioIDs, []string{"words", "values"}},
		{"orgs_picker", sw.OrgsPicker, []string{"checkboxes", "menu"}},
		{"bypass_box", sw.BypassBox, []string{bypassShown, bypassFactor, bypassLabel, bypassDisabled, bypassMissing}},
	} {
		if err := oneOf(c.name, c.value, c.allowed...); err != nil {
			return err
		}
	}
	for _, kind := range sw.Escalation {
		if err := oneOf("escalation", kind, checkPassword, checkOTP, checkWebAuthn); err != nil {
			return err
		}
	}
	for _, page := range sw.SettingsEscalationPages {
		if err := oneOf("settings_escalation_pages", page, settingsList, settingsDetails, settingsForm); err != nil {
			return err
		}
	}
	if sw.KeyLoginPage == "" || strings.ContainsAny(sw.KeyLoginPage, "/?#") {
		return fmt.Errorf("key_login_page is the last part of a path, not %q", sw.KeyLoginPage)
	}
	if sw.FormGeneration != 1 && sw.FormGeneration != 2 {
		return fmt.Errorf("form_generation is 1 or 2, not %d", sw.FormGeneration)
	}
	if sw.BotChallengeChance < 0 || sw.BotChallengeChance > 1 {
		return fmt.Errorf("bot_challenge_chance is a probability, not %v", sw.BotChallengeChance)
	}
	return nil
}

func oneOf(name, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s is one of %q, not %q", name, allowed, value)
}
