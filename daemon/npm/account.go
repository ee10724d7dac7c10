// Package npm is one npm account: it signs in, and creates, lists, checks and
// revokes the account's granular tokens, so that daemon/rotate can rotate them.
//
// The main way is npm's registry API (Account); what that sends a person to a
// page for, a browser opens (Pages). The other one is the website's settings
// pages (Web). It promises:
//   - nothing is believed that the registry did not say. What a registry does
//     not tell of its tokens (others than npm's tell little) is reported as a
//     step and held against nobody.
//   - an error of Create says for certain when nothing was created.
//   - passwords, codes and tokens go to the registry's own origin, over TLS or
//     within this machine, and stand in no error and no log.
//   - it waits for a person, a page or a new one-time code, but never in a
//     loop of retries: a bot check or a refusal ends the run.
//
// What it does not know of npm is listed in npm-facts E. Where two spellings
// or statuses are possible, it copes with either.
package npm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

var _ rotate.Account = (*Account)(nil)

// Config is what an Account works with.
type Config struct {
	Registry string // as ParseRegistry takes it; empty: the public one
	Username string // empty: asked for, or told by the registry
	Keep     Keeper
	// HTTP is the client to use; nil: one of the package's own. Its policy on
	// redirects is replaced.
	HTTP  *http.Client
	Pages Pages // nil: no browser is there
	// Ask puts a question of an ipc.Ask… kind to the person; nil: nobody is
	// there, and what would be asked is an ErrNeedsPerson.
	Ask func(ctx context.Context, kind, text string) (secret.Text, error)
	// Terminal says that the person would rather type codes than have a page
	// opened. A page opens nevertheless where it alone will do, or a passkey
	// is known.
	Terminal bool
	// MaySignIn is asked before each sign-in; its error ends the run. nil: any
	// time will do.
	MaySignIn func() error
	// Progress is told what is being done, a word and a sentence; may be nil.
	// It must not block, and may be called from another goroutine.
	Progress  func(name, text string)
	Now       func() time.Time                                 // nil: time.Now
	Sleep     func(ctx context.Context, d time.Duration) error // nil: a timer
	Log       *slog.Logger                                     // nil: none
	UserAgent string                                           // empty: "rotd"

	// What is known for this run. What is empty is looked for in Keep.
	Password   secret.Text
	TOTPSecret secret.Text // base32 or an otpauth:// URI
	Passkey    *ipc.Passkey
}

// Account is an npm account during one run. Its methods must not be called at
// the same time, save for Accepts.
type Account struct {
	cfg      Config
	reg      *registry
	username string
	session  secret.Text
	password secret.Text
	passkey  *ipc.Passkey
	factor   factor
	loaded   bool
	// made holds npm's answers to this run's creations, by key: they may tell
	// what the listing does not.
	made map[string]fields

	mu    sync.Mutex
	known []secret.Text // every secret of this run, for redaction
}

