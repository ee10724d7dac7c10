package ipc

import (
	"time"

	"rotd/ipc/secret"
)

// The paths of the API. {ref} is a reference without its scheme: an id
// ("rot_…", "pas_…"), an unambiguous prefix of one, or a name.
const (
	PathVersion   = "/v1/version"                      // GET → Version
	PathStatus    = "/v1/status"                       // GET → Status
	PathDoctor    = "/v1/doctor"                       // GET → Doctor
	PathPasscards = "/v1/passcards"                    // GET → {"passcards":[Passcard]}; POST Connect → stream of Event
	PathROTs      = "/v1/rots"                         // GET → {"rots":[ROT]}
	PathStaged    = "/v1/staged"                       // GET → {"staged":[Staged]}
	PathToken     = "/v1/rots/{ref}/token"             // GET → Token; ?lease=1 → Token, and the connection is a lease
	PathRotate    = "/v1/rotations/{ref}"              // POST Rotate → stream of Event
	PathApprove   = "/v1/approvals"                    // POST Approve → stream of Event
	PathRevoke    = "/v1/revocations/{ref}"            // POST Revoke → stream of Event
	PathRemove    = "/v1/removals/{ref}"               // POST Remove → stream of Event
	PathLog       = "/v1/log"                          // GET ?ref=&after=&limit= → {"log":[LogEntry]}; &follow=1 → stream of LogEntry
	PathSchedule  = "/v1/rots/{ref}/schedule"          // GET → ROT; PUT Schedule → ROT
	PathDeliver   = "/v1/rots/{ref}/deliveries"        // GET → {"deliveries":[Delivery]}; POST Deliver → stream of Event
	PathDelivery  = "/v1/rots/{ref}/deliveries/{name}" // DELETE → 204
	PathGrants    = "/v1/rots/{ref}/grants"            // GET → {"grants":[Grant]}; POST GrantTo → Grant
	PathGrant     = "/v1/rots/{ref}/grants/{id}"       // DELETE → 204
	PathPasskey   = "/v1/passcards/{ref}/passkey"      // POST AddPasskey → stream of Event; DELETE → PasskeyGone
	PathExport    = "/v1/passcards/{ref}/export"       // POST Export → stream of Event
	PathImport    = "/v1/imports"                      // POST Import → stream of Event
	PathAnswer    = "/v1/questions/{id}/answer"        // POST Answer → 204
)

// ContentTypeStream marks an answer of one JSON object a line.
const ContentTypeStream = "application/x-ndjson"

// Version is the daemon's.
type Version struct {
	Version string `json:"version"`
	API     int    `json:"api"` // 1; grows when a message changes its meaning
}

// Passcard is a connected npm account, without its secrets.
type Passcard struct {
	Ref        string    `json:"ref"` // rot://pas_…
	Name       string    `json:"name,omitempty"`
	Registry   string    `json:"registry"` // no trailing slash
	Username   string    `json:"username"`
	Via        string    `json:"via"`                  // ViaRegistry or ViaWebsite
	Site       string    `json:"site,omitempty"`       // where npm's pages are; no trailing slash
	Remembered []string  `json:"remembered,omitempty"` // of "password", "totp", "passkey"
	ROTs       []string  `json:"rots"`                 // rot://rot_…
	Created    time.Time `json:"created"`
	// Trouble is why a person has to sign in again; absent: nobody has to.
	Trouble *Error `json:"trouble,omitempty"`
}

// The ways to npm.
const (
	ViaRegistry = "registry" // npm's API; it wants the password
	ViaWebsite  = "website"  // npm's settings pages, by the website's session alone
)

// The states of a ROT.
const (
	StateOK            = "ok"             // a value is served, nothing is due
	StateRotating      = "rotating"       // a rotation is running
	StateFailing       = "failing"        // the last rotation failed; the old value is still served
	StateUndelivered   = "not delivered"  // a delivery has not taken the value that is served; the old one stays
	StateNeedsApproval = "needs approval" // a person is needed; the old value is still served
	StateNeedsSignIn   = "needs sign-in"  // npm's session has ended; the old value is still served
	StateExpired       = "expired"        // the value served is past its expiry
	StateEmpty         = "empty"          // no rotation has succeeded yet
	StateRevoked       = "revoked"        // the last value was revoked; none is served until the next rotation
)

