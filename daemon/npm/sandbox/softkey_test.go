package sandbox_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"testing"

	"rotd/daemon/npm/sandbox"
	"rotd/ipc"
)

// softKey signs as an authenticator does, from the bytes up.
type softKey struct {
	t       *testing.T
	key     ipc.Passkey
	private *ecdsa.PrivateKey
	origin  string
	count   uint32
}

func newSoftKey(t *testing.T, s *sandbox.Sandbox, origin string) *softKey {
	t.Helper()
	key, ok := s.SecurityKey()
	if !ok {
		t.Fatal("the account has no security key")
	}
	der, err := base64.StdEncoding.DecodeString(key.PrivateKey.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return &softKey{t: t, key: key, private: private.(*ecdsa.PrivateKey), origin: origin, count: uint32(key.SignCount)}
}

var rawURL = base64.RawURLEncoding.EncodeToString

// assertion answers a page's options, in webauthn-json's encoding.
func (k *softKey) assertion(options map[string]any) map[string]any {
	k.t.Helper()
	k.count++
	client, err := json.Marshal(map[string]any{
		"type": "webauthn.get", "challenge": options["challenge"], "origin": k.origin, "crossOrigin": false,
	})
	if err != nil {
		k.t.Fatal(err)
	}
	rpHash := sha256.Sum256([]byte(options["rpId"].(string)))
	data := append(rpHash[:], 0x05) // user present, user verified
	data = binary.BigEndian.AppendUint32(data, k.count)
	clientHash := sha256.Sum256(client)
	digest := sha256.Sum256(append(bytes.Clone(data), clientHash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.private, digest[:])
	if err != nil {
		k.t.Fatal(err)
	}
	id := decode(k.t, k.key.CredentialID)
	return map[string]any{
		"type": "public-key", "id": rawURL(id), "rawId": rawURL(id),
		"response": map[string]any{
			"clientDataJSON": rawURL(client), "authenticatorData": rawURL(data), "signature": rawURL(signature),
			"userHandle": rawURL(decode(k.t, k.key.UserHandle)),
		},
		"clientExtensionResults": map[string]any{},
	}
}

func decode(t *testing.T, b64 string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// postAssertion sends what the page's script sends, and follows a spiferack
// redirect as the script does.
func (p *person) postAssertion(assertion map[string]any) {
	p.t.Helper()
	props := p.props()
	body, err := json.Marshal(map[string]any{
		"formName": "webauthn", "isTfaEscalation": props["isTfaEscalation"],
		"isNewPublishAuthEscalation":       props["isNewPublishAuthEscalation"],
		"isNewPasswordResetFlowEscalation": false, "webAuthnAssertion": assertion,
		"didOptForCooldown": false, "originalUrl": props["originalUrl"],
		"csrftoken": props["csrftoken"], "errorCount": props["errorCount"],
	})
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequest("POST", p.base+props["action"].(string), bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("x-spiferack", "1")
	req.Header.Set("x-requested-with", "XMLHttpRequest")
	p.do(req)
	if to := p.headers.Get("Location"); to != "" {
		p.open(to)
	}
}

// useKey passes the security-key page that the person is on.
func (p *person) useKey(s *sandbox.Sandbox) {
	p.t.Helper()
	p.sees("Use security key", "npm | Security Key")
	p.useInPlace(s)
}

// useInPlace does the same where the check is one of several on the page.
func (p *person) useInPlace(s *sandbox.Sandbox) {
	p.t.Helper()
	options := p.props()["publicKeyCredentialRequestOptions"].(map[string]any)
	p.postAssertion(newSoftKey(p.t, s, p.base).assertion(options))
}
