package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"rotd/daemon/npm"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

const mayKeepPassword = "npm wants the password for every rotation. May rotd keep it, sealed, on this machine?"

// rememberable are the words of ipc.Connect.Remember.
var rememberable = []store.Kind{store.KindPassword, store.KindTOTP, store.KindPasskey}

// postPasscard connects an npm account: it signs in, and only when npm has
// said yes does it keep anything.
func (d *Daemon) postPasscard(r *http.Request, st *store.Store, out *reply) error {
	var req ipc.Connect
	if err := readBody(r, &req); err != nil {
		return err
	}
	if err := checkConnect(&req); err != nil {
		return err
	}
	display, err := displayEnv(req.Display)
	if err != nil {
		return err
	}
	if !d.inflight.begin() {
		return errStopping
	}
	defer d.inflight.end()
	s := out.begin(r, &d.questions)
	ctx, cancel := d.until(r.Context())
	defer cancel()
	c := &connection{d: d, st: st, req: req, s: s, display: display}
	p, err := c.run(ctx)
	if err != nil {
		return err
	}
	d.cfg.Log.Info("connected", "passcard", p.ID, "registry", p.Registry, "user", p.Username)
	d.note(ctx, store.LogEntry{Kind: store.LogConnected, Passcard: p.ID, UID: uidOf(r), Detail: p.Username})
	if err := d.revive(d.stop, st, p.ID, forPerson); err != nil {
		d.cfg.Log.Error("what waits for a person is not tried again", "passcard", p.ID, "err", err)
	}
	s.send(ipc.Event{Result: &ipc.Result{Passcard: passcardRef(p.ID), Username: p.Username, Forgotten: c.forgotten}})
	return nil
}

// checkConnect fills in the defaults of a request and refuses one that cannot
// lead anywhere.
func checkConnect(req *ipc.Connect) error {
	registry, err := npm.ParseRegistry(req.Registry)
	if err != nil {
		return badRequest(err.Error(), toWire(err).Hint)
	}
	req.Registry = registry
	if err := checkWay(req); err != nil {
		return err
	}
	if req.Name != "" {
		if err := store.ValidName(req.Name); err != nil {
			return badRequest(err.Error(), store.HintOf(err))
		}
	}
	if strings.Contains(req.Username, "@") {
		return badRequest("npm signs in by user name, not by e-mail address", "give the user name: --username")
	}
	_, err = npm.NewAccount(npm.Config{Registry: req.Registry, Username: req.Username, TOTPSecret: req.TOTPSecret.Text})
	if err != nil { // of a form that npm does not give out
		return badRequest(err.Error(), toWire(err).Hint)
	}
	for _, word := range req.Remember {
		if !slices.Contains(rememberable, store.Kind(word)) {
			return badRequest(fmt.Sprintf("%q cannot be remembered", word), "--remember takes password, totp and passkey")
		}
	}
	if remembers(req, store.KindTOTP) && req.TOTPSecret.IsZero() {
		return badRequest("there is no TOTP secret to remember", "name its file: --totp-secret-file F")
	}
	if remembers(req, store.KindPasskey) && req.Passkey == nil {
		return badRequest("there is no passkey to remember", "name its file: --passkey-file F")
	}
	return nil
}

func remembers(req *ipc.Connect, k store.Kind) bool {
	return slices.Contains(req.Remember, string(k))
}

// until is a context that ends with parent or with the daemon.
func (d *Daemon) until(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	stop := context.AfterFunc(d.stop, cancel)
	return ctx, func() { stop(); cancel() }
}

// connection is one run of postPasscard.
type connection struct {
	d   *Daemon
	st  *store.Store
	req ipc.Connect
	s   *stream

	display   []string  // of the person; nil: none
	via, site string    // the way that is gone; the site as in a store.Passcard
	agreed    time.Time // when the person said yes to the website way; zero: not now
	forgotten []string  // what is not kept any more
}

// inWindow reports whether the person signs in on npm's own page, in a window:
// where there is one, and nothing was given, or is to be kept, that would go
// without.
func (c *connection) inWindow() bool {
	given := !c.req.Password.IsZero() || !c.req.TOTPSecret.IsZero() || c.req.Passkey != nil
	return c.display != nil && !c.req.Terminal && !given && (c.req.Interactive || !remembers(&c.req, store.KindPassword))
}

func (c *connection) run(ctx context.Context) (store.Passcard, error) {
	if err := c.chooseWay(ctx); err != nil {
		return store.Passcard{}, err
	}
	inWindow := c.inWindow()
	if !inWindow {
		if err := c.complete(ctx); err != nil {
			return store.Passcard{}, err
		}
	}
	unlock, err := c.d.passcards.lock(ctx, c.req.Registry+" "+strings.ToLower(c.req.Username), c.busy)
	if err != nil {
		return store.Passcard{}, err
	}
	defer unlock()
	p, release, err := c.claim(ctx, c.req.Username)
	if err != nil {
		return store.Passcard{}, err
	}
	defer func() { release() }()
	if err := c.known(ctx, p); err != nil {
		return store.Passcard{}, err
	}

	var draft draftKeeper
	username, err := c.signIn(ctx, inWindow, &draft)
	if err != nil {
		return store.Passcard{}, err
	}
	if p.ID == "" { // only npm has told whose account it is
		if p, release, err = c.claim(ctx, username); err != nil {
			return store.Passcard{}, err
		}
	}
	if err := c.settleWay(ctx, p); err != nil {
		return store.Passcard{}, err
	}
	if inWindow {
		c.req.Username = username
		if err := c.recall(ctx); err != nil {
			return store.Passcard{}, err
		}
	}
	// npm has said yes: from here on the caller going away changes nothing.
	return c.keep(context.WithoutCancel(ctx), p, username, &draft)
}

