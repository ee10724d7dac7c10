package browser

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// cookie is a cookie as it is kept: what it takes to put it back, in a form
// that does not change with the protocol's. The port it came from is left out,
// since it would bind the cookie to that port.
type cookie struct {
	Name         string     `json:"name"`
	Value        string     `json:"value"`
	Domain       string     `json:"domain"`
	Path         string     `json:"path"`
	Expires      float64    `json:"expires,omitempty"` // Unix time in seconds; 0: with the browser session
	Secure       bool       `json:"secure,omitempty"`
	HTTPOnly     bool       `json:"httpOnly,omitempty"`
	SameSite     string     `json:"sameSite,omitempty"`
	Priority     string     `json:"priority,omitempty"`
	SourceScheme string     `json:"sourceScheme,omitempty"`
	Partition    *partition `json:"partition,omitempty"`
}

type partition struct {
	TopLevelSite         string `json:"topLevelSite"`
	HasCrossSiteAncestor bool   `json:"hasCrossSiteAncestor,omitempty"`
}

// Cookies returns the browser's session: all cookies, those that no page can
// read among them, as JSON that SetCookies of another browser takes. It is a
// secret: whoever has it is signed in.
func (b *Browser) Cookies(ctx context.Context) ([]byte, error) {
	res, err := cdp.Call(ctx, chromedp.FromContext(b.ctx).Browser, storage.GetCookies, storage.GetCookiesParams{})
	if err != nil {
		return nil, b.failure(ctx, b.ctx, "read the browser's cookies", err)
	}
	kept := make([]cookie, 0, len(res.Cookies))
	for _, c := range res.Cookies {
		k := cookie{
			Name: c.Name, Value: c.Value, Domain: c.Domain, Path: c.Path,
			Secure: c.Secure, HTTPOnly: c.HTTPOnly,
			SameSite: string(c.SameSite), Priority: string(c.Priority), SourceScheme: string(c.SourceScheme),
		}
		if !c.Session {
			k.Expires = c.Expires
		}
		if c.PartitionKey != nil {
			k.Partition = &partition{c.PartitionKey.TopLevelSite, c.PartitionKey.HasCrossSiteAncestor}
		}
		kept = append(kept, k)
	}
	return json.Marshal(kept)
}

// SetCookies puts a session into the browser. Call it before a page is opened.
func (b *Browser) SetCookies(ctx context.Context, session []byte) error {
	const what = "restore the browser's cookies"
	var kept []cookie
	if err := json.Unmarshal(session, &kept); err != nil {
		// Not the error's own text: it may quote what it was given.
		return fmt.Errorf("%s: what was kept is not a list of cookies", what)
	}
	params := storage.SetCookiesParams{Cookies: make([]*network.CookieParam, 0, len(kept))}
	for _, k := range kept {
		c := &network.CookieParam{
			Name: k.Name, Value: k.Value, Domain: k.Domain, Path: k.Path,
			Secure: k.Secure, HTTPOnly: k.HTTPOnly, Expires: cdp.TimeSinceEpoch(k.Expires),
			SameSite: network.CookieSameSite(k.SameSite), Priority: network.CookiePriority(k.Priority),
			SourceScheme: network.CookieSourceScheme(k.SourceScheme),
		}
		if k.Partition != nil {
			c.PartitionKey = &network.CookiePartitionKey{
				TopLevelSite: k.Partition.TopLevelSite, HasCrossSiteAncestor: k.Partition.HasCrossSiteAncestor}
		}
		params.Cookies = append(params.Cookies, c)
	}
	_, err := cdp.Call(ctx, chromedp.FromContext(b.ctx).Browser, storage.SetCookies, params)
	return b.failure(ctx, b.ctx, what, err)
}
