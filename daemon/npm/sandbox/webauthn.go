package sandbox

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"rotd/ipc"
	"rotd/ipc/secret"
)

// rpID is the relying party of the sandbox's pages.
const rpID = "localhost"

// keyState is one of the person's security keys: what npm keeps of it and, of a
// key that the sandbox made itself, the private half that a virtual
// authenticator is to hold.
type keyState struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	Created      time.Time `json:"created"`
	CredentialID []byte    `json:"credential_id"`
	PublicKey    []byte    `json:"public_key"`            // COSE
	PrivateKey   []byte    `json:"private_key,omitempty"` // PKCS #8, P-256
	SignCount    uint32    `json:"sign_count"`            // the highest that was seen

	// UserHandle stood here before an account could have several keys.
	UserHandle []byte `json:"user_handle,omitempty"`
}

// firstKeyName is the name of the key that the account was made with.
const firstKeyName = "first key"

// keepKeys brings the keys of a state in order: an old file's one key among them, a
// handle for the account, and a key if the account is to have one and never had.
func (st *state) keepKeys(wanted bool, now time.Time) error {
	if old := st.Key; old != nil && st.Keys == nil {
		public, err := cosePublicKey(old.PrivateKey)
		if err != nil {
			return fmt.Errorf("read the security key: %w", err)
		}
		old.ID, old.Name, old.Created, old.PublicKey = newUUID(), firstKeyName, st.Created, public
		st.Keys, st.UserHandle, old.UserHandle = []*keyState{old}, old.UserHandle, nil
	}
	st.Key = nil
	if st.UserHandle == nil {
		st.UserHandle = make([]byte, 16)
		_, _ = rand.Read(st.UserHandle)
	}
	if wanted && st.Keys == nil { // not again after it was removed
		key, err := newKey(now)
		if err != nil {
			return fmt.Errorf("make a security key: %w", err)
		}
		st.Keys = []*keyState{key}
	}
	return nil
}

func newKey(now time.Time) (*keyState, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	public, err := cosePublicKey(der)
	if err != nil {
		return nil, err
	}
	k := &keyState{ID: newUUID(), Name: firstKeyName, Created: now, CredentialID: make([]byte, 32), PrivateKey: der, PublicKey: public}
	_, _ = rand.Read(k.CredentialID)
	return k, nil
}

// cosePublicKey is the public half as an authenticator would have registered it.
func cosePublicKey(pkcs8 []byte) ([]byte, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, err
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("it is not an ECDSA key")
	}
	point, err := private.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return nil, err
	}
	return webauthncbor.Marshal(webauthncose.EC2PublicKeyData{
		PublicKeyData: webauthncose.PublicKeyData{KeyType: int64(webauthncose.EllipticKey), Algorithm: int64(webauthncose.AlgES256)},
		Curve:         int64(webauthncose.P256), XCoord: point[1:33], YCoord: point[33:],
	})
}

// ownKey is the key whose private half the sandbox has, in the shape of
// Chromium's WebAuthn domain.
func (s *Sandbox) ownKey() (ipc.Passkey, bool) {
	b64 := base64.StdEncoding.EncodeToString
	for _, k := range s.state.Keys {
		if k.PrivateKey != nil {
			return ipc.Passkey{
				RPID: rpID, CredentialID: b64(k.CredentialID), UserHandle: b64(s.state.UserHandle),
				PrivateKey: secret.NewWire(b64(k.PrivateKey)), SignCount: int64(k.SignCount), Resident: true,
			}, true
		}
	}
	return ipc.Passkey{}, false
}

// credentials names every key, for a browser to choose or to avoid.
func (s *Sandbox) credentials() []map[string]any {
	all := []map[string]any{}
	for _, k := range s.state.Keys {
		all = append(all, map[string]any{"type": "public-key", "id": rawURL(k.CredentialID)})
	}
	return all
}

// rawURL is webauthn-json's encoding: base64url without padding.
func rawURL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func newChallenge() string {
	challenge := make([]byte, 32)
	_, _ = rand.Read(challenge)
	return rawURL(challenge)
}

// requestOptions draws a challenge for the session.
func (s *Sandbox) requestOptions(web *webSession) map[string]any {
	web.Challenge = newChallenge()
	return map[string]any{
		"challenge": web.Challenge, "timeout": 60000, "rpId": rpID, "userVerification": "preferred",
		"allowCredentials": s.credentials(),
	}
}

// goodAssertion verifies what the security key signed: the session's challenge
// (once), this site's origin, presence, the signature, and a sign count that
// does not go backwards.
func (s *Sandbox) goodAssertion(origin string, web *webSession, assertion json.RawMessage) error {
	challenge := web.Challenge
	web.Challenge = ""
	if challenge == "" {
		return errors.New("no challenge is open")
	}
	// webauthn-json sends null where there is no user handle.
	parsed, err := protocol.ParseCredentialRequestResponseBody(strings.NewReader(string(assertion)))
	if err != nil {
		return fmt.Errorf("parse the assertion: %w", err)
	}
	i := slices.IndexFunc(s.state.Keys, func(k *keyState) bool { return bytes.Equal(parsed.RawID, k.CredentialID) })
	if i < 0 {
		return errors.New("another credential")
	}
	key := s.state.Keys[i]
	if handle := parsed.Response.UserHandle; len(handle) > 0 && !bytes.Equal(handle, s.state.UserHandle) {
		return errors.New("another user handle")
	}
	err = parsed.Verify(challenge, rpID, "", []string{origin}, nil, nil, protocol.TopOriginExplicitVerificationMode,
		false, false, true, key.PublicKey, protocol.SignaturePolicy{})
	if err != nil {
		return fmt.Errorf("verify the assertion: %w", err)
	}
	count := parsed.Response.AuthenticatorData.Counter
	if count < key.SignCount {
		return fmt.Errorf("the sign count went back from %d to %d", key.SignCount, count)
	}
	key.SignCount = count
	return nil
}