// ROT is a rotation token, without its value.
type ROT struct {
	Ref         string     `json:"ref"` // rot://rot_…
	Name        string     `json:"name,omitempty"`
	Passcard    string     `json:"passcard"` // rot://pas_…
	Registry    string     `json:"registry"`
	Username    string     `json:"username"`
	Shape       Shape      `json:"shape"`
	Generation  int        `json:"generation"` // 0 before the first value
	TokenName   string     `json:"token_name,omitempty"`
	Created     *time.Time `json:"created,omitempty"` // of the present value
	Expires     *time.Time `json:"expires,omitempty"` // of the present value; absent when npm named none
	Next        *time.Time `json:"next,omitempty"`    // the next planned rotation or retry
	State       string     `json:"state"`
	Schedule    Schedule   `json:"schedule,omitzero"`
	LastError   *Error     `json:"last_error,omitempty"`
	LastAttempt *time.Time `json:"last_attempt,omitempty"`
	Deliveries  []Delivery `json:"deliveries,omitempty"`
	Grace       string     `json:"grace,omitempty"`      // as in Rotate
	GraceEnds   *time.Time `json:"grace_ends,omitempty"` // of the newest value that is in it
	// Retiring counts old values that npm has not yet confirmed as revoked.
	Retiring int `json:"retiring,omitempty"`
	// Readers counts the leases of Token on old values, which live on for them.
	Readers int `json:"readers,omitempty"`
	// ExpiresBeforeNext: the present value expires, and nothing is tried before.
	ExpiresBeforeNext bool `json:"expires_before_next,omitempty"`
}

// Schedule is when a ROT is rotated. At most one field is set; none of them: at
// two thirds of the token's life. A time is a whole number and a unit: "30d",
// "2w", "36h".
type Schedule struct {
	Every        string `json:"every,omitempty"` // after the last rotation
	BeforeExpiry string `json:"before_expiry,omitempty"`
	Off          bool   `json:"off,omitempty"` // never by itself
}

// Shape is what a token may do: npm's own fields of a granular token.
type Shape struct {
	Description string   `json:"description,omitempty"`
	ExpiresDays int      `json:"expires_days,omitempty"` // 0: npm's default
	Packages    []string `json:"packages,omitempty"`
	PackagesAll bool     `json:"packages_all,omitempty"`
	Scopes      []string `json:"scopes,omitempty"` // "@acme"
	Orgs        []string `json:"orgs,omitempty"`
	Permission  string   `json:"packages_and_scopes_permission,omitempty"` // PermissionNone … PermissionStage
	OrgsPerm    string   `json:"orgs_permission,omitempty"`                // PermissionNone, Read, Write
	CIDR        []string `json:"cidr,omitempty"`
	Bypass2FA   bool     `json:"bypass_2fa,omitempty"`
}

// npm's spellings of what a token may do with packages, scopes and orgs.
const (
	PermissionNone  = "no-access"
	PermissionRead  = "read-only"
	PermissionWrite = "read-write"
	PermissionStage = "read-write-stage-only" // packages and scopes only; npm 11.20 and later
)

// Connect asks for a new passcard, or for the renewal of the one that the same
// user has at the same registry.
type Connect struct {
	Name     string `json:"name,omitempty"`
	Registry string `json:"registry,omitempty"` // empty: npm's public registry
	Username string `json:"username,omitempty"` // empty: asked for

	Via         string `json:"via,omitempty"`          // empty: as the passcard does, else ViaRegistry
	Site        string `json:"site,omitempty"`         // of the website way; empty: npm's, or where the registry is
	AcceptTerms bool   `json:"accept_terms,omitempty"` // the user has read what AskTerms says; else it is asked

	Password   secret.Wire `json:"password,omitzero"`    // empty: asked for
	TOTPSecret secret.Wire `json:"totp_secret,omitzero"` // base32, or an otpauth:// URI
	Passkey    *Passkey    `json:"passkey,omitempty"`
	Remember   []string    `json:"remember,omitempty"` // of "password", "totp", "passkey"
	Terminal   bool        `json:"terminal,omitempty"` // questions instead of a window
	Display    *Display    `json:"display,omitempty"`  // where a window can be opened; nil: nowhere

	// Interactive says that somebody is there to answer questions. Without it
	// a question ends the run with needs_approval.
	Interactive bool `json:"interactive,omitempty"`
}

// Passkey is a software security key: the fields of Chromium's WebAuthn domain.
type Passkey struct {
	RPID         string      `json:"rpId"`
	CredentialID string      `json:"credentialId"`         // base64
	UserHandle   string      `json:"userHandle,omitempty"` // base64
	PrivateKey   secret.Wire `json:"privateKey"`           // base64 of PKCS #8, P-256
	SignCount    int64       `json:"signCount"`
	Resident     bool        `json:"isResidentCredential"`
}

