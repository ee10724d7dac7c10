package npm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"rotd/daemon/npm/sandbox"
	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

const (
	user       = "ada"
	password   = "pw-of-ada-EXAMPLE"
	totpSecret = "JBSWY3DPEHPK3PXP"
)

// clock is the time of a test: sleeping moves it.
type clock struct {
	mu    sync.Mutex
	t     time.Time
	slept []time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
	c.slept = append(c.slept, d)
	return ctx.Err()
}

func (c *clock) waits() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]time.Duration(nil), c.slept...)
}

// keeper is a map.
type keeper map[store.Kind]secret.Text

func (k keeper) Secret(_ context.Context, kind store.Kind) (secret.Text, error) { return k[kind], nil }

func (k keeper) PutSecret(_ context.Context, kind store.Kind, v secret.Text) error {
	k[kind] = v
	return nil
}

// world is a registry, a person and a place for secrets.
type world struct {
	t        *testing.T
	clock    *clock
	registry string
	box      *sandbox.Sandbox
	keep     keeper
	config   Config

	mu      sync.Mutex
	out     bytes.Buffer // logs, steps and errors: no secret may be there
	secrets []string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, keep: keeper{}, secrets: []string{password, totpSecret},
		clock: &clock{t: time.Date(2026, 11, 23, 12, 0, 5, 0, time.UTC)}}
	w.config = Config{
		Username: user, Keep: w.keep, Now: w.clock.now, Sleep: w.clock.sleep,
		Log:      slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Progress: func(name, text string) { _, _ = fmt.Fprintf(w, "step %s: %s\n", name, text) },
	}
	t.Cleanup(w.noSecrets)
	return w
}

// inSandbox is a world around npm-sandbox.
func inSandbox(t *testing.T, c sandbox.Config) *world {
	w := newWorld(t)
	c.User, c.Password, c.Now = user, password, w.clock.now
	box, err := sandbox.New(c)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := box.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	w.box, w.registry = box, srv.URL
	return w
}

// around is a world around a handler.
func around(t *testing.T, h http.HandlerFunc) *world {
	w := newWorld(t)
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	w.registry = srv.URL
	return w
}

func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}

func (w *world) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.String()
}

var tokenText = regexp.MustCompile(`npm_[A-Za-z0-9]{8}`)

// noSecrets looks through all that was said for what must not be said.
func (w *world) noSecrets() {
	said := w.text()
	for _, v := range w.keep {
		w.secrets = append(w.secrets, v.Reveal())
	}
	for _, s := range w.secrets {
		if s != "" && strings.Contains(said, s) {
			w.t.Errorf("a secret was said:\n%s", said)
		}
	}
	if tokenText.MatchString(said) {
		w.t.Errorf("a token was said:\n%s", said)
	}
}

func (w *world) set(switches string) {
	w.t.Helper()
	if err := w.box.Set(switches); err != nil {
		w.t.Fatal(err)
	}
}

// account makes an account; change adjusts its configuration.
func (w *world) account(change ...func(*Config)) *Account {
	w.t.Helper()
	c := w.config
	c.Registry = w.registry
	for _, f := range change {
		f(&c)
	}
	a, err := NewAccount(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// Knowledge that an account may have.
func knowingPassword(c *Config) { c.Password = secret.New(password) }
func knowingTOTP(c *Config)     { c.TOTPSecret = secret.New(totpSecret) }

// answering is a person who answers by kind of question.
func (w *world) answering(answers map[string]func() string) func(*Config) {
	return func(c *Config) {
		c.Ask = func(_ context.Context, kind, text string) (secret.Text, error) {
			_, _ = fmt.Fprintf(w, "asked %s: %s\n", kind, text)
			answer, ok := answers[kind]
			if !ok {
				return secret.Text{}, fmt.Errorf("the person cannot answer %s", kind)
			}
			return secret.New(answer()), nil
		}
	}
}

func (w *world) code() string {
	c, err := totp.GenerateCode(totpSecret, w.clock.now())
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) mailed() string {
	box := w.box.Mailbox()
	if len(box) == 0 {
		w.t.Fatal("no mail came")
	}
	return box[len(box)-1].Code
}

// fails checks that err is of the kind, has words and a hint, and notes them.
func (w *world) fails(err, kind error) *Error {
	w.t.Helper()
	if !errors.Is(err, kind) {
		w.t.Fatalf("got %v, want kind %v", err, kind)
	}
	var e *Error
	if !errors.As(err, &e) {
		w.t.Fatalf("%v is no *Error", err)
	}
	if e.Message == "" || strings.ContainsAny(e.Message, "\r\n") || e.Hint == "" && !errors.Is(kind, context.Canceled) {
		w.t.Errorf("message %q, hint %q", e.Message, e.Hint)
	}
	_, _ = fmt.Fprintf(w, "error %v hint %s\n", err, e.Hint)
	return e
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// notCreated checks whether err says that nothing was created.
func (w *world) notCreated(err error, want bool) {
	w.t.Helper()
	if errors.Is(err, rotate.ErrNotCreated) != want {
		w.t.Errorf("%v: says that nothing was created: %v, want %v", err, !want, want)
	}
}

// person passes the sandbox's pages as somebody at a browser would, with what
// the account knows and, for the rest, with ada's own secrets.
type person struct {
	w      *world
	client *http.Client
	mu     sync.Mutex
	passes int
}

func (w *world) person() *person {
	jar, err := cookiejar.New(nil)
	w.must(err)
	return &person{w: w, client: &http.Client{Jar: jar}}
}

var csrf = regexp.MustCompile(`name="csrftoken" value="([^"]*)"`)

func (p *person) Pass(ctx context.Context, address string, c *Credentials) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passes++
	at, body, err := p.do(ctx, http.MethodGet, address, nil)
	for range 6 {
		if err != nil {
			return err
		}
		form := url.Values{}
		switch {
		case strings.Contains(body, "Authentication Successful"):
			return nil
		case strings.HasSuffix(at.Path, "/otp") && !strings.HasSuffix(at.Path, "/email-otp"):
			form.Set("otp", p.w.code())
			form.Set("formName", "totp")
		case strings.HasSuffix(at.Path, "/email-otp"):
			form.Set("otp", p.w.mailed())
		case strings.HasSuffix(at.Path, "/password"):
			form.Set("escalated_password", password)
		case at.Path == "/login":
			typed := c.Password
			if typed.IsZero() {
				typed = secret.New(password)
			}
			form.Set("username", user)
			form.Set("password", typed.Reveal())
		default:
			return errors.New("a page that the test does not know: " + at.Path)
		}
		m := csrf.FindStringSubmatch(body)
		if m == nil {
			return errors.New("no csrftoken at " + at.Path)
		}
		form.Set("csrftoken", m[1])
		at, body, err = p.do(ctx, http.MethodPost, at.String(), form)
	}
	return errors.New("the pages go round in circles")
}

func (p *person) do(ctx context.Context, method, address string, form url.Values) (*url.URL, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("content-type", "application/x-www-form-urlencoded")
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp.Request.URL, string(b), err
}

// pages is a browser as a function.
type pages func(ctx context.Context, url string, c *Credentials) error

func (f pages) Pass(ctx context.Context, url string, c *Credentials) error { return f(ctx, url, c) }

func with(p Pages) func(*Config) { return func(c *Config) { c.Pages = p } }

var (
	publish = store.Shape{PackagesAll: true, Permission: ipc.PermissionWrite, Bypass2FA: true, ExpiresDays: 90}
	install = store.Shape{PackagesAll: true, Permission: ipc.PermissionRead, ExpiresDays: 30}
)

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("content-type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
