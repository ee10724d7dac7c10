package sandbox_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"rotd/daemon/npm/sandbox"
)

// A code of the authenticator app serves several calls inside its window, and
// one step to either side.
func TestTOTP(t *testing.T) {
	now := time.Now()
	cfg := withTOTP
	cfg.Now = func() time.Time { return now }
	s, base := start(t, cfg)
	at := func(d time.Duration) string {
		c, err := totp.GenerateCode(testTOTP, now.Add(d))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	login := func(otp string) int { return couchPut(t, base, testUser, testPassword, "npm-otp", otp).status }
	for otp, want := range map[string]int{
		at(0): 201, at(-30 * time.Second): 201, at(30 * time.Second): 201,
		at(-2 * time.Minute): 401, at(2 * time.Minute): 401, "12345": 401, "": 401,
	} {
		if got := login(otp); got != want {
			t.Errorf("%q: %d, want %d", otp, got, want)
		}
	}
	if login(at(0)) != 201 {
		t.Error("a code is refused the second time")
	}
	set(t, s, `{"refuse_reused_totp":true}`)
	now = now.Add(5 * time.Minute)
	if login(at(0)) != 201 || login(at(0)) != 401 {
		t.Error("with refuse_reused_totp a code works once")
	}
	// The website keeps its own account of codes.
	p := newPerson(t, base)
	signIn := func() string {
		p.open("/logout")
		p.open("/login")
		p.submit("login", "username", testUser, "password", testPassword)
		p.submit("login", "otp", at(0))
		return p.at.Path
	}
	if got := signIn(); got != "/" {
		t.Errorf("the registry's use counts on the website: %s", got)
	}
	if got := signIn(); got != "/" {
		t.Errorf("the website refuses a second use: %s", got)
	}
	set(t, s, `{"refuse_reused_site_totp":true}`)
	if got := signIn(); got != "/login/otp" {
		t.Errorf("with refuse_reused_site_totp: %s", got)
	}
}

// The 16 characters are for the token that asked, for five minutes.
func TestWebOTP(t *testing.T) {
	s, base := start(t, withKey)
	session, p := webLogin(t, s, base)
	other, _ := webLogin(t, s, base)
	otp := otpFor(t, s, p, base, session)
	post := func(token, name string) int {
		return call(t, "POST", base+"/-/npm/v1/tokens", publishShape(name), "Authorization", bearer(token), "npm-otp", otp).status
	}
	if post(other, "a") != 401 {
		t.Error("another token may use it")
	}
	if post(session, "a") != 201 || post(session, "b") != 201 {
		t.Error("it does not serve twice")
	}
	s.Advance(4 * time.Minute)
	if post(session, "c") != 201 {
		t.Error("it does not live four minutes")
	}
	s.Advance(2 * time.Minute)
	if post(session, "d") != 401 {
		t.Error("it lives longer than five minutes")
	}
	set(t, s, `{"refuse_reused_web_otp":true}`)
	otp = otpFor(t, s, p, base, session)
	if post(session, "e") != 201 || post(session, "f") != 401 {
		t.Error("with refuse_reused_web_otp it works once")
	}
}

// webLogin signs in as `npm login` does.
func webLogin(t *testing.T, s *sandbox.Sandbox, base string) (session string, p *person) {
	t.Helper()
	login := call(t, "POST", base+"/-/v1/login", "{}")
	p = newPerson(t, base)
	p.open(login.text(t, "loginUrl"))
	p.signIn(s)
	return call(t, "GET", login.text(t, "doneUrl"), nil).text(t, "token"), p
}

// A client without web authentication is told of a page that shows the code.
func TestShownOTP(t *testing.T) {
	s, base := start(t, withKey)
	a := couchPut(t, base, testUser, testPassword)
	notice := a.header.Get("npm-notice")
	address, ok := strings.CutPrefix(notice, "Open ")
	address, ok2 := strings.CutSuffix(address, " to use your security key for authentication")
	if a.status != 401 || a.header.Get("WWW-Authenticate") != "OTP" || !ok || !ok2 {
		t.Fatalf("%d %q", a.status, notice)
	}
	p := newPerson(t, base)
	p.open(address)
	p.signIn(s)
	props := p.props()
	options := props["publicKeyCredentialRequestOptions"].(map[string]any)
	p.postAssertion(newSoftKey(t, s, base).assertion(options))
	otp := answer{status: p.status, body: p.page}.text(t, "otp")
	couchLogin(t, base, otp)
}

func TestEmailOTP(t *testing.T) {
	s, base := start(t, noFactor)
	a := couchPut(t, base, testUser, testPassword, "npm-auth-type", "web", "npm-command", "login")
	if a.status != 401 || a.text(t, "error") != "A One Time Password (OTP) by email is required." {
		t.Fatalf("%d %s", a.status, a.body)
	}
	mail := s.Mailbox()
	if len(mail) != 1 || len(mail[0].Code) != 8 || mail[0].To != "ada@example.test" {
		t.Fatalf("%+v", mail)
	}
	couchLogin(t, base, mail[0].Code)
	if couchPut(t, base, testUser, testPassword, "npm-otp", mail[0].Code).status != 401 {
		t.Fatal("a mailed code works twice")
	}
	couchPut(t, base, testUser, testPassword)
	s.Advance(11 * time.Minute)
	mail = s.Mailbox()
	if couchPut(t, base, testUser, testPassword, "npm-otp", mail[1].Code).status != 401 {
		t.Fatal("a mailed code lives longer than ten minutes")
	}
}

func TestCouchLogin(t *testing.T) {
	s, base := start(t, withTOTP)
	otp := []string{"npm-otp", code(t)}
	if a := couchPut(t, base, "bob", testPassword, otp...); a.status != 400 || a.text(t, "error") != `There is no user with the username "bob"` {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := couchPut(t, base, testUser, "wrong-EXAMPLE", otp...); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
	set(t, s, `{"wrong_password_status":403,"wrong_password_text":"no"}`)
	if a := couchPut(t, base, testUser, "wrong-EXAMPLE", otp...); a.status != 403 || a.text(t, "error") != "no" {
		t.Errorf("%d %s", a.status, a.body)
	}
	a := couchPut(t, base, testUser, testPassword, otp...)
	if got := a.json(t); a.status != 201 || got["ok"] != true || got["id"] != "org.couchdb.user:ada" || got["rev"] == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	set(t, s, `{"couch_login":"closed"}`)
	if a := couchPut(t, base, testUser, testPassword, otp...); a.status != 404 {
		t.Errorf("closed: %d", a.status)
	}
}

func TestProfile(t *testing.T) {
	_, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	get := func() map[string]any {
		return call(t, "GET", base+"/-/npm/v1/user", nil, "Authorization", bearer(session)).json(t)
	}
	tfa := get()["tfa"].(map[string]any)
	if tfa["mode"] != "auth-and-writes" || tfa["pending"] != false {
		t.Fatalf("%v", tfa)
	}
	if a := call(t, "POST", base+"/-/npm/v1/user", `{"fullname":"Ada L."}`, "Authorization", bearer(session)); a.status != 401 {
		t.Fatalf("without a code: %d", a.status)
	}
	call(t, "POST", base+"/-/npm/v1/user", `{"fullname":"Ada L."}`, "Authorization", bearer(session), "npm-otp", code(t))
	if get()["fullname"] != "Ada L." {
		t.Fatal("the change was not kept")
	}
	if a := call(t, "GET", base+"/-/npm/v1/user", nil); a.status != http.StatusUnauthorized {
		t.Fatalf("%d", a.status)
	}

	s, base := start(t, noFactor)
	session, _ = webLogin(t, s, base)
	got := call(t, "GET", base+"/-/npm/v1/user", nil, "Authorization", bearer(session)).json(t)
	if v, ok := got["tfa"]; !ok || v != nil {
		t.Fatalf("without a factor tfa is %v", v)
	}
}

func TestDone(t *testing.T) {
	s, base := start(t, withTOTP)
	set(t, s, `{"done_polls":2,"done_retry_after":7}`)
	login := call(t, "POST", base+"/-/v1/login", "{}")
	p := newPerson(t, base)
	p.open(login.text(t, "loginUrl"))
	p.signIn(s)
	for range 2 {
		if a := call(t, "GET", login.text(t, "doneUrl"), nil); a.status != 202 || a.header.Get("Retry-After") != "7" {
			t.Fatalf("%d, retry-after %q", a.status, a.header.Get("Retry-After"))
		}
	}
	if a := call(t, "GET", login.text(t, "doneUrl"), nil); a.status != 200 {
		t.Fatalf("%d", a.status)
	}
	late := call(t, "POST", base+"/-/v1/login", "{}")
	s.Advance(11 * time.Minute)
	if a := call(t, "GET", late.text(t, "doneUrl"), nil); a.status != 404 {
		t.Fatalf("a loginUrl does not run out: %d", a.status)
	}
	if p.open(late.text(t, "loginUrl")); p.status != 404 {
		t.Fatalf("its page does not run out: %d", p.status)
	}
	set(t, s, `{"web_login":"closed"}`)
	if a := call(t, "POST", base+"/-/v1/login", "{}"); a.status != 404 {
		t.Fatalf("closed: %d", a.status)
	}
}
