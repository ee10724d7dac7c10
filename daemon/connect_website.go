package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rotd/daemon/npm"
	"rotd/ipc"
	"rotd/store"
)

// mayUseSite is what the user has to know before the website is operated for
// him (npm's Open Source Terms, Acceptable Use 9, 16 and 18).
const mayUseSite = "By the website way rotd operates npm's settings pages for you, in Chromium. npm's terms of use let software use " +
	"the public API, and forbid automating the website with a program that is not a web browser, and getting around its restrictions: " +
	"whether they allow this is yours to judge. Go this way?"

// checkWay refuses what does not belong together.
func checkWay(req *ipc.Connect) error {
	switch {
	case req.Via != "" && req.Via != ipc.ViaRegistry && req.Via != ipc.ViaWebsite:
		return badRequest(fmt.Sprintf("%q is no way to npm", req.Via), "--via takes registry and website")
	case req.Via != ipc.ViaWebsite && req.Site != "":
		return badRequest("a site is for the website way only", "add --via website, or leave --site out")
	case req.Via != ipc.ViaWebsite && req.AcceptTerms:
		return badRequest("npm's terms are to be accepted for the website way only", "add --via website, or leave --accept-terms out")
	case req.Site == "":
		return nil
	}
	site, err := npm.ParseSite(req.Site, req.Registry)
	if err != nil {
		return badRequest(err.Error(), toWire(err).Hint)
	}
	req.Site = site
	return nil
}

// chooseWay settles by which way the account is signed in to: the one that the
// request names, else that of the passcard which is to be renewed. Without a
// user name that is the only one of the registry.
func (c *connection) chooseWay(ctx context.Context) error {
	all, err := c.st.Passcards(ctx)
	if err != nil {
		return err
	}
	var may []store.Passcard
	for _, p := range all {
		if p.Registry == c.req.Registry && (c.req.Username == "" || c.req.Username == p.Username) {
			may = append(may, p)
		}
	}
	c.via, c.site = c.req.Via, c.req.Site
	switch {
	case len(may) == 1 && c.via == "":
		c.via, c.site = may[0].Via, may[0].Site
	case len(may) == 1 && c.via == ipc.ViaWebsite && c.site == "":
		c.site = may[0].Site
	case c.via == "":
		c.via = ipc.ViaRegistry
	}
	if c.via == ipc.ViaWebsite && (len(may) != 1 || may[0].Terms.IsZero()) {
		return c.agree(ctx)
	}
	return nil
}

// settleWay is chooseWay's second look, when npm has told whose account it is.
func (c *connection) settleWay(ctx context.Context, p store.Passcard) error {
	if c.req.Via == "" && p.ID != "" {
		c.via, c.site = p.Via, p.Site
	}
	if c.via == ipc.ViaWebsite && p.Terms.IsZero() && c.agreed.IsZero() {
		return c.agree(ctx)
	}
	return nil
}

// agree has the user say yes to the website way, once.
func (c *connection) agree(ctx context.Context) error {
	const other = "npm's API, the other way, needs no such word: rot connect npm --via registry"
	if !c.req.AcceptTerms {
		ask := c.asker()
		if ask == nil {
			return badRequest("the website way wants your word on npm's terms of use, and nobody is there to be asked",
				"read rot connect npm --help, and say it beforehand: --accept-terms; "+other)
		}
		answer, err := ask(ctx, ipc.AskTerms, mayUseSite)
		if err != nil {
			return err
		}
		if answer.Reveal() != "yes" {
			return &ipc.Error{Code: ipc.CodeCancelled, Message: "nothing was connected", Hint: other}
		}
	}
	c.agreed = c.d.cfg.Now()
	return nil
}

// signInAtSite has the person sign in on npm's own page, in a window.
func (c *connection) signInAtSite(ctx context.Context, cfg npm.Config, draft *draftKeeper, who presence) (username string, err error) {
	site := siteOf(store.Passcard{Registry: c.req.Registry, Site: c.site})
	w := &npm.SignInWindow{Window: *c.d.window(c.display, draft, who.gone, who.tell), Site: site}
	username, err = w.SignIn(ctx)
	if err == nil && username == "" { // npm's addresses have not told it
		who.ask = nil
		username, err = c.signInBySite(ctx, cfg, draft, who)
	}
	if err == nil && c.req.Username != "" && !strings.EqualFold(username, c.req.Username) {
		err = &npm.Error{Kind: npm.ErrRefused, Message: fmt.Sprintf("sign in: this is the account of %s, not of %s", username, c.req.Username),
			Hint: "sign in as " + c.req.Username + ", or connect " + username + " as a passcard of its own"}
	}
	return username, err
}

// signInBySite signs in on npm's pages with what is known or asked. The session
// is in draft when it has returned.
func (c *connection) signInBySite(ctx context.Context, cfg npm.Config, draft *draftKeeper, who presence) (username string, err error) {
	w, err := c.d.website(cfg, c.site, draft, who)
	if err != nil {
		return "", err
	}
	err = w.SignIn(ctx)
	if cerr := w.Close(context.WithoutCancel(ctx)); cerr != nil {
		err = errors.Join(err, cerr)
	}
	return w.Username(), err
}
