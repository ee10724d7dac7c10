package browser

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"

	"rotd/ipc"
)

// addCredential is WebAuthn.addCredential with fields of our own: cdproto's
// always sends generateCmtgKeyOnNextOperation, which Chromium 156 refuses and
// older ones do not know.
var addCredential = cdp.Command[addCredentialParams, cdp.Empty]{Method: webauthn.CommandAddCredential}

type addCredentialParams struct {
	AuthenticatorID webauthn.AuthenticatorID `json:"authenticatorId"`
	Credential      credential               `json:"credential"`
}

type credential struct {
	CredentialID string `json:"credentialId"`
	Resident     bool   `json:"isResidentCredential"`
	RPID         string `json:"rpId"`
	PrivateKey   string `json:"privateKey"`
	UserHandle   string `json:"userHandle,omitempty"`
	SignCount    int64  `json:"signCount"`
}

// AddPasskey gives the tab a security key that holds k and answers by itself
// whenever the page asks for it. Call it once, before Open. A k that is no
// passkey is an *Error of kind ErrPasskey.
func (p *Page) AddPasskey(ctx context.Context, k *ipc.Passkey) error {
	id, cred, err := decode(k)
	if err != nil {
		return err
	}
	return p.do(ctx, "give the browser the security key", func(ctx context.Context) error {
		if err := p.addAuthenticator(ctx); err != nil {
			return err
		}
		if _, err := cdp.Call(ctx, p.target, addCredential,
			addCredentialParams{AuthenticatorID: webauthn.AuthenticatorID(p.authenticator), Credential: cred}); err != nil {
			return err
		}
		p.passkey, p.signCount = id, k.SignCount
		return nil
	})
}

// addAuthenticator gives the tab a security key that holds nothing yet.
func (p *Page) addAuthenticator(ctx context.Context) error {
	if _, err := cdp.Call(ctx, p.target, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		return err
	}
	res, err := cdp.Call(ctx, p.target, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol:                    webauthn.AuthenticatorProtocolCtap2,
			Transport:                   webauthn.AuthenticatorTransportInternal,
			HasResidentKey:              true,
			HasUserVerification:         true,
			IsUserVerified:              true,
			AutomaticPresenceSimulation: true,
		}})
	p.authenticator = string(res.AuthenticatorID)
	return err
}

// SignCount is how often the security key has been used, by its own count. It
// must be kept: a key whose count goes back looks cloned. When the browser is
// gone the last known count comes with the error.
func (p *Page) SignCount(ctx context.Context) (int64, error) {
	err := p.do(ctx, "read the security key's count", func(ctx context.Context) error {
		res, err := cdp.Call(ctx, p.target, webauthn.GetCredential, webauthn.GetCredentialParams{
			AuthenticatorID: webauthn.AuthenticatorID(p.authenticator), CredentialID: p.passkey})
		if err == nil {
			p.signCount = max(p.signCount, int64(res.Credential.SignCount))
		}
		return err
	})
	return p.signCount, err
}

// decode checks a passkey and spells it as Chromium wants it. Its errors hold
// nothing of it.
func decode(k *ipc.Passkey) (id []byte, c credential, err error) {
	bad := func(what string) error { return &Error{Kind: ErrPasskey, Message: "the passkey's " + what} }
	id, err = fromBase64(k.CredentialID)
	if err != nil || len(id) == 0 {
		return nil, c, bad("credentialId is not base64")
	}
	handle, err := fromBase64(k.UserHandle)
	if err != nil || len(handle) > 64 || k.Resident && len(handle) == 0 {
		return nil, c, bad("userHandle is not base64 of 1 to 64 bytes")
	}
	der, err := fromBase64(k.PrivateKey.Reveal())
	if err != nil {
		return nil, c, bad("privateKey is not base64")
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if ec, ok := key.(*ecdsa.PrivateKey); err != nil || !ok || ec.Curve != elliptic.P256() {
		return nil, c, bad("privateKey is not PKCS #8 of a P-256 key")
	}
	if k.RPID == "" || k.SignCount < 0 {
		return nil, c, bad("rpId is missing, or its signCount negative")
	}
	std := base64.StdEncoding.EncodeToString
	return id, credential{CredentialID: std(id), Resident: k.Resident, RPID: k.RPID,
		PrivateKey: std(der), UserHandle: std(handle), SignCount: k.SignCount}, nil
}

// fromBase64 takes both alphabets, padded or not: exports differ.
func fromBase64(s string) ([]byte, error) {
	s = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimSpace(s)), "=")
	return base64.RawStdEncoding.DecodeString(s)
}
