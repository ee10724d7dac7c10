package npm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rotd/daemon/browser"
	"rotd/daemon/npm/sandbox"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

const (
	ada     = "ada"
	adaPass = "correct horse EXAMPLE"
	adaTOTP = "JBSWY3DPEHPK3PXP"
)

// visitor is a test's passcard: the sandbox it goes to, what it keeps, and what
// it may enter.
type visitor struct {
	t    *testing.T
	npm  *sandbox.Sandbox
	url  string
	keep keeper
	site *Website
	c    *Credentials
}

// newVisitor starts a sandbox for one kind of account, and optionally changes
// its pages on their way.
func newVisitor(t *testing.T, cfg sandbox.Config, change ...func(http.Handler) http.Handler) *visitor {
	t.Helper()
	cfg.User, cfg.Password = ada, adaPass
	npm, err := sandbox.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var h http.Handler = npm
	for _, c := range change {
		h = c(h)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	v := &visitor{t: t, npm: npm, keep: keeper{}, url: strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)}
	v.site = &Website{
		Browser:   browser.Config{NoSandbox: os.Geteuid() == 0, Dir: t.TempDir()},
		Keep:      v.keep,
		ReportDir: t.TempDir(),
		patience:  3 * time.Second,
	}
	v.c = &Credentials{Username: ada, Password: secret.New(adaPass)}
	return v
}

// totpOf gives the codes of the TOTP secret without waiting: after the first
// those of the next window, which are good already.
func (v *visitor) totpOf(base32 string) {
	key, err := parseTOTP(secret.New(base32))
	if err != nil {
		v.t.Fatal(err)
	}
	ahead := int64(0)
	v.c.TOTP = func(context.Context) (secret.Text, error) {
		code, err := key.code(key.window(time.Now()) + ahead)
		ahead = 1
		return code, err
	}
}

func (v *visitor) passkey() {
	k, ok := v.npm.SecurityKey()
	if !ok {
		v.t.Fatal("the sandbox's account has no security key")
	}
	v.c.Passkey = &k
}

func (v *visitor) switches(json string) {
	v.t.Helper()
	if err := v.npm.Set(json); err != nil {
		v.t.Fatal(err)
	}
}

// ask sends a request to the registry and decodes the answer.
func (v *visitor) ask(method, path, bearer, body string) (int, map[string]any) {
	v.t.Helper()
	url := path
	if !strings.HasPrefix(path, "http") {
		url = v.url + path
	}
	req, err := http.NewRequestWithContext(v.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("content-type", "application/json")
	req.Header.Set("npm-auth-type", "web")
	req.Header.Set("npm-command", "token")
	if bearer != "" {
		req.Header.Set("authorization", "Bearer "+bearer)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	got := map[string]any{}
	raw, _ := io.ReadAll(res.Body)
	_ = json.Unmarshal(raw, &got)
	return res.StatusCode, got
}

// login begins a sign-in and says where its page is and how to see whether it
// was passed.
func (v *visitor) login() (page string, result func() string) {
	v.t.Helper()
	_, got := v.ask("POST", "/-/v1/login", "", "{}")
	return fmt.Sprint(got["loginUrl"]), v.outcome(got)
}

// escalation begins the creation of a token, which npm wants a check for.
func (v *visitor) escalation(session string) (page string, result func() string) {
	v.t.Helper()
	body := fmt.Sprintf(`{"name":"t","password":%q,"packages_all":true,"packages_and_scopes_permission":"read-only"}`, adaPass)
	status, got := v.ask("POST", "/-/npm/v1/tokens", session, body)
	if status != 401 || got["authUrl"] == nil {
		v.t.Fatalf("no check wanted: %d", status)
	}
	return fmt.Sprint(got["authUrl"]), v.outcome(got)
}

func (v *visitor) outcome(got map[string]any) func() string {
	return func() string {
		v.t.Helper()
		status, done := v.ask("GET", fmt.Sprint(got["doneUrl"]), "", "")
		if status != 200 {
			return ""
		}
		return fmt.Sprint(done["token"])
	}
}

func (v *visitor) pass(page string) error {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), time.Minute)
	defer cancel()
	began := time.Now()
	err := v.site.Pass(ctx, page, v.c)
	v.t.Logf("Pass took %s", time.Since(began).Round(time.Millisecond))
	if left, _ := os.ReadDir(v.site.Browser.Dir); len(left) > 0 {
		v.t.Errorf("a profile is left: %v", left)
	}
	return err
}

