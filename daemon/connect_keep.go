package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// keep makes the passcard p, or renews it where the account has it already, and
// seals what npm gave and what the user wants remembered, all or nothing.
func (c *connection) keep(ctx context.Context, p store.Passcard, username string, draft *draftKeeper) (store.Passcard, error) {
	before := p.Via
	p.Username, p.Via, p.Site, p.Checked = username, c.via, c.site, c.d.cfg.Now()
	if c.req.Name != "" {
		p.Name = c.req.Name
	}
	if p.Terms.IsZero() { // a word once given stays
		p.Terms = c.agreed
	}
	kept, err := c.st.Kinds(ctx, p.ID)
	if err != nil {
		return p, err
	}
	secrets, err := c.secrets(kept, draft)
	if err != nil {
		return p, err
	}
	if p.Via == ipc.ViaWebsite {
		secrets[store.KindSession] = secret.Text{} // that of the registry
		if before == ipc.ViaRegistry && !remembers(&c.req, store.KindPassword) && slices.Contains(kept, store.KindPassword) {
			secrets[store.KindPassword] = secret.Text{}
			c.forgotten = append(c.forgotten, string(store.KindPassword))
		}
	}
	return c.st.Connect(ctx, p, secrets)
}

// secrets is what is to be kept: npm's session, what the user wants remembered,
// and in place of what was kept before what npm has just taken.
func (c *connection) secrets(kept []store.Kind, draft *draftKeeper) (map[store.Kind]secret.Text, error) {
	all := map[store.Kind]secret.Text{
		store.KindSession:  draft.kept[store.KindSession],
		store.KindCookies:  draft.kept[store.KindCookies],
		store.KindPassword: c.req.Password.Text,
		store.KindTOTP:     c.req.TOTPSecret.Text,
	}
	if c.req.Passkey != nil {
		b, err := json.Marshal(c.req.Passkey) // the sign-in has moved its sign count on
		if err != nil {
			return nil, fmt.Errorf("keep the passkey: %w", err)
		}
		all[store.KindPasskey] = secret.New(string(b))
	}
	maps.DeleteFunc(all, func(k store.Kind, v secret.Text) bool {
		wanted := k == store.KindSession || k == store.KindCookies || remembers(&c.req, k) || slices.Contains(kept, k)
		return !wanted || v.IsZero()
	})
	return all, nil
}
