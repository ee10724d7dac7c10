package browser

import (
	"context"
	"encoding/base64"

	"github.com/chromedp/cdproto/webauthn"

	"rotd/ipc"
	"rotd/ipc/secret"
)

// madePasskey is a security key that a page has had made.
type madePasskey struct {
	key  ipc.Passkey
	told *Answer // the first since
}

// NewPasskey gives the tab an empty security key. What the page has it make,
// without a touch or a question, MadePasskey returns.
func (p *Page) NewPasskey(ctx context.Context) error {
	return p.do(ctx, "give the browser a new security key", p.addAuthenticator)
}

// MadePasskey returns the security key that the page has had made last, with
// its present count, nil where there is none yet, and what the page's server
// said first after that: to a script, or with another page.
func (p *Page) MadePasskey() (k *ipc.Passkey, told *Answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made.key.CredentialID == "" {
		return nil, nil
	}
	key := p.made.key
	return &key, p.made.told
}

func (p *Page) keyAdded(c *webauthn.Credential) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b64 := base64.StdEncoding.EncodeToString
	p.made = madePasskey{key: ipc.Passkey{
		RPID: c.RpID, CredentialID: b64(c.CredentialID), UserHandle: b64(c.UserHandle),
		PrivateKey: secret.NewWire(b64(c.PrivateKey)), SignCount: int64(c.SignCount), Resident: c.IsResidentCredential,
	}}
}

func (p *Page) keyUsed(c *webauthn.Credential) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made.key.CredentialID == base64.StdEncoding.EncodeToString(c.CredentialID) {
		p.made.key.SignCount = max(p.made.key.SignCount, int64(c.SignCount))
	}
}