// signIn signs in and returns the session token.
func (v *visitor) signIn() string {
	v.t.Helper()
	page, result := v.login()
	if err := v.pass(page); err != nil {
		v.t.Fatal(err)
	}
	session := result()
	if session == "" {
		v.t.Fatal("the page was passed, and the registry does not know")
	}
	return session
}

// escalate passes the check in front of a creation.
func (v *visitor) escalate(session string) {
	v.t.Helper()
	page, result := v.escalation(session)
	if err := v.pass(page); err != nil {
		v.t.Fatal(err)
	}
	if result() == "" {
		v.t.Error("the check was passed, and the registry does not know")
	}
}

// fails checks that a page is not passed, for the right reason, and that the
// error says nothing it should not.
func (v *visitor) fails(page string, kind error, says string) {
	v.t.Helper()
	err := v.pass(page)
	var e *Error
	if !errors.Is(err, kind) || !errors.As(err, &e) || !strings.Contains(err.Error(), says) {
		v.t.Fatalf("want %v that says %q, got: %v", kind, says, err)
	}
	v.t.Logf("%s\n\t%s", e.Message, e.Hint)
	if e.Hint == "" {
		v.t.Error("no hint")
	}
	for _, bad := range []string{adaPass, adaTOTP, page[strings.LastIndex(page, "/")+1:]} {
		if strings.Contains(e.Message+e.Hint, bad) {
			v.t.Errorf("it tells %q", bad)
		}
	}
}

// posts counts what was sent to a path.
func (v *visitor) posts(prefix string) (n int) {
	for _, r := range v.npm.Requests() {
		if r.Method == "POST" && strings.HasPrefix(r.Path, prefix) {
			n++
		}
	}
	return n
}

func TestPassWithTOTP(t *testing.T) {
	v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP})
	v.totpOf(adaTOTP)
	session := v.signIn()
	forms := v.posts("/login")

	// The session is kept: the next check asks for the second factor alone.
	v.escalate(session)
	if n := v.posts("/login"); n != forms {
		t.Errorf("signed in again: %d posts, then %d", forms, n)
	}

	// One that npm has ended, or that cannot be read, costs a sign-in.
	v.npm.SignOut()
	v.signIn()
	v.keep[store.KindCookies] = secret.New("not JSON")
	v.signIn()
}

func TestPassWithEmailCode(t *testing.T) {
	v := newVisitor(t, sandbox.Config{NoFactor: true})
	var asked []string
	v.c.Ask = func(_ context.Context, kind, text string) (secret.Text, error) {
		asked = append(asked, kind+": "+text)
		box := v.npm.Mailbox()
		if len(box) == 0 {
			return secret.Text{}, errors.New("no mail")
		}
		return secret.New(box[len(box)-1].Code), nil
	}
	v.signIn()
	if len(asked) != 1 || !strings.HasPrefix(asked[0], ipc.AskEmailOTP) {
		t.Errorf("asked %q", asked)
	}
}