// AddPasskey has a person add a software security key to the account, in a
// window at npm's settings. The passcard keeps it.
type AddPasskey struct {
	Display     *Display `json:"display,omitempty"`     // required
	Replace     bool     `json:"replace,omitempty"`     // in place of the one that is kept; else it is asked
	Interactive bool     `json:"interactive,omitempty"` // as in Connect
}

// PasskeyGone is a software security key that is forgotten here. npm takes it
// until it is deleted there.
type PasskeyGone struct {
	Name string `json:"name"` // that npm was to call it by
	At   string `json:"at"`   // the page with npm's list of keys
}

// Export asks for a passcard as a file, encrypted by age, that Import takes on
// another machine. It has what is kept of the account, and none of its ROTs.
type Export struct {
	Passphrase secret.Wire `json:"passphrase,omitzero"`  // empty, and no Recipients: asked for
	Recipients []string    `json:"recipients,omitempty"` // age1…, or public SSH keys
	// Passkey takes the software security key along, which stays here otherwise.
	// It is to be forgotten here then: npm refuses one that is used in two places.
	Passkey     bool `json:"passkey,omitempty"`
	Interactive bool `json:"interactive,omitempty"` // as in Connect
}

// Exported is the answer to an Export.
type Exported struct {
	File string   `json:"file"` // its text
	Kept []string `json:"kept"` // what it holds: "password", "totp", "passkey", "session", "cookies"
	// PasskeyStays: there is a software security key, and it is not in the file.
	PasskeyStays bool `json:"passkey_stays,omitempty"`
}

// Import makes, or renews, a passcard from a file of Export.
type Import struct {
	File        string      `json:"file"`                  // its text
	Passphrase  secret.Wire `json:"passphrase,omitzero"`   // empty, where the file wants one: asked for
	Identity    secret.Wire `json:"identity,omitzero"`     // a file of age-keygen, or a private SSH key
	Name        string      `json:"name,omitempty"`        // empty: the one in the file, where it is free
	Interactive bool        `json:"interactive,omitempty"` // as in Connect
}

// Imported is what came of an Import.
type Imported struct {
	Renewed bool     `json:"renewed,omitempty"` // the account had a passcard already
	Kept    []string `json:"kept"`              // as in Exported
	// Trouble is why npm could not be shown to take the account's session; nil:
	// it does.
	Trouble *Error `json:"trouble,omitempty"`
}

// Rotate asks for a new value. On a passcard it rotates every ROT of it; with
// a Shape it makes the first one, the one called Name, or gives an only one
// another shape.
type Rotate struct {
	Name        string `json:"name,omitempty"`
	Shape       *Shape `json:"shape,omitempty"`
	Interactive bool   `json:"interactive,omitempty"` // as in Connect
	// Grace, where given, is how long an old token lives on from now on after the
	// last delivery has taken the new one: as in Schedule, or "0".
	Grace string `json:"grace,omitempty"`
	// RevokeNow says that the present token has leaked: once there is another it
	// is revoked, whatever deliveries and grace say.
	RevokeNow bool `json:"revoke_now,omitempty"`
}

// Deliver asks for a delivery: a command that is handed every new value of a
// ROT, on its standard input, before the old one is revoked. One that the ROT
// has already, by name and command, is made once more.
type Deliver struct {
	Name    string   `json:"name,omitempty"` // empty: after the program
	Command []string `json:"command"`
}

// The states of a delivery.
const (
	DeliveryOK      = "ok"      // it has the value that is served
	DeliveryWaiting = "waiting" // it is to get it
	DeliveryFailing = "failing" // it could not be handed over; the old token stays
)

// Delivery is a delivery and how it is doing.
type Delivery struct {
	Name        string     `json:"name"`
	Command     []string   `json:"command"`
	State       string     `json:"state"`
	Generation  int        `json:"generation"` // the newest it has taken; 0: none
	Delivered   *time.Time `json:"delivered,omitempty"`
	LastAttempt *time.Time `json:"last_attempt,omitempty"`
	Next        *time.Time `json:"next,omitempty"`   // when it is tried again
	Error       string     `json:"error,omitempty"`  // why the last attempt failed
	Output      string     `json:"output,omitempty"` // the end of what it printed, without secrets
}

// Approve has a person pass what npm asks for, and finishes everything that
// waits for it: of one ROT, of one passcard, or of all.
type Approve struct {
	Ref         string   `json:"ref,omitempty"` // empty: whatever waits
	Display     *Display `json:"display,omitempty"`
	Interactive bool     `json:"interactive,omitempty"` // as in Connect
}

