package ipc

import (
	"time"

	"rotd/ipc/secret"
)

// The paths about stray tokens: values that stand in some file.
const (
	PathStrays      = "/v1/strays"             // POST FindStray → Stray
	PathStrayRevoke = "/v1/strays/revocations" // POST RevokeStray → stream of Event
)

// FindStray asks what a registry knows of a token. It must be one that a
// passcard is connected to: the value goes nowhere else.
type FindStray struct {
	Registry string      `json:"registry"`
	Value    secret.Wire `json:"value"`
}

// Stray is what is known of a token.
type Stray struct {
	Accepted bool   `json:"accepted"`           // the registry takes it
	Username string `json:"username,omitempty"` // whose it is
	ROT      string `json:"rot,omitempty"`      // rot://rot_… that has it for a value
	Passcard string `json:"passcard,omitempty"` // rot://pas_… of that user
	// The rest the registry's list tells, where the account could read it.
	Name string `json:"name,omitempty"`
	// Permission is what it may do with packages: PermissionNone, Read, Write
	// (also where it may only stage); absent: not told.
	Permission string     `json:"permission,omitempty"`
	Created    *time.Time `json:"created,omitempty"`
	Expires    *time.Time `json:"expires,omitempty"` // absent: never, where there is a Name
	Untold     *Error     `json:"untold,omitempty"`  // why there is no Name
}

// RevokeStray asks to have a token revoked that is no ROT's.
type RevokeStray struct {
	Registry    string      `json:"registry"`
	Value       secret.Wire `json:"value"`
	Interactive bool        `json:"interactive,omitempty"` // as in Connect
}
