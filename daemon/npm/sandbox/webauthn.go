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
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"rotd/ipc"
	"rotd/ipc/secret"
)

// rpID is the relying party of the sandbox's pages.
const rpID = "localhost"

// keyState is the person's security key, both halves: what npm keeps of it,
// and the private key that a virtual authenticator is to hold.
type keyState struct {
	CredentialID []byte `json:"credential_id"`
	UserHandle   []byte `json:"user_handle"`
	PrivateKey   []byte `json:"private_key"` // PKCS #8, P-256
	SignCount    uint32 `json:"sign_count"`  // the highest that was seen
}

func newKey() (*keyState, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a security key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("make a security key: %w", err)
	}
	k := &keyState{CredentialID: make([]byte, 32), UserHandle: make([]byte, 16), PrivateKey: der}
	_, _ = rand.Read(k.CredentialID)
	_, _ = rand.Read(k.UserHandle)
	return k, nil
}

// passkey is the key in the shape of Chromium's WebAuthn domain.
func (k *keyState) passkey() ipc.Passkey {
	b64 := base64.StdEncoding.EncodeToString
	return ipc.Passkey{
		RPID: rpID, CredentialID: b64(k.CredentialID), UserHandle: b64(k.UserHandle),
		PrivateKey: secret.NewWire(b64(k.PrivateKey)), SignCount: int64(k.SignCount), Resident: true,
	}
}

// cosePublicKey is the public half as an authenticator would have registered it.
func (k *keyState) cosePublicKey() ([]byte, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(k.PrivateKey)
	if err != nil {
		return nil, err
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("the security key is not an ECDSA key")
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

// requestOptions draws a challenge for the session, in webauthn-json's
// encoding: base64url without padding.
func (s *Sandbox) requestOptions(web *webSession) map[string]any {
	challenge := make([]byte, 32)
	_, _ = rand.Read(challenge)
	web.Challenge = base64.RawURLEncoding.EncodeToString(challenge)
	return map[string]any{
		"challenge": web.Challenge, "timeout": 60000, "rpId": rpID, "userVerification": "preferred",
		"allowCredentials": []map[string]any{{
			"type": "public-key", "id": base64.RawURLEncoding.EncodeToString(s.state.Key.CredentialID),
		}},
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
	key := s.state.Key
	if !bytes.Equal(parsed.RawID, key.CredentialID) {
		return errors.New("another credential")
	}
	if handle := parsed.Response.UserHandle; len(handle) > 0 && !bytes.Equal(handle, key.UserHandle) {
		return errors.New("another user handle")
	}
	public, err := key.cosePublicKey()
	if err != nil {
		return err
	}
	err = parsed.Verify(challenge, rpID, "", []string{origin}, nil, nil, protocol.TopOriginExplicitVerificationMode,
		false, false, true, public, protocol.SignaturePolicy{})
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