func TestPassWithSecurityKey(t *testing.T) {
	v := newVisitor(t, sandbox.Config{SecurityKey: true})
	v.passkey()
	v.c.Passkey.SignCount = 7
	raw, _ := json.Marshal(v.c.Passkey)
	v.keep[store.KindPasskey] = secret.New(string(raw))

	session := v.signIn()
	v.escalate(session)
	var have ipc.Passkey
	if err := json.Unmarshal([]byte(v.keep[store.KindPasskey].Reveal()), &have); err != nil {
		t.Fatal(err)
	}
	if have.SignCount < 9 || have.SignCount != v.c.Passkey.SignCount || !have.PrivateKey.Equal(v.c.Passkey.PrivateKey.Text) {
		t.Errorf("kept count %d, in the run %d", have.SignCount, v.c.Passkey.SignCount)
	}

	// A key that was given for one run only is not kept.
	delete(v.keep, store.KindPasskey)
	v.escalate(session)
	if _, ok := v.keep[store.KindPasskey]; ok {
		t.Error("a passkey is kept that nobody allowed to keep")
	}
}

func TestPassAsksThePerson(t *testing.T) {
	v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP})
	v.totpOf(adaTOTP)
	code := v.c.TOTP
	*v.c = Credentials{Ask: func(ctx context.Context, kind, _ string) (secret.Text, error) {
		switch kind {
		case ipc.AskUsername:
			return secret.New(ada), nil
		case ipc.AskPassword:
			return secret.New(adaPass), nil
		case ipc.AskOTP:
			return code(ctx)
		}
		return secret.Text{}, errors.New("an unexpected question")
	}}
	v.signIn()
}

func TestPassEscalations(t *testing.T) {
	for name, test := range map[string]struct {
		account  sandbox.Config
		switches string
	}{
		"password":                      {sandbox.Config{TOTPSecret: adaTOTP}, `{"escalation":["password"]}`},
		"password, code":                {sandbox.Config{TOTPSecret: adaTOTP}, `{"escalation":["password","otp"]}`},
		"password, code, in place":      {sandbox.Config{TOTPSecret: adaTOTP}, `{"escalation":["password","otp"],"escalate_in_place":true}`},
		"code twice, in place":          {sandbox.Config{TOTPSecret: adaTOTP}, `{"escalation":["otp","otp"],"escalate_in_place":true}`},
		"key, in place":                 {sandbox.Config{SecurityKey: true}, `{"escalate_in_place":true}`},
		"password and key, in place":    {sandbox.Config{SecurityKey: true}, `{"escalation":["password","webauthn"],"escalate_in_place":true}`},
		"banner, new manifest, no csrf": {sandbox.Config{TOTPSecret: adaTOTP}, `{"alert_banner":true,"csrf_rotates":true,"csrf_readable":true,"cookie_persistent":true,"cookie_secure":true}`},
		"cooldown":                      {sandbox.Config{TOTPSecret: adaTOTP}, `{"cooldown":true}`},
		"key, with the box":             {sandbox.Config{SecurityKey: true}, `{"cooldown":true}`},
		"password, key, with the box":   {sandbox.Config{SecurityKey: true}, `{"escalation":["password","webauthn"],"cooldown":true}`},
		"login escalates":               {sandbox.Config{TOTPSecret: adaTOTP}, `{"login_cli_escalates":"always"}`},
		"errors with status 401":        {sandbox.Config{TOTPSecret: adaTOTP}, `{"page_error_status":401}`},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVisitor(t, test.account)
			v.switches(test.switches)
			if test.account.SecurityKey {
				v.passkey()
			} else {
				v.totpOf(adaTOTP)
			}
			v.escalate(v.signIn())
		})
	}
}

// An account with both factors is asked for its key, and has only the code.
func TestPassAnotherWay(t *testing.T) {
	for _, switches := range []string{`{}`, `{"escalate_in_place":true}`} {
		t.Run(switches, func(t *testing.T) {
			v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP, SecurityKey: true})
			v.switches(switches)
			v.totpOf(adaTOTP)
			v.escalate(v.signIn())
		})
	}
	t.Run("the key instead of a password", func(t *testing.T) {
		v := newVisitor(t, sandbox.Config{SecurityKey: true})
		v.passkey()
		session := v.signIn()
		v.switches(`{"escalation":["password"],"escalate_in_place":true}`)
		v.c.Password = secret.Text{}
		page, _ := v.escalation(session)
		_ = v.pass(page) // whatever the sandbox makes of it, a key was offered
		if v.posts("/escalate") == 0 {
			t.Error("nothing was tried")
		}
	})
}

