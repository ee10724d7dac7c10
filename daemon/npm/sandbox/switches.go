package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// Switches is what the sandbox can be told to do: what is not known of npm,
// and how npm has bad days. Times are in seconds unless the name says
// otherwise. DefaultSwitches is the documented npm, or the likelier one.
type Switches struct {
	// Faults spoil the next requests that fit; see Fault.
	Faults []Fault `json:"faults"`

	// Lifetimes.
	SessionLife    int `json:"session_life"`     // of a session token; 43200 (12 h)
	WebSessionLife int `json:"web_session_life"` // of the website's session; 604800 (7 d)
	WebOTPLife     int `json:"web_otp_life"`     // of the 16 characters from doneUrl; 300
	EmailOTPLife   int `json:"email_otp_life"`   // of the 8 digits by mail; 600
	FlowLife       int `json:"flow_life"`        // of a loginUrl or authUrl; 600

	// Signing in.
	WebLogin      string `json:"web_login"`      // "open" or "closed" (404)
	CouchLogin    string `json:"couch_login"`    // "open" or "closed" (404)
	CouchConflict bool   `json:"couch_conflict"` // the first PUT answers 409, the one with /-rev/ signs in

	// One-time codes.
	RefuseReusedTOTP     bool `json:"refuse_reused_totp"`      // by the registry, inside the code's window
	RefuseReusedSiteTOTP bool `json:"refuse_reused_site_totp"` // by the website
	RefuseReusedWebOTP   bool `json:"refuse_reused_web_otp"`   // the 16 characters

	// doneUrl.
	DonePolls      int `json:"done_polls"`       // at least so many polls are answered 202
	DoneRetryAfter int `json:"done_retry_after"` // the retry-after of those

	// What npm says where no source tells.
	WrongPasswordStatus int    `json:"wrong_password_status"` // of the registry; 401
	WrongPasswordText   string `json:"wrong_password_text"`
	WrongOTPText        string `json:"wrong_otp_text"`
	PageErrorStatus     int    `json:"page_error_status"` // of a page shown again with an error; 200
	PagePasswordText    string `json:"page_password_text"`
	PageCodeText        string `json:"page_code_text"`
	DuplicateNameStatus int    `json:"duplicate_name_status"` // 0: duplicates are allowed
	DuplicateNameText   string `json:"duplicate_name_text"`

	// Tokens.
	BodySpelling       string `json:"body_spelling"`        // fields honoured on create: "both", "cli" or "api" (B.5)
	AnswerSpelling     string `json:"answer_spelling"`      // "both", "expires" or "expiry"
	PagingURLs         string `json:"paging_urls"`          // of the listing: "absolute" or "relative"
	ListWithGranular   bool   `json:"list_with_granular"`   // a granular token may list
	ManageWithGranular bool   `json:"manage_with_granular"` // one without bypass may create and delete, with an OTP
	AllowUnknownNames  bool   `json:"allow_unknown_names"`  // packages, scopes and orgs that are not the account's
	RevocationDelay    int    `json:"revocation_delay"`     // a deleted token keeps working so long; the listing drops it at once
	DeleteLies         bool   `json:"delete_lies"`          // 204, and nothing is deleted

	// What a new token gets instead of what was asked.
	GrantPermission string `json:"grant_permission"` // for packages and scopes; empty: as asked
	GrantDays       int    `json:"grant_days"`       // 0: as asked
	GrantAll        bool   `json:"grant_all"`        // all packages

	// Publishing.
	January2027          bool   `json:"january_2027"`           // bypass-2FA tokens may not publish directly
	PublishWithoutBypass string `json:"publish_without_bypass"` // a granular token without bypass: "otp" or "forbidden" (403)
	DeadTokenPublish     int    `json:"dead_token_publish"`     // status for a dead token: 404 or 401
	StageNewPackages     bool   `json:"stage_new_packages"`     // a package that was never published may be staged (npm: 404)
	HighImpactFreeze     bool   `json:"high_impact_freeze"`     // the account is read-only

	SiteSwitches
}

// DefaultSwitches is how a new sandbox is set.
func DefaultSwitches() Switches {
	return Switches{
		Faults:               []Fault{},
		SessionLife:          12 * 3600,
		WebSessionLife:       7 * 24 * 3600,
		WebOTPLife:           300,
		EmailOTPLife:         600,
		FlowLife:             600,
		WebLogin:             "open",
		CouchLogin:           "open",
		DoneRetryAfter:       1,
		WrongPasswordStatus:  401,
		WrongPasswordText:    "Incorrect username or password",
		WrongOTPText:         "invalid OTP",
		PageErrorStatus:      200,
		PagePasswordText:     "There was an error with your username or password. Please try again.",
		PageCodeText:         "Invalid one-time password. Please try again.",
		DuplicateNameStatus:  400,
		DuplicateNameText:    "Duplicate token names are not allowed",
		BodySpelling:         "both",
		AnswerSpelling:       "both",
		PagingURLs:           "absolute",
		PublishWithoutBypass: "otp",
		DeadTokenPublish:     404,
		SiteSwitches:         defaultSiteSwitches(),
	}
}

// check refuses values that mean nothing.
func (sw *Switches) check() error {
	for _, c := range []struct {
		name, value string
		allowed     []string
	}{
		{"web_login", sw.WebLogin, []string{"open", "closed"}},
		{"couch_login", sw.CouchLogin, []string{"open", "closed"}},
		{"body_spelling", sw.BodySpelling, []string{"both", "cli", "api"}},
		{"answer_spelling", sw.AnswerSpelling, []string{"both", "expires", "expiry"}},
		{"paging_urls", sw.PagingURLs, []string{"absolute", "relative"}},
		{"grant_permission", sw.GrantPermission, append([]string{""}, packagePermissions...)},
		{"publish_without_bypass", sw.PublishWithoutBypass, []string{"otp", "forbidden"}},
	} {
		if err := oneOf(c.name, c.value, c.allowed...); err != nil {
			return err
		}
	}
	if err := sw.SiteSwitches.check(); err != nil {
		return err
	}
	for i := range sw.Faults {
		if err := sw.Faults[i].check(); err != nil {
			return err
		}
	}
	return nil
}

// merge lays JSON over the switches: what it does not name stays. An unknown
// name is an error, and an error changes nothing.
func (sw *Switches) merge(b []byte) error {
	next := sw.clone()
	// Faults are replaced as a whole: decoding would lay one over another.
	var list struct {
		Faults json.RawMessage `json:"faults"`
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("the switches are not a JSON object: %w", err)
	}
	if list.Faults != nil {
		next.Faults = nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&next); err != nil {
		return fmt.Errorf("read the switches: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("read the switches: more than one JSON value")
	}
	if err := next.check(); err != nil {
		return err
	}
	*sw = next
	return nil
}

// Set lays a JSON object over the switches, as POST /-/sandbox/switches does.
func (s *Sandbox) Set(switches string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.switches.merge([]byte(switches))
}

// Switches returns how the sandbox is set at the moment.
func (s *Sandbox) Switches() Switches {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.switches.clone()
}

// clone shares no list with sw.
func (sw *Switches) clone() Switches {
	c := *sw
	c.Faults, c.Escalation = slices.Clone(sw.Faults), slices.Clone(sw.Escalation)
	c.SettingsEscalationPages = slices.Clone(sw.SettingsEscalationPages)
	return c
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
