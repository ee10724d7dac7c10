package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// The settings of the second factor. Known of them are the addresses of the two
// pages, that both escalate first, and the prop isAddingNewTotpDeprecated (A.4,
// A.5). Every label, the addresses of the posts and their fields are made up.

// tfaPage says which factors the account has.
func (s *Sandbox) tfaPage(w http.ResponseWriter, r *http.Request, web *webSession) {
	if s.guardTFA(w, r, web) {
		return
	}
	s.show(w, r, http.StatusOK, page{
		Renderer: rendererTFA, Template: "tfa", Title: "npm | Two-Factor Authentication",
		Props: map[string]any{
			"hasTotp": s.cfg.TOTPSecret != "", "hasWebAuthnDevices": s.hasKey(), "isAddingNewTotpDeprecated": true,
			"listURL": s.tfaPath() + "/list",
		},
	})
}

// keysPage lists the security keys, and adds one.
func (s *Sandbox) keysPage(w http.ResponseWriter, r *http.Request, web *webSession) {
	if !s.guardTFA(w, r, web) {
		s.showKeys(w, r, http.StatusOK, web, "")
	}
}

// guardTFA asks for the check unless one counts, whatever the policy for
// tokens.
func (s *Sandbox) guardTFA(w http.ResponseWriter, r *http.Request, web *webSession) bool {
	web.Settings.Held = nil
	if s.counts(r, web) {
		return false
	}
	s.escalate(w, r, web, r.URL.RequestURI(), nil)
	return true
}

// KeyRecord is what the sandbox tells of a security key.
type KeyRecord struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	Created      time.Time `json:"created"`
	CredentialID []byte    `json:"credential_id"` // base64 in JSON
	SignCount    uint32    `json:"sign_count"`
}

// SecurityKeys returns the account's security keys, oldest first.
func (s *Sandbox) SecurityKeys() []KeyRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keyRecords()
}

func (s *Sandbox) keyRecords() []KeyRecord {
	out := make([]KeyRecord, 0, len(s.state.Keys))
	for _, k := range s.state.Keys {
		out = append(out, KeyRecord{k.ID, k.Name, k.Created, bytes.Clone(k.CredentialID), k.SignCount})
	}
	return out
}

func (s *Sandbox) showKeys(w http.ResponseWriter, r *http.Request, status int, web *webSession, problem string) {
	web.Creation = newChallenge()
	devices := []map[string]any{}
	for _, k := range s.state.Keys {
		devices = append(devices, map[string]any{"id": k.ID, "name": k.Name, "created": k.Created})
	}
	notices := []notice{}
	if problem != "" {
		notices = errorNotice(problem)
	}
	s.show(w, r, status, page{
		Renderer: rendererKeys, Template: "security-keys", Title: "npm | Security Keys",
		Props: map[string]any{
			"devices": devices, "isAddingNewTotpDeprecated": true, "notifications": notices,
			"addURL": s.tfaPath() + "/webauthn", "removeURL": s.tfaPath() + "/remove",
			"publicKeyCredentialCreationOptions": s.creationOptions(web.Creation),
		},
	})
}

// creationOptions are for a new security key, in webauthn-json's encoding.
func (s *Sandbox) creationOptions(challenge string) map[string]any {
	algorithms := []map[string]any{}
	for _, p := range keyAlgorithms {
		algorithms = append(algorithms, map[string]any{"type": p.Type, "alg": p.Algorithm})
	}
	return map[string]any{
		"rp":        map[string]any{"id": rpID, "name": "npm"},
		"user":      map[string]any{"id": rawURL(s.state.UserHandle), "name": s.cfg.User, "displayName": s.cfg.User},
		"challenge": challenge, "timeout": 60000, "attestation": "none",
		"pubKeyCredParams": algorithms, "excludeCredentials": s.credentials(),
		"authenticatorSelection": map[string]any{"userVerification": "preferred", "residentKey": s.switches.ResidentKey},
	}
}

var keyAlgorithms = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

// postAddKey takes {csrftoken, name, webAuthnAttestation}.
func (s *Sandbox) postAddKey(w http.ResponseWriter, r *http.Request, web *webSession) {
	f, ok := s.readForm(w, r)
	if !ok || s.notBehindCheck(w, r, web) {
		return
	}
	name := strings.TrimSpace(f.get("name"))
	switch {
	case s.switches.HighImpactFreeze:
		s.showKeys(w, r, s.switches.PageErrorStatus, web, frozenText)
	case name == "" || utf8.RuneCountInString(name) > 64:
		s.showKeys(w, r, s.switches.PageErrorStatus, web, "Please enter a name for your security key.")
	case slices.ContainsFunc(s.state.Keys, func(k *keyState) bool { return k.Name == name }):
		s.showKeys(w, r, s.switches.PageErrorStatus, web, "A security key with this name exists already.")
	default:
		key, err := s.newCredential(s.site(r), web, f)
		if err != nil {
			s.cfg.Log.Info("a new security key was refused", "err", err)
			s.showKeys(w, r, s.switches.PageErrorStatus, web, "Unable to add your security key. Please try again.")
			return
		}
		key.ID, key.Name, key.Created = newUUID(), name, s.now()
		s.state.Keys = append(s.state.Keys, key)
		s.showKeys(w, r, http.StatusOK, web, "")
	}
}

// notBehindCheck sends a browser to the list that has not been shown it since
// its last post.
func (s *Sandbox) notBehindCheck(w http.ResponseWriter, r *http.Request, web *webSession) bool {
	if web.Creation != "" {
		return false
	}
	redirect(w, r, s.tfaPath()+"/list")
	return true
}

// newCredential verifies what a new security key signed.
func (s *Sandbox) newCredential(origin string, web *webSession, f form) (*keyState, error) {
	challenge := web.Creation
	web.Creation = ""
	parsed, err := protocol.ParseCredentialCreationResponseBytes(f.raw["webAuthnAttestation"])
	if err != nil {
		return nil, fmt.Errorf("parse the attestation: %w", err)
	}
	_, err = parsed.Verify(challenge, rpID, []string{origin}, nil, nil, protocol.TopOriginExplicitVerificationMode,
		false, false, true, nil, keyAlgorithms, protocol.AttestationPolicy{}, protocol.SignaturePolicy{})
	if err != nil {
		return nil, fmt.Errorf("verify the attestation: %w", err)
	}
	data := parsed.Response.AttestationObject.AuthData
	id := data.AttData.CredentialID
	if slices.ContainsFunc(s.state.Keys, func(k *keyState) bool { return bytes.Equal(k.CredentialID, id) }) {
		return nil, errors.New("the account has this key already")
	}
	return &keyState{CredentialID: id, PublicKey: data.AttData.CredentialPublicKey, SignCount: data.Counter}, nil
}

// postRemoveKey takes {csrftoken, id}.
func (s *Sandbox) postRemoveKey(w http.ResponseWriter, r *http.Request, web *webSession) {
	f, ok := s.readForm(w, r)
	if !ok || s.notBehindCheck(w, r, web) {
		return
	}
	i := slices.IndexFunc(s.state.Keys, func(k *keyState) bool { return k.ID == f.get("id") })
	switch {
	case s.switches.HighImpactFreeze:
		s.showKeys(w, r, s.switches.PageErrorStatus, web, frozenText)
	case i < 0:
		s.showKeys(w, r, s.switches.PageErrorStatus, web, "The security key could not be removed.")
	default:
		s.state.Keys = slices.Delete(s.state.Keys, i, i+1)
		s.showKeys(w, r, http.StatusOK, web, "")
	}
}