func TestPassRefusals(t *testing.T) {
	t.Run("wrong password", func(t *testing.T) {
		v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP})
		v.c.Password = secret.New("wrong EXAMPLE")
		v.totpOf(adaTOTP)
		page, result := v.login()
		v.fails(page, ErrWrongPassword, "There was an error with your username or password")
		if v.posts("/login") != 1 || result() != "" {
			t.Errorf("%d posts", v.posts("/login"))
		}
	})
	t.Run("wrong password, without a word", func(t *testing.T) {
		v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP})
		v.switches(`{"page_password_text":""}`)
		v.c.Password = secret.New("wrong EXAMPLE")
		page, _ := v.login()
		v.fails(page, ErrWrongPassword, "npm refused the user name or the password")
	})
	t.Run("wrong password at an escalation", func(t *testing.T) {
		v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP})
		v.switches(`{"escalation":["password"]}`)
		v.totpOf(adaTOTP)
		session := v.signIn()
		v.c.Password = secret.New("wrong EXAMPLE")
		page, _ := v.escalation(session)
		v.fails(page, ErrWrongPassword, "npm refused the password")
		if v.posts("/escalate") != 1 {
			t.Errorf("%d posts", v.posts("/escalate"))
		}
	})
	t.Run("wrong secret", func(t *testing.T) {
		v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP})
		v.totpOf("GEZDGNBVGY3TQOJQ")
		page, _ := v.login()
		v.fails(page, ErrWrongCode, "Invalid one-time password")
		if n := v.posts("/login/otp"); n != 2 {
			t.Errorf("%d codes were tried", n)
		}
	})
	t.Run("used code", func(t *testing.T) {
		v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP})
		v.switches(`{"refuse_reused_site_totp":true}`)
		v.totpOf(adaTOTP)
		next, last, again := v.c.TOTP, secret.Text{}, 0
		v.c.TOTP = func(ctx context.Context) (secret.Text, error) {
			if again++; again == 2 {
				return last, nil // at the escalation: the one from the sign-in
			}
			var err error
			last, err = next(ctx)
			return last, err
		}
		v.escalate(v.signIn())
		if again != 3 {
			t.Errorf("%d codes", again)
		}
	})
	t.Run("wrong code by a person", func(t *testing.T) {
		v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP})
		v.c.Ask = func(context.Context, string, string) (secret.Text, error) { return secret.New("000000"), nil }
		page, _ := v.login()
		v.fails(page, ErrWrongCode, "npm refused the one-time code")
		if n := v.posts("/login/otp"); n != 1 {
			t.Errorf("%d codes were tried", n)
		}
	})
	t.Run("another account's key", func(t *testing.T) {
		other := newVisitor(t, sandbox.Config{SecurityKey: true})
		other.passkey()
		v := newVisitor(t, sandbox.Config{SecurityKey: true})
		v.c.Passkey = other.c.Passkey
		page, _ := v.login()
		v.fails(page, ErrWrongCode, "the security key")
	})
	t.Run("a cloned key", func(t *testing.T) {
		v := newVisitor(t, sandbox.Config{SecurityKey: true})
		v.passkey()
		v.c.Passkey.SignCount = 50
		session := v.signIn()
		v.c.Passkey.SignCount = 3
		page, _ := v.escalation(session)
		v.fails(page, ErrWrongCode, "npm refused the security key")
		if n := v.posts("/escalate"); n != 1 {
			t.Errorf("%d tries", n)
		}
	})
}