// Display is the caller's display, by the environment variables that name it.
// All are empty where a display needs no name (macOS).
type Display struct {
	X11        string `json:"display,omitempty"`         // DISPLAY
	XAuthority string `json:"xauthority,omitempty"`      // XAUTHORITY
	Wayland    string `json:"wayland_display,omitempty"` // WAYLAND_DISPLAY
	RuntimeDir string `json:"xdg_runtime_dir,omitempty"` // XDG_RUNTIME_DIR
}

// Event is one line of a stream. Exactly one field is set, and the last line
// is a Result or an Error.
type Event struct {
	Step     *Step     `json:"step,omitempty"`
	Question *Question `json:"question,omitempty"`
	Result   *Result   `json:"result,omitempty"`
	Error    *Error    `json:"error,omitempty"`
}

// Step tells what is being done, in words for a person.
type Step struct {
	Name string `json:"name"`          // a word a script can test: "signing in", "planned", "created", …
	Text string `json:"text"`          // a sentence without a full stop
	ROT  string `json:"rot,omitempty"` // rot://rot_…, where it is about one
}

// The kinds of question.
const (
	AskUsername = "username"
	AskPassword = "password" // not echoed
	AskOTP      = "otp"      // one-time code of an authenticator app
	AskEmailOTP = "email_otp"
	AskFileKey  = "passphrase" // of a file of Export; not echoed
	AskRecall   = "remember"   // "yes" or "no": may the password be kept
	AskRemove   = "remove"     // "yes" or "no": is this to be removed
	AskReplace  = "replace"    // "yes" or "no": is what is kept to be replaced
	AskTerms    = "terms"      // "yes" or "no": may npm's website be operated
)

// Question is asked of the person; it is answered by a POST to PathAnswer.
type Question struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"`
	Text   string `json:"text"`
	Secret bool   `json:"secret,omitempty"` // do not echo the answer
}

// Answer answers a Question.
type Answer struct {
	Value secret.Wire `json:"value"`
}

// Result ends a stream that went well.
type Result struct {
	Passcard  string     `json:"passcard,omitempty"`  // Connect, AddPasskey, Export, Import: rot://pas_…
	Username  string     `json:"username,omitempty"`  // Connect, AddPasskey, Export, Import
	Forgotten []string   `json:"forgotten,omitempty"` // Connect: of "password"; kept before, and not any more
	SignedIn  []string   `json:"signed_in,omitempty"` // Approve: rot://pas_… whose session was ended
	Rotations []Rotation `json:"rotations,omitempty"` // Rotate, Approve: one for each ROT
	Settled   []string   `json:"settled,omitempty"`   // Approve: rot://rot_… whose old values are revoked

	Revocations []Revocation `json:"revocations,omitempty"` // Revoke: one for each ROT
	Removal     *Removal     `json:"removal,omitempty"`     // Remove
	Export      *Exported    `json:"export,omitempty"`      // Export
	Import      *Imported    `json:"import,omitempty"`      // Import
	Delivery    *Delivery    `json:"delivery,omitempty"`    // Deliver
	Stray       *Stray       `json:"stray,omitempty"`       // RevokeStray
}

// Rotation is the outcome for one ROT. A passcard's Rotate that fails for some
// of its ROTs still ends in a Result; each failure stands in its Error.
type Rotation struct {
	ROT        string     `json:"rot"`
	Generation int        `json:"generation"`
	Expires    *time.Time `json:"expires,omitempty"`
	// RevokedOld is false when an older value is not yet confirmed as refused.
	RevokedOld bool   `json:"revoked_old"`
	Warning    string `json:"warning,omitempty"`
	// Undelivered names the deliveries that older values are kept for, and
	// GraceEnds when the grace period is over that they are kept for.
	Undelivered []string   `json:"undelivered,omitempty"`
	GraceEnds   *time.Time `json:"grace_ends,omitempty"`
	Readers     int        `json:"readers,omitempty"` // leases that older values are kept for, for a time
	Error       *Error     `json:"error,omitempty"`
}

// Revoke asks to have the present value of a ROT, or of every ROT of a
// passcard, revoked at once. Nothing is served then until the next rotation.
type Revoke struct {
	Interactive bool `json:"interactive,omitempty"` // as in Connect
}

// Revocation is the outcome for one ROT: its value is not served any more.
type Revocation struct {
	ROT string `json:"rot"`
	// Confirmed: npm refuses every value that it had. Else Error says why that
	// is not known yet; rotd goes on until it is.
	Confirmed bool   `json:"confirmed"`
	Error     *Error `json:"error,omitempty"`
}

