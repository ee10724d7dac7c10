package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

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
	if err := d.revive(d.stop, st, p.ID); err != nil {
		d.cfg.Log.Error("what waits for a person is not tried again", "passcard", p.ID, "err", err)
	}
	s.send(ipc.Event{Result: &ipc.Result{Passcard: passcardRef(p.ID), Username: p.Username}})
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

	display []string // of the person; nil: none
}

// inWindow reports whether the person signs in on npm's own page, in a window:
// where there is one, and nothing was given, or is to be kept, that would go
// without.
func (c *connection) inWindow() bool {
	given := !c.req.Password.IsZero() || !c.req.TOTPSecret.IsZero() || c.req.Passkey != nil
	return c.display != nil && !c.req.Terminal && !given && (c.req.Interactive || !remembers(&c.req, store.KindPassword))
}

func (c *connection) run(ctx context.Context) (store.Passcard, error) {
	inWindow := c.inWindow()
	if !inWindow {
		if err := c.complete(ctx); err != nil {
			return store.Passcard{}, err
		}
	}
	busy := func() { c.s.step("", "waiting", "another run for this account goes first") }
	unlock, err := c.d.passcards.lock(ctx, c.req.Registry+" "+strings.ToLower(c.req.Username), busy)
	if err != nil {
		return store.Passcard{}, err
	}
	defer unlock()
	p, err := c.st.PasscardByAccount(ctx, c.req.Registry, c.req.Username)
	if err == nil { // its rotations wait, and so does this for them
		if unlock, err = c.d.passcards.lock(ctx, p.ID, busy); err != nil {
			return store.Passcard{}, err
		}
		defer c.d.kick()
		defer unlock()
	} else if !errors.Is(err, store.ErrNotFound) {
		return store.Passcard{}, err
	}
	if err := c.known(ctx, p); err != nil {
		return store.Passcard{}, err
	}

	var draft draftKeeper
	tell := func(name, text string) { c.s.step("", name, text) }
	cfg := npm.Config{
		Registry:   c.req.Registry,
		Username:   c.req.Username,
		Password:   c.req.Password.Text,
		TOTPSecret: c.req.TOTPSecret.Text,
		Passkey:    c.req.Passkey,
		Terminal:   c.req.Terminal,
	}
	if inWindow {
		cfg.Pages = c.d.window(c.display, &draft, c.s.gone, tell)
	}
	acct, err := c.d.account(cfg, &draft, c.asker(), tell)
	if err != nil {
		return store.Passcard{}, err
	}
	if err := acct.SignIn(ctx); err != nil {
		return store.Passcard{}, err
	}
	if inWindow {
		c.req.Username = acct.Username()
		if err := c.recall(ctx); err != nil {
			return store.Passcard{}, err
		}
	}
	// npm has said yes: from here on the caller going away changes nothing.
	return c.keep(context.WithoutCancel(ctx), acct.Username(), &draft)
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
	if err := c.askPassword(ctx, ask); err != nil || remembers(&c.req, store.KindPassword) {
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
	if ask == nil {
		return nil
	}
	if !remembers(&c.req, store.KindPassword) {
		if err := c.askRecall(ctx, ask); err != nil || !remembers(&c.req, store.KindPassword) {
			return err
		}
	}
	return c.askPassword(ctx, ask)
}

// keep makes the passcard, or renews the one that the account has already, and
// seals what npm gave and what the user wants remembered, all or nothing.
func (c *connection) keep(ctx context.Context, username string, draft *draftKeeper) (store.Passcard, error) {
	p, err := c.st.PasscardByAccount(ctx, c.req.Registry, username)
	if errors.Is(err, store.ErrNotFound) {
		p, err = store.Passcard{Registry: c.req.Registry, Username: username, Via: ipc.ViaRegistry}, nil
	}
	if err != nil {
		return p, err
	}
	if c.req.Name != "" {
		p.Name = c.req.Name
	}
	secrets, err := c.secrets(ctx, p.ID, draft)
	if err != nil {
		return p, err
	}
	return c.st.Connect(ctx, p, secrets)
}

// secrets is what is to be kept: npm's sessions, what the user wants remembered,
// and in place of what was kept before what npm has just taken.
func (c *connection) secrets(ctx context.Context, passcard string, draft *draftKeeper) (map[store.Kind]secret.Text, error) {
	all := map[store.Kind]secret.Text{
		store.KindSession:  draft.kept[store.KindSession],
		store.KindCookies:  draft.kept[store.KindCookies],
		store.KindPassword: c.req.Password.Text,
		store.KindTOTP:     c.req.TOTPSecret.Text,
	}
	if c.req.Passkey != nil {
		b, err := json.Marshal(c.req.Passkey) // npm.Account has moved its sign count on
		if err != nil {
			return nil, fmt.Errorf("keep the passkey: %w", err)
		}
		all[store.KindPasskey] = secret.New(string(b))
	}
	kept, err := c.st.Kinds(ctx, passcard)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(all, func(k store.Kind, v secret.Text) bool {
		wanted := k == store.KindSession || k == store.KindCookies || remembers(&c.req, k) || slices.Contains(kept, k)
		return !wanted || v.IsZero()
	})
	return all, nil
}