func TestPassWithNobodyThere(t *testing.T) {
	for name, test := range map[string]struct {
		account sandbox.Config
		c       Credentials
		says    string
	}{
		"no password": {sandbox.Config{TOTPSecret: adaTOTP}, Credentials{Username: ada}, "npm password of ada"},
		"no code":     {sandbox.Config{TOTPSecret: adaTOTP}, Credentials{Username: ada, Password: secret.New(adaPass)}, "authenticator app"},
		"no mail":     {sandbox.Config{NoFactor: true}, Credentials{Username: ada, Password: secret.New(adaPass)}, "a***@"},
		"no key":      {sandbox.Config{SecurityKey: true}, Credentials{Username: ada, Password: secret.New(adaPass)}, "the security key"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVisitor(t, test.account)
			*v.c = test.c
			page, _ := v.login()
			v.fails(page, ErrNeedsPerson, test.says)
		})
	}
}

func TestPassBotCheck(t *testing.T) {
	for _, n := range []int{-1, 1} {
		v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP})
		v.totpOf(adaTOTP)
		page, result := v.login()
		v.switches(fmt.Sprintf(`{"bot_challenge":%d}`, n))
		v.fails(page, ErrBotCheck, "bot check")
		if result() != "" || v.posts("/") > 1 { // the one is the login of the registry
			t.Errorf("something was sent: %d posts", v.posts("/"))
		}
	}
	t.Run("at the security key", func(t *testing.T) {
		v := newVisitor(t, sandbox.Config{SecurityKey: true}, func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "POST" && r.URL.Path == "/login/webauthn" {
					w.Header().Set("cf-mitigated", "challenge")
					w.WriteHeader(http.StatusForbidden)
					return
				}
				h.ServeHTTP(w, r)
			})
		})
		v.passkey()
		page, _ := v.login()
		v.fails(page, ErrBotCheck, "bot check")
	})
}

// Nothing is typed into a page of somebody else, however well it looks.
func TestPassLeavesNothingElsewhere(t *testing.T) {
	other := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP})
	v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP}, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/login" {
				http.Redirect(w, r, other.url+"/login", http.StatusFound)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	v.totpOf(adaTOTP)
	page, _ := v.login()
	v.fails(page, ErrPage, "another site")
	if n := other.posts("/"); n != 0 {
		t.Errorf("%d posts elsewhere", n)
	}
}

func TestPassBadPasskey(t *testing.T) {
	v := newVisitor(t, sandbox.Config{SecurityKey: true})
	v.passkey()
	v.c.Passkey.PrivateKey = secret.NewWire("EXAMPLE")
	page, _ := v.login()
	v.fails(page, ErrWrongCode, "privateKey")
}

// npm drops some sign-ins without a word.
func TestPassDroppedSignIn(t *testing.T) {
	v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP}, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" && r.URL.Path == "/login/otp" {
				http.Redirect(w, r, "/login?next=%2F", http.StatusFound)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	v.totpOf(adaTOTP)
	page, _ := v.login()
	v.fails(page, ErrPage, "asks for it again")
	if n := v.posts("/login"); n != 1 { // the sandbox sees but the first form
		t.Errorf("%d posts", n)
	}
}

// rewrite changes the pages on their way to the browser.
func rewrite(change func(path, page string) string) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			body := rec.Body.Bytes()
			if strings.HasPrefix(rec.Header().Get("content-type"), "text/html") {
				body = []byte(change(r.URL.Path, string(body)))
				rec.Header().Del("content-length")
			}
			for k, vs := range rec.Header() {
				w.Header()[k] = vs
			}
			w.WriteHeader(rec.Code)
			_, _ = io.Copy(w, bytes.NewReader(body))
		})
	}
}

var betweenTags = regexp.MustCompile(`>[^<>]*[A-Za-z][^<>]*<`)