// Remove asks to have a ROT, or a passcard with its ROTs, revoked and forgotten.
type Remove struct {
	Yes         bool `json:"yes,omitempty"`         // do not ask
	Forget      bool `json:"forget,omitempty"`      // even where npm cannot be made to revoke now
	Interactive bool `json:"interactive,omitempty"` // as in Connect
}

// Removal is what was forgotten.
type Removal struct {
	Removed []string `json:"removed"`        // rot://…
	Left    []string `json:"left,omitempty"` // npm's names of tokens that it may still accept
}

// The kinds of grant, by what says who asks.
const (
	GrantUID         = "uid"          // a user of this machine
	GrantGID         = "gid"          // whoever is in a group of it
	GrantAccessToken = "access-token" // whoever shows a rat_…
	GrantUnit        = "unit"         // a systemd unit, by LoadCredential
)

// GrantTo asks to let somebody read the value of a ROT.
type GrantTo struct {
	Kind    string `json:"kind"`
	Subject string `json:"subject"` // a number or name; the name of an access token or unit
	// Expires is how long a new access token lives, as in Schedule; empty: until
	// it is taken back.
	Expires string `json:"expires,omitempty"`
}

// Grant is who may read the value of a ROT beside its owner.
type Grant struct {
	ID      string     `json:"id"` // Kind:Subject, "uid:1001", as PathGrant takes it
	Kind    string     `json:"kind"`
	Subject string     `json:"subject"`        // the number of a user or group; else a name
	Name    string     `json:"name,omitempty"` // of that user or group; absent where there is none any more
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"` // of the access token
	Used    *time.Time `json:"used,omitempty"`    // the access token, last

	// AccessToken is the text of a new one. It is shown this once.
	AccessToken secret.Wire `json:"access_token,omitzero"`
	// Warning says why he cannot use the grant as things are.
	Warning string `json:"warning,omitempty"`
}

// LogEntry is one thing that happened. It never holds a value.
type LogEntry struct {
	ID         int64     `json:"id"` // grows
	At         time.Time `json:"at"`
	Kind       string    `json:"kind"` // "rotated", "failed", "read", …
	ROT        string    `json:"rot,omitempty"`
	Passcard   string    `json:"passcard,omitempty"`
	Generation int       `json:"generation,omitempty"`
	UID        *uint32   `json:"uid,omitempty"` // who asked for it
	Count      int       `json:"count"`         // how often; reads are gathered for a second
	Detail     string    `json:"detail,omitempty"`
}

// Token is the present value of a ROT.
type Token struct {
	ROT        string      `json:"rot"`
	Generation int         `json:"generation"`
	Value      secret.Wire `json:"value"`
	Expires    *time.Time  `json:"expires,omitempty"`
	Registry   string      `json:"registry"` // no trailing slash
	// DefaultRegistry: it is the one that npm uses when it is told nothing.
	DefaultRegistry bool `json:"default_registry,omitempty"`
	// Lease: while the connection is open, and for a time at most, the value is
	// not revoked for being replaced. After a restart of rotd a request with
	// &generation=N takes the lease up again; its answer has no value.
	Lease bool `json:"lease,omitempty"`
}

// Staged is a version that waits for a person's approval, as a ROT's token is
// told by its registry. Where it is told nothing Error says why, and the fields
// above it are empty.
type Staged struct {
	ID      string    `json:"id,omitempty"` // npm stage approve ID
	Package string    `json:"package,omitempty"`
	Version string    `json:"version,omitempty"`
	Tag     string    `json:"tag,omitempty"`
	By      string    `json:"by,omitempty"`
	Created time.Time `json:"created,omitzero"`

	Error    *Error `json:"error,omitempty"`
	ROT      string `json:"rot"`
	Registry string `json:"registry"`
}

// Status is the whole of `rot status`.
type Status struct {
	Version   string     `json:"version"`
	PID       int        `json:"pid"`
	Started   time.Time  `json:"started"`
	StateDir  string     `json:"state_dir"`
	Key       string     `json:"key"` // where the master key is: "keyring", "file:…", "credential:…"
	Locked    bool       `json:"locked,omitempty"`
	Passcards []Passcard `json:"passcards"`
	ROTs      []ROT      `json:"rots"`
}

// Doctor is what was looked at, and found. Looking can take 20 seconds.
type Doctor struct {
	Checks []Check `json:"checks"`
}

// Check is one thing that was looked at.
type Check struct {
	Name string `json:"name"` // "registry", "clock", … There may be several of a name
	OK   bool   `json:"ok"`
	Text string `json:"text"`           // what was found, a sentence without a full stop
	Hint string `json:"hint,omitempty"` // what to do; where it is OK: what would be better
}
