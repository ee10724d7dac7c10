package browser

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"

	"rotd/ipc"
	"rotd/ipc/secret"
)

// newPasskey makes a key as an export of one would be.
func newPasskey(t *testing.T) (*ipc.Passkey, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &ipc.Passkey{
		RPID:         "localhost",
		CredentialID: base64.RawURLEncoding.EncodeToString([]byte{0xfb, 0xff, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}),
		UserHandle:   base64.StdEncoding.EncodeToString([]byte("ada")),
		PrivateKey:   secret.NewWire(base64.StdEncoding.EncodeToString(der)),
		SignCount:    41,
		Resident:     true,
	}, key
}

const assertion = `<button>Use security key</button><script>
	const b64 = b => btoa(String.fromCharCode(...new Uint8Array(b)));
	document.querySelector("button").onclick = async () => {
		try {
			const a = await navigator.credentials.get({publicKey: {challenge: new Uint8Array(32), rpId: "localhost",
				userVerification: "required", timeout: 5000}});
			window.got = {id: b64(a.rawId), authenticatorData: b64(a.response.authenticatorData),
				clientData: b64(a.response.clientDataJSON), signature: b64(a.response.signature), failure: ""};
		} catch (e) { window.got = {failure: String(e)} }
	}
</script>`

func TestPasskeySigns(t *testing.T) {
	ctx, b := start(t)
	p := b.Page()
	k, key := newPasskey(t)
	if err := p.AddPasskey(ctx, k); err != nil {
		t.Fatal(err)
	}
	if err := p.Open(ctx, site(t, assertion)); err != nil {
		t.Fatal(err)
	}
	if n, err := p.SignCount(ctx); err != nil || n != 41 {
		t.Errorf("count %d before, %v", n, err)
	}
	if err := p.Click(ctx, Control{Role: "button", Name: "Use security key"}); err != nil {
		t.Fatal(err)
	}
	var got *struct {
		ID, AuthenticatorData, ClientData, Signature []byte
		Failure                                      string
	}
	if err := p.WaitFor(ctx, func(ctx context.Context) (bool, error) {
		err := p.Read(ctx, "window.got || null", &got)
		return got != nil, err
	}); err != nil {
		t.Fatal(err)
	}
	if got.Failure != "" {
		t.Fatal(got.Failure)
	}
	client := sha256.Sum256(got.ClientData)
	signed := sha256.Sum256(append(got.AuthenticatorData, client[:]...))
	if !ecdsa.VerifyASN1(&key.PublicKey, signed[:], got.Signature) {
		t.Error("the signature is not the key's")
	}
	count := int64(binary.BigEndian.Uint32(got.AuthenticatorData[33:37]))
	n, err := p.SignCount(ctx)
	if err != nil || n <= 41 || n != count {
		t.Errorf("count %d after, the page saw %d, %v", n, count, err)
	}
	_ = b.Close()
	if last, err := p.SignCount(ctx); err == nil || last != n {
		t.Errorf("count %d of a closed browser, %v", last, err)
	}
}

func TestBadPasskeys(t *testing.T) {
	ctx, b := start(t)
	for name, spoil := range map[string]func(k *ipc.Passkey){
		"id":     func(k *ipc.Passkey) { k.CredentialID = "%%%" },
		"no id":  func(k *ipc.Passkey) { k.CredentialID = "" },
		"handle": func(k *ipc.Passkey) { k.UserHandle = "" },
		"key":    func(k *ipc.Passkey) { k.PrivateKey = secret.NewWire("bm8ga2V5IEVYQU1QTEU=") },
		"rp":     func(k *ipc.Passkey) { k.RPID = "" },
	} {
		k, _ := newPasskey(t)
		spoil(k)
		err := b.Page().AddPasskey(ctx, k)
		if err == nil || strings.Contains(err.Error(), "EXAMPLE") || strings.Contains(err.Error(), "bm8g") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