// A site whose every visible word has changed is not touched.
func TestPassUnknownWordsFailClosed(t *testing.T) {
	v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP}, rewrite(func(_, page string) string {
		head, body, _ := strings.Cut(page, "<body>")
		return head + "<body>" + betweenTags.ReplaceAllString(body, ">Quelque chose<")
	}))
	v.totpOf(adaTOTP)
	page, _ := v.login()
	v.fails(page, ErrPage, "/login")
	if n := v.posts("/login"); n != 0 {
		t.Errorf("%d posts to a page that is not known", n)
	}
	checkReport(t, v.site.ReportDir)
}

// Neither ids nor classes matter on any of the pages that a check may show, and
// words do on each: with others nothing is entered.
func TestPassDistortedPages(t *testing.T) {
	for name, cfg := range map[string]sandbox.Config{"code": {TOTPSecret: adaTOTP}, "key": {SecurityKey: true}, "mail": {NoFactor: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVisitor(t, cfg)
			switch name {
			case "code":
				v.totpOf(adaTOTP)
			case "key":
				v.passkey()
			case "mail":
				v.c.Ask = func(context.Context, string, string) (secret.Text, error) {
					box := v.npm.Mailbox()
					return secret.New(box[len(box)-1].Code), nil
				}
			}
			v.switches(`{"renamed_ids":true,"escalation":["password"]}`)
			session := v.signIn()
			if cfg.NoFactor { // to the registry it owes nothing but its password
				v.switches(`{"changed_words":true}`)
				page, _ := v.login()
				v.fails(page, ErrPage, "expected")
				return
			}
			v.escalate(session)
			for _, check := range []string{`["password"]`, `[]`} {
				v.switches(`{"changed_words":true,"escalation":` + check + `}`)
				page, result := v.escalation(session)
				before := v.posts("/escalate")
				v.fails(page, ErrPage, "expected")
				if v.posts("/escalate") != before || result() != "" {
					t.Errorf("%s: something was entered", check)
				}
			}
		})
	}
}

func TestPassUnknownPage(t *testing.T) {
	v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP}, rewrite(func(path, page string) string {
		if path == "/login/otp" {
			return `<title>npm | Something new</title><main><h1>Prove that you like cats</h1><input name=otp><button>Purr</button></main>`
		}
		return page
	}))
	v.totpOf(adaTOTP)
	page, _ := v.login()
	v.fails(page, ErrPage, `"npm | Something new" at /login/otp`)
	checkReport(t, v.site.ReportDir)
}

// checkReport looks for the report of one page, and for secrets in it.
func checkReport(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "page.*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("report: %v, %v", files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), adaPass) {
			t.Errorf("%s holds the password", f)
		}
	}
}

// What npm says is shown to the person, but not what was typed, nor a page.
func TestPassRefusalIsRedactedAndBounded(t *testing.T) {
	v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP})
	v.c.Password = secret.New("hunter2EXAMPLE")
	v.switches(fmt.Sprintf(`{"page_password_text":"hunter2EXAMPLE is wrong for npm_%s %s"}`, strings.Repeat("a", 36), strings.Repeat("x ", 400)))
	page, _ := v.login()
	err := v.pass(page)
	if !errors.Is(err, ErrWrongPassword) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "npm_") || len(err.Error()) > 400 {
		t.Errorf("%v", err)
	}
}

func TestPassAllowButton(t *testing.T) {
	pressed := false
	v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP}, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/login/cli/") || pressed {
				h.ServeHTTP(w, r)
				return
			}
			if r.Method == "POST" {
				pressed = true
				http.Redirect(w, r, r.URL.Path, http.StatusSeeOther)
				return
			}
			w.Header().Set("content-type", "text/html")
			_, _ = io.WriteString(w, `<title>npm</title><main><h1>A device asks to sign in</h1><form method=post><button>Deny</button><button>Allow</button></form></main>`)
		})
	})
	v.totpOf(adaTOTP)
	v.signIn()
	if !pressed {
		t.Error("not pressed")
	}
}