func (c *connection) busy() { c.s.step("", "waiting", "another run for this account goes first") }

// claim finds the passcard of an account and keeps others from it until it is
// released: its rotations wait, and so does this for them. Where there is none,
// it returns one without an ID.
func (c *connection) claim(ctx context.Context, username string) (p store.Passcard, release func(), err error) {
	p, err = c.st.PasscardByAccount(ctx, c.req.Registry, username)
	if errors.Is(err, store.ErrNotFound) {
		return store.Passcard{Registry: c.req.Registry, Username: username}, func() {}, nil
	}
	if err != nil {
		return p, func() {}, err
	}
	unlock, err := c.d.passcards.lock(ctx, p.ID, c.busy)
	if err != nil {
		return p, func() {}, err
	}
	return p, func() { unlock(); c.d.kick() }, nil
}

// signIn signs in by the way that was chosen, and leaves in draft what is to be
// kept. It returns the account's name by npm's word.
func (c *connection) signIn(ctx context.Context, inWindow bool, draft *draftKeeper) (username string, err error) {
	cfg := npm.Config{
		Registry:   c.req.Registry,
		Username:   c.req.Username,
		Password:   c.req.Password.Text,
		TOTPSecret: c.req.TOTPSecret.Text,
		Passkey:    c.req.Passkey,
		Terminal:   c.req.Terminal,
	}
	who := presence{ask: c.asker(), gone: c.s.gone, tell: func(name, text string) { c.s.step("", name, text) }}
	switch {
	case c.via == ipc.ViaWebsite && inWindow:
		return c.signInAtSite(ctx, cfg, draft, who)
	case c.via == ipc.ViaWebsite:
		return c.signInBySite(ctx, cfg, draft, who)
	case inWindow:
		cfg.Pages = c.d.window(c.display, draft, c.s.gone, who.tell)
	}
	acct, err := c.d.registry(cfg, draft, who)
	if err != nil {
		return "", err
	}
	err = acct.SignIn(ctx)
	return acct.Username(), err
}

// known looks at what there is before npm is asked: the name must be free, and
// a passkey that the passcard keeps has been used since its file was written.
// p is the account's passcard, if it has one.
func (c *connection) known(ctx context.Context, p store.Passcard) error {
	if c.req.Name != "" && c.req.Name != p.Name {
		if _, err := c.st.Resolve(ctx, c.req.Name); err == nil {
			return badRequest(fmt.Sprintf("the name %s is taken", c.req.Name), "choose another one: --name N")
		}
	}
	if c.req.Passkey == nil || p.ID == "" {
		return nil
	}
	kept, err := c.st.Secret(ctx, p.ID, store.KindPasskey)
	if err != nil || kept.IsZero() {
		return err
	}
	var k ipc.Passkey
	if json.Unmarshal([]byte(kept.Reveal()), &k) == nil && k.CredentialID == c.req.Passkey.CredentialID {
		c.req.Passkey.SignCount = max(c.req.Passkey.SignCount, k.SignCount)
	}
	return nil
}

func (c *connection) asker() asker {
	if !c.req.Interactive {
		return nil
	}
	return c.s.ask
}

// complete asks for the user name and the password where they are missing, and
// whether the password may be kept.
func (c *connection) complete(ctx context.Context) error {
	ask := c.asker()
	if c.req.Username == "" {
		if ask == nil {
			return badRequest("the npm user name is missing", "give it: --username U")
		}
		v, err := ask(ctx, ipc.AskUsername, "npm user name")
		if err != nil {
			return err
		}
		c.req.Username = strings.TrimSpace(v.Reveal())
		if err := checkConnect(&c.req); err != nil {
			return err
		}
	}
	if !c.req.Password.IsZero() {
		return nil
	}
	if ask == nil {
		return &ipc.Error{Code: ipc.CodeNeedsApproval, Message: "npm's password is needed, and nobody is there to type it", Hint: "name its file: --password-file F"}
	}
	if err := c.askPassword(ctx, ask); err != nil || remembers(&c.req, store.KindPassword) || c.via == ipc.ViaWebsite {
		return err
	}
	return c.askRecall(ctx, ask)
}

func (c *connection) askPassword(ctx context.Context, ask asker) error {
	v, err := ask(ctx, ipc.AskPassword, "npm password for "+c.req.Username)
	c.req.Password = secret.Wire{Text: v}
	return err
}

func (c *connection) askRecall(ctx context.Context, ask asker) error {
	v, err := ask(ctx, ipc.AskRecall, mayKeepPassword)
	if err == nil && v.Reveal() == "yes" {
		c.req.Remember = append(c.req.Remember, string(store.KindPassword))
	}
	return err
}

// recall asks for the password after a sign-in that needed none of us, if it
// is to be kept.
func (c *connection) recall(ctx context.Context) error {
	ask := c.asker()
	if ask == nil || c.via == ipc.ViaWebsite && !remembers(&c.req, store.KindPassword) {
		return nil
	}
	if !remembers(&c.req, store.KindPassword) {
		if err := c.askRecall(ctx, ask); err != nil || !remembers(&c.req, store.KindPassword) {
			return err
		}
	}
	return c.askPassword(ctx, ask)
}
