package store

import (
	"errors"
	"time"
)

// The errors that callers decide by. Each comes wrapped with what was being
// done.
var (
	ErrNotFound  = errors.New("no such reference")
	ErrAmbiguous = errors.New("the reference fits several")
	ErrTaken     = errors.New("the name is taken")

	// ErrNoKeyring: there is no Secret Service, login keychain or session bus.
	ErrNoKeyring = errors.New("no OS keyring")
	// ErrKeyLocked: the keyring is there and locked.
	ErrKeyLocked = errors.New("the OS keyring is locked")
	// ErrKeyMissing: the state was sealed with a key that is not where it
	// should be.
	ErrKeyMissing = errors.New("the master key is missing")
	// ErrWrongKey: a key is there, and it is not the one that sealed the state.
	ErrWrongKey = errors.New("the master key is not the one that sealed this state")
	// ErrNewerState: the database was written by a newer rotd.
	ErrNewerState = errors.New("the state was written by a newer rotd")
)

// Kind names a secret of a passcard. It is part of what the seal binds.
type Kind string

// The secrets a passcard can keep.
const (
	KindPassword Kind = "password" // kept only where the user said so
	KindTOTP     Kind = "totp"     // base32 secret; kept only where the user said so
	KindPasskey  Kind = "passkey"  // JSON of an ipc.Passkey; likewise
	KindSession  Kind = "session"  // npm's session token
	KindCookies  Kind = "cookies"  // the website session: JSON of the browser's cookies
)

// Passcard is a connected npm account.
type Passcard struct {
	ID       string // pas_…
	Name     string // unique where not empty
	Registry string // no trailing slash
	Username string
	Via      string // "registry" or "website"
	Created  time.Time

	Site    string    // of the website way, no trailing slash; empty: where the registry's is
	Terms   time.Time // when the user agreed to the website way; zero: he did not
	Checked time.Time // when the website session was last looked at
	// Trouble is why a person has to sign in before the account can be used;
	// NotifiedAt is when the user was told.
	Trouble    Trouble
	NotifiedAt time.Time
}

// Shape is what a token may do. It has the fields of ipc.Shape, in the same
// order, so that one converts to the other.
type Shape struct {
	Description string   `json:"description,omitempty"`
	ExpiresDays int      `json:"expires_days,omitempty"`
	Packages    []string `json:"packages,omitempty"`
	PackagesAll bool     `json:"packages_all,omitempty"`
	Scopes      []string `json:"scopes,omitempty"`
	Orgs        []string `json:"orgs,omitempty"`
	Permission  string   `json:"packages_and_scopes_permission,omitempty"`
	OrgsPerm    string   `json:"orgs_permission,omitempty"`
	CIDR        []string `json:"cidr,omitempty"`
	Bypass2FA   bool     `json:"bypass_2fa,omitempty"`
}

// Trouble is why a ROT's last rotation did not succeed. The fields are those of
// ipc.Error; Code is empty when there is no trouble.
type Trouble struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// ROT is a rotation token: a reference that never changes.
type ROT struct {
	ID       string // rot_…
	Passcard string // pas_…
	Name     string // unique where not empty
	Shape    Shape
	Current  int // the generation that is served; 0 before the first
	Created  time.Time

	Next        time.Time // when to rotate, or to try again; zero: never by itself
	Failures    int       // rotations that failed since the last success
	Trouble     Trouble
	LastAttempt time.Time

	Grace      time.Duration // how long an old token lives on after the last delivery
	Schedule   Schedule
	Notified   string // the state that the user was last told; "": none, or that all is well
	NotifiedAt time.Time
}

// Step is how far a generation has come. The steps are the journal of a
// rotation: each is committed before the work of the next begins.
type Step string

// The steps, in their order. A generation ends as revoked or abandoned.
const (
	StepPlanned   Step = "planned"   // its name is chosen; npm may or may not know it
	StepCreated   Step = "created"   // its value is sealed
	StepVerified  Step = "verified"  // npm accepts it and grants what was asked
	StepCurrent   Step = "current"   // served
	StepRetiring  Step = "retiring"  // replaced; npm is to revoke it
	StepRevoked   Step = "revoked"   // npm refuses it
	StepAbandoned Step = "abandoned" // never served; npm holds no token of its name
	// StepDiscarding: never to be served; npm may hold it and is to revoke it.
	StepDiscarding Step = "discarding"
)

// Delivery is a command that is handed every new value of a ROT before the old
// one dies.
type Delivery struct {
	ID      string // dlv_…
	ROT     string // rot_…
	Name    string // unique within the ROT
	Command []string
	Created time.Time

	Delivered   int       // the newest generation that it has taken; 0: none
	DeliveredAt time.Time // when
	Failures    int       // since the last success
	Next        time.Time // after a failure: when to try again
	LastAttempt time.Time
	LastResult  string // why the last attempt failed; empty after a success
	LastOutput  string // the end of what it printed, redacted
}

// Generation is one token of a ROT, without its value.
type Generation struct {
	ROT       string
	N         int    // from 1
	TokenName string // unique: rotd-<8 of the ROT's id>-<n>-<random>
	Key       string // npm's id of the token; empty before StepCreated
	Step      Step
	Planned   time.Time
	Created   time.Time // by npm's word; zero before StepCreated
	Expires   time.Time // by npm's word; zero where it named none
	Changed   time.Time // when Step was last changed
	Delivered time.Time // when every delivery had taken a newer one; zero: not yet
	Hurry     bool      // it leaked: to be revoked without waiting for anything
}