func TestPassBadDays(t *testing.T) {
	t.Run("nothing listens", func(t *testing.T) {
		v := newVisitor(t, sandbox.Config{NoFactor: true})
		s := httptest.NewServer(nil)
		s.Close()
		v.fails(s.URL+"/login/cli/x", ErrUnreachable, "ERR_CONNECTION_REFUSED")
	})
	for name, test := range map[string]struct {
		fault string
		kind  error
	}{
		"cut at the form":      {`{"method":"POST","path":"/login","count":-1,"kind":"cut"}`, ErrUnreachable},
		"500 at the form":      {`{"method":"POST","path":"/login","count":-1,"kind":"status","status":500}`, ErrServer},
		"429 at the form":      {`{"method":"POST","path":"/login","count":-1,"kind":"status","status":429,"retry_after":17}`, ErrRateLimited},
		"503 at the page":      {`{"method":"GET","path":"/login","count":-1,"kind":"status","status":503,"body":"upstream"}`, ErrServer},
		"404 at the page":      {`{"method":"GET","path":"/login/cli","count":-1,"kind":"status","status":404,"body":"gone"}`, ErrPage},
		"half of the page":     {`{"method":"GET","path":"/login","count":-1,"kind":"truncate"}`, ErrUnreachable},
		"garbled page":         {`{"method":"GET","path":"/login","count":-1,"kind":"garble"}`, ErrPage},
		"slow, and then right": {`{"method":"POST","path":"/login","count":-1,"kind":"slow","delay_ms":1500}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP})
			v.totpOf(adaTOTP)
			page, _ := v.login()
			v.switches(`{"faults":[` + test.fault + `]}`)
			err := v.pass(page)
			if !errors.Is(err, test.kind) {
				t.Fatalf("want %v, got %v", test.kind, err)
			}
			var e *Error
			if errors.As(err, &e) && e.Kind == ErrRateLimited && e.RetryAfter != 17*time.Second {
				t.Errorf("retry after %s", e.RetryAfter)
			}
			t.Log(err)
		})
	}
}

// The caller stops the visit as soon as the registry has answered.
func TestPassStopsWithItsContext(t *testing.T) {
	v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	v.c.TOTP = func(ctx context.Context) (secret.Text, error) {
		cancel()
		<-ctx.Done()
		return secret.Text{}, ctx.Err()
	}
	page, _ := v.login()
	began := time.Now()
	err := v.site.Pass(ctx, page, v.c)
	if !errors.Is(err, context.Canceled) || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	if !strings.Contains(v.keep[store.KindCookies].Reveal(), `"wub"`) {
		t.Error("the session was not kept")
	}
	if left, _ := os.ReadDir(v.site.Browser.Dir); len(left) > 0 {
		t.Errorf("a profile is left: %v", left)
	}
}

func TestPassBrowserKilled(t *testing.T) {
	v := newVisitor(t, sandbox.Config{TOTPSecret: adaTOTP})
	v.totpOf(adaTOTP)
	v.signIn()
	before := v.keep[store.KindCookies]
	v.npm.SignOut()
	v.c.TOTP = func(context.Context) (secret.Text, error) {
		lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, path := range lines {
			if line, err := os.ReadFile(path); err == nil && strings.Contains(string(line), "--user-data-dir="+v.site.Browser.Dir) {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		return secret.New("123456"), nil
	}
	page, _ := v.login()
	began := time.Now()
	if err := v.pass(page); !errors.Is(err, browser.ErrFailed) || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	if !v.keep[store.KindCookies].Equal(before) {
		t.Error("the session that was kept is gone")
	}
}

func TestPassWithoutBrowser(t *testing.T) {
	v := newVisitor(t, sandbox.Config{NoFactor: true})
	v.site.Browser.Exec = "/nowhere/chromium"
	page, _ := v.login()
	if err := v.pass(page); !errors.Is(err, browser.ErrNotFound) {
		t.Error(err)
	}
}