// userNames are those npm gives out, and the older ones that it still has.
var userNames = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,214}$`)

// NewAccount checks c and makes no request.
func NewAccount(c Config) (*Account, error) {
	address, err := ParseRegistry(c.Registry)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if c.Username != "" {
		if err := checkUsername(c.Username); err != nil {
			return nil, err
		}
	}
	client := *defaultClient
	if c.HTTP != nil {
		client = *c.HTTP
	}
	client.CheckRedirect = sameOrigin
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.UserAgent == "" {
		c.UserAgent = "rotd"
	}
	a := &Account{cfg: c, username: c.Username, password: c.Password, passkey: c.Passkey, made: map[string]fields{}}
	if !c.TOTPSecret.IsZero() {
		if a.factor.key, err = parseTOTP(c.TOTPSecret); err != nil {
			return nil, err
		}
	}
	a.reg = &registry{base: base, http: &client, agent: c.UserAgent, sleep: c.Sleep, now: c.Now, log: c.Log, secrets: a.secrets}
	return a, nil
}

// Username is the account's name, by npm's word once it is signed in.
func (a *Account) Username() string { return a.username }

// Accepts asks the registry whether it takes value. Only a 200 that names a
// user is a yes. Only a 401 about the value itself is a no, or what Verdaccio
// was seen to say instead: a 200 that names nobody, and a 403 with that word
// for a deleted token. Any other 403 may be about the caller's address.
func (a *Account) Accepts(ctx context.Context, value secret.Text) (bool, error) {
	_, err := a.whoami(ctx, "ask whether a token is accepted", value)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, ErrSessionExpired):
		return false, nil
	}
	return false, err
}

// Check asks the registry whose the kept session is. It renews nothing, and asks
// nobody: a session that has ended, or that there is none of, is an
// ErrSessionExpired.
func (a *Account) Check(ctx context.Context) error {
	const doing = "look at npm's session"
	if err := a.load(ctx); err != nil {
		return err
	}
	if a.session.IsZero() {
		return &Error{Kind: ErrSessionExpired, Message: doing + ": there is none"}
	}
	name, err := a.whoami(ctx, doing, a.session)
	if err == nil && !strings.EqualFold(name, a.username) {
		err = &Error{Kind: ErrRefused, Message: fmt.Sprintf("%s: it is %s's, not %s's", doing, name, a.username), Hint: "connect the account again: rot connect npm"}
	}
	return err
}

// whoami names the user of a token. A token that the registry does not take is
// an ErrSessionExpired.
func (a *Account) whoami(ctx context.Context, doing string, value secret.Text) (string, error) {
	if !sane(value.Reveal(), 1, maxToken) {
		return "", &Error{Kind: ErrGarbled, Message: doing + ": what is kept as its value is no token", Hint: "rotate it"}
	}
	a.know(value)
	ans, err := a.reg.do(ctx, call{doing: doing, method: http.MethodGet, path: "/-/whoami", command: "whoami", bearer: value})
	switch {
	case err != nil:
		return "", err
	case ans.status == http.StatusUnauthorized && fromElsewhere(ans):
		return "", &Error{Kind: errAddress, Message: doing + ": the registry takes it from other addresses only", Hint: "ask for CIDR ranges that this machine is in"}
	case ans.status == http.StatusUnauthorized, ans.status == http.StatusForbidden && unauthorizedWord.MatchString(a.reg.words(ans)):
		return "", &Error{Kind: ErrSessionExpired, Message: doing + ": the registry does not take it"}
	case !ans.ok():
		return "", a.reg.failure(doing, ans)
	}
	var f fields
	if err := a.reg.decode(doing, ans, &f); err != nil {
		return "", err
	}
	name := f.text("username")
	switch {
	case f != nil && f["username"] == nil:
		return "", &Error{Kind: ErrSessionExpired, Message: doing + ": to the registry it is nobody's"}
	case checkUsername(name) != nil:
		return "", a.reg.garbled(doing, "names no user")
	}
	return name, nil
}

var unauthorizedWord = regexp.MustCompile(`(?i)\bunauthorized\b`)

// errAddress is a refusal because of the caller's address (B.2: EAUTHIP).
var errAddress = fmt.Errorf("%w: not from this address", ErrRefused)

func fromElsewhere(a answer) bool {
	return strings.Contains(strings.ToLower(a.header.Get("www-authenticate")), "ipaddress")
}

// load reads what the passcard keeps, once.
func (a *Account) load(ctx context.Context) error {
	if a.loaded {
		return nil
	}
	if a.cfg.Keep != nil {
		if err := a.loadKept(ctx); err != nil {
			return err
		}
	}
	a.know(a.password, a.session)
	a.know(a.cfg.TOTPSecret)
	if a.factor.key != nil {
		a.know(secret.New(a.factor.key.secret))
	}
	if a.passkey != nil {
		a.know(a.passkey.PrivateKey.Text)
	}
	a.loaded = true
	return nil
}

func (a *Account) loadKept(ctx context.Context) error {
	var err error
	get := func(k store.Kind) (v secret.Text) {
		if err == nil {
			v, err = a.cfg.Keep.Secret(ctx, k)
		}
		return v
	}
	if a.password.IsZero() {
		a.password = get(store.KindPassword)
	}
	if a.session.IsZero() {
		a.session = get(store.KindSession)
	}
	if t := (secret.Text{}); a.factor.key == nil {
		if t = get(store.KindTOTP); err == nil && !t.IsZero() {
			a.know(t)
			a.factor.key, err = parseTOTP(t)
		}
	}
	if a.passkey == nil {
		if t := get(store.KindPasskey); err == nil && !t.IsZero() {
			a.passkey = new(ipc.Passkey)
			if json.Unmarshal([]byte(t.Reveal()), a.passkey) != nil { // its error might quote the key
				err = &Error{Kind: ErrWrongCode, Message: "the passkey that is kept cannot be read", Hint: "connect again with --remember passkey"}
			}
		}
	}
	return err
}

// know adds to what no error may hold.
func (a *Account) know(texts ...secret.Text) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known = append(a.known, texts...)
}

func (a *Account) secrets() []secret.Text {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known[:len(a.known):len(a.known)]
}

func (a *Account) tell(name, text string) {
	if a.cfg.Progress != nil {
		a.cfg.Progress(name, text)
	}
}

func checkUsername(name string) error {
	if !userNames.MatchString(name) {
		return &Error{Kind: ErrWrongPassword, Message: "that is no npm user name", Hint: "give the name that npm's website shows behind the ~, not an e-mail address"}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
