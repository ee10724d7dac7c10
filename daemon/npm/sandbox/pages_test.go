package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The sign-in form and what it says, as A.3 has it.
func TestLoginPage(t *testing.T) {
	s, base := start(t, withTOTP)
	p := newPerson(t, base)
	p.open("/")
	p.sees(`<a id="signup" href="/signup">`, `<a id="signin" href="/login">`)
	p.open("/login")
	p.sees(`<form id="login" method="POST" action="/login?next=%2F">`, `id="login_username" name="username"`,
		`<label for="login_password" id="PasswordId">Password</label>`, `id="login_password" name="password" type="password"`,
		`name="show-hide-password"`, `<button type="submit">Sign In</button>`, `<main id="main">`, `window.__context__`)
	for _, c := range []struct{ user, password, alert string }{
		{"ada@example.test", "x", `<p id="login_username_error_message" role="alert">Username cannot include @. Please provide a username, not an email address.</p>`},
		{testUser, "", `<p id="login_password_error_message" role="alert">Please enter a password</p>`},
		{testUser, "wrong-EXAMPLE", `<p id="login_password_error_message" role="alert">`},
		{"bob", testPassword, `<p id="login_password_error_message" role="alert">`},
	} {
		p.submit("login", "username", c.user, "password", c.password)
		p.sees(c.alert, `aria-invalid="true"`)
		if p.status != http.StatusOK || p.at.Path != "/login" {
			t.Fatalf("%d at %s", p.status, p.at)
		}
	}
	set(t, s, `{"page_error_status":401,"page_password_text":"No."}`)
	p.submit("login", "username", testUser, "password", "wrong-EXAMPLE")
	if p.sees(">No.</p>"); p.status != http.StatusUnauthorized {
		t.Fatalf("%d", p.status)
	}
	p.signIn(s)
	if p.at.Path != "/" {
		t.Fatalf("signed in at %s", p.at)
	}
	p.sees(`href="/settings/ada/tokens"`, `<a href="/logout">Sign Out</a>`)
	p.open("/login?next=/")
	if p.at.Path != "/" {
		t.Fatalf("signed in, /login leads to %s", p.at)
	}
	p.open("/logout")
	p.sees(`id="signin"`)
}

func TestOTPPage(t *testing.T) {
	s, base := start(t, withBoth)
	p := newPerson(t, base)
	p.open("/login?next=/login/cli/x")
	p.submit("login", "username", testUser, "password", testPassword)
	p.sees("npm | Security Key", "<h1>Two-Factor Authentication</h1>", "<h2>Security key</h2>", "Click the button below when you are ready to authenticate.",
		`>Use security key</button>`, "Unable to verify with your security key?")
	p.open("/login/otp?next=/")
	p.sees("npm | Enter a One-time Password", "<h2>Enter One-time Password</h2>", "Enter a 6-digit code from your",
		`<label for="login_otp" id="One-time PasswordId">One-time Password</label>`, `inputmode="numeric" autocomplete="off" autofocus`,
		`<input type="hidden" name="formName" value="totp">`, `<input type="hidden" name="originalUrl" value="">`,
		`<button type="submit">Login</button>`, "Having problems?", ">Use your security key</a>", ">Use a recovery code or request a reset</a>")
	p.submit("login", "otp", "000000")
	p.sees(`<p id="login_otp_error_message" role="alert">`)
	if p.props()["errorCount"] != 1.0 {
		t.Fatalf("errorCount: %v", p.props()["errorCount"])
	}
	p.submit("login", "otp", code(t))
	if p.at.Path != "/" {
		t.Fatalf("at %s", p.at)
	}
	set(t, s, `{"alert_banner":true}`)
	p.open("/")
	p.sees(`id="bypass2fa-gat-deprecation-2026"`)
}

func TestEmailPage(t *testing.T) {
	s, base := start(t, noFactor)
	p := newPerson(t, base)
	p.open("/login")
	p.submit("login", "username", testUser, "password", testPassword)
	p.sees("<h1>Login Verification</h1>", "<h2>Enter One-time Password.</h2>", "a***@example.test", ">One-Time Password</label>", "Locked out?", "Try recovering your account")
	if strings.Contains(p.page, "formName") || p.at.String() != base+"/login/email-otp?next=%2F" {
		t.Fatalf("at %s", p.at)
	}
	p.submit("login", "otp", "00000000")
	p.sees(`role="alert"`)
	p.submit("login", "otp", s.Mailbox()[0].Code)
	if p.at.Path != "/" {
		t.Fatalf("at %s", p.at)
	}
}

// Only this site's paths are gone on to.
func TestNextStaysHere(t *testing.T) {
	s, base := start(t, withTOTP)
	for _, next := range []string{"https://evil.example/", "//evil.example/", `/\evil.example/`, "javascript:alert(1)", "%zz"} {
		p := newPerson(t, base)
		p.open("/login?next=" + url.QueryEscape(next))
		p.signIn(s)
		if p.at.String() != base+"/" {
			t.Errorf("%q led to %s", next, p.at)
		}
	}
}

// A spiferack request gets props, headers, and redirects it can read (A.1).
func TestSpiferack(t *testing.T) {
	s, base := start(t, withTOTP)
	a := call(t, "GET", base+"/login", nil, "x-spiferack", "1")
	props := a.json(t)
	if a.header.Get("renderername") != "auth/login" || a.header.Get("manifest-hash") == "" || props["csrftoken"] == "" || props["user"] != nil {
		t.Fatalf("%v %s", a.header, a.body)
	}
	var cs string
	for _, c := range a.header.Values("Set-Cookie") {
		if v, ok := strings.CutPrefix(c, "cs="); ok {
			cs, _, _ = strings.Cut(v, ";")
		}
	}
	if props["csrftoken"] != cs {
		t.Fatalf("csrftoken %v, cookie %q", props["csrftoken"], cs)
	}
	body, _ := json.Marshal(map[string]string{"username": testUser, "password": testPassword, "csrftoken": cs})
	a = call(t, "POST", base+"/login", string(body), "x-spiferack", "1", "Content-Type", "application/json", "Cookie", "cs="+cs)
	if a.status != 200 || a.json(t)["x-spiferack-redirect"] != true || a.header.Get("Location") != "/login/otp?next=%2F" {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	a = call(t, "GET", base+"/settings/nowhere/at/all", nil, "x-spiferack", "1")
	if a.status != 404 || a.body != `{"message":"Route not found!","user":null}` {
		t.Fatalf("%d %s", a.status, a.body)
	}
	set(t, s, `{"manifest_hash":"another"}`)
	if got := call(t, "GET", base+"/login", nil).header.Get("manifest-hash"); got != "another" {
		t.Fatalf("manifest-hash %q", got)
	}
}

func TestCSRFAndCookies(t *testing.T) {
	s, base := start(t, withTOTP)
	form := url.Values{"username": {testUser}, "password": {testPassword}, "csrftoken": {"guess"}}.Encode()
	for _, cookie := range []string{"", "cs=other", "cs="} {
		a := call(t, "POST", base+"/login", form, "Content-Type", "application/x-www-form-urlencoded", "Cookie", cookie)
		if a.status != 403 {
			t.Errorf("with cookie %q: %d", cookie, a.status)
		}
	}
	post := func() answer {
		req, err := http.NewRequest("POST", base+"/login", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Cookie", "cs=guess")
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return answer{status: resp.StatusCode, header: resp.Header}
	}
	a := post()
	if a.status != 302 || !strings.HasSuffix(a.header.Get("Set-Cookie"), "; Path=/; HttpOnly; SameSite=Lax") || !strings.HasPrefix(a.header.Get("Set-Cookie"), "wub=") {
		t.Fatalf("%d %q", a.status, a.header.Values("Set-Cookie"))
	}
	set(t, s, `{"cookie_secure":true,"cookie_persistent":true,"csrf_rotates":true,"csrf_readable":false}`)
	cookies := post().header.Values("Set-Cookie")
	if len(cookies) != 2 {
		t.Fatalf("%q", cookies)
	}
	for _, c := range cookies {
		for _, want := range []string{"Secure", "Expires=", "HttpOnly"} {
			if !strings.Contains(c, want) {
				t.Errorf("%s is missing in %q", want, c)
			}
		}
	}
	// A session ends by the clock, and all of them at once.
	p := newPerson(t, base)
	set(t, s, `{"cookie_secure":false}`)
	p.open("/login")
	p.signIn(s)
	p.sees("Sign Out")
	s.Advance(8 * 24 * time.Hour)
	p.open("/")
	p.sees(`id="signin"`)
	p.open("/login")
	p.signIn(s)
	s.SignOut()
	p.open("/")
	p.sees(`id="signin"`)
}

// The checks at authUrl, one by one and in a chain (A.4).
func TestEscalation(t *testing.T) {
	s, base := start(t, withBoth)
	session, p := webLogin(t, s, base)
	ask := func() string {
		return call(t, "DELETE", base+"/-/npm/v1/tokens/token/00000000-0000-4000-8000-000000000000", nil,
			"Authorization", bearer(session), "npm-auth-type", "web", "npm-command", "token").text(t, "authUrl")
	}
	set(t, s, `{"escalation":["password"]}`)
	p.open(ask())
	p.sees("npm | Confirm Password to Continue", `class="sr-only">Confirm password to continue</h1>`, `<button type="submit">Confirm password to continue</button>`,
		`<label for="escalate_escalated_password" id="PasswordId">Password</label>`)
	p.submit("escalate", "escalated_password", "wrong-EXAMPLE")
	p.sees(`role="alert"`)
	p.submit("escalate", "escalated_password", testPassword)
	p.sees("Authentication Successful")

	set(t, s, `{"escalation":["password","webauthn"]}`)
	p.open(ask())
	p.submit("escalate", "escalated_password", testPassword)
	if p.at.Path != "/escalate/webauthn" {
		t.Fatalf("after the password at %s", p.at)
	}
	p.useKey(s)
	if p.headers.Get("renderername") != "auth/authentication-successful" {
		t.Fatalf("after the key: %v", p.headers)
	}

	set(t, s, `{"escalation":["otp"],"escalate_in_place":true}`)
	address := ask()
	p.open(address)
	props := p.props()
	if p.at.String() != address || p.headers.Get("renderername") != "auth/escalate" || props["escalateType"] != "totp" ||
		props["action"] != "/escalate" || props["user"].(map[string]any)["name"] != testUser || props["disable2faPasswordOption"] != true {
		t.Fatalf("at %s: %v", p.at, props)
	}
	p.sees(`data-check="check-webauthn">Use your security key</button>`)
	p.submit("login", "otp", "000000")
	p.sees(`role="alert"`)
	p.submit("login", "otp", code(t))
	if p.at.String() != address {
		t.Fatalf("at %s", p.at)
	}
	p.sees("Authentication Successful")
}

// Nobody gets past a check by posting the answer to another one.
func TestEscalationHolds(t *testing.T) {
	s, base := start(t, withTOTP)
	session, p := webLogin(t, s, base)
	asked := call(t, "POST", base+"/-/npm/v1/tokens", publishShape("x"), "Authorization", bearer(session), "npm-auth-type", "web", "npm-command", "token")
	p.open(asked.text(t, "authUrl"))
	next := p.at.Query().Get("next")
	p.open("/escalate/password?next=" + url.QueryEscape(next))
	p.submit("escalate", "escalated_password", testPassword)
	if p.at.Path != "/escalate/otp" {
		t.Fatalf("the password alone led to %s", p.at)
	}
	if a := call(t, "GET", asked.text(t, "doneUrl"), nil); a.status != 202 {
		t.Fatalf("%d", a.status)
	}
	stranger := newPerson(t, base)
	stranger.open(asked.text(t, "authUrl"))
	if stranger.at.Path != "/login" {
		t.Fatalf("signed out at %s", stranger.at)
	}
	// The password alone is not a session either.
	stranger.submit("login", "username", testUser, "password", testPassword)
	stranger.open(asked.text(t, "authUrl"))
	if stranger.at.Path != "/login" {
		t.Fatalf("half signed in at %s", stranger.at)
	}
}

// A sign-in on the way to loginUrl is enough; an older one is escalated, as the
// switch says.
func TestLoginCLI(t *testing.T) {
	s, base := start(t, withTOTP)
	_, p := webLogin(t, s, base)
	visit := func() string {
		s.Advance(time.Second)
		p.open(call(t, "POST", base+"/-/v1/login", "{}").text(t, "loginUrl"))
		return p.at.Path
	}
	if got := visit(); got != "/escalate/otp" {
		t.Fatalf("signed in before, at %s", got)
	}
	p.sees(`<p class="person">ada</p>`)
	p.submit("login", "otp", code(t))
	p.sees("Authentication Successful")
	set(t, s, `{"login_cli_escalates":"never"}`)
	if visit(); !strings.Contains(p.page, "Authentication Successful") {
		t.Fatalf("never: at %s", p.at)
	}
	set(t, s, `{"login_cli_escalates":"always"}`)
	p.open("/logout")
	p.open(call(t, "POST", base+"/-/v1/login", "{}").text(t, "loginUrl"))
	p.signIn(s)
	if p.at.Path != "/escalate/otp" {
		t.Fatalf("always: at %s", p.at)
	}
}

func TestBotChallenge(t *testing.T) {
	s, base := start(t, withTOTP)
	set(t, s, `{"bot_challenge":1}`)
	a := call(t, "GET", base+"/login", nil)
	if a.status != 403 || a.header.Get("cf-mitigated") != "challenge" || a.header.Get("Server") != "cloudflare" || !strings.Contains(a.body, "<title>Just a moment...</title>") {
		t.Fatalf("%d %v", a.status, a.header)
	}
	if got := call(t, "GET", base+"/login", nil).status; got != 200 {
		t.Fatalf("the second time: %d", got)
	}
	set(t, s, `{"bot_challenge":-1}`)
	if got := call(t, "POST", base+"/-/v1/login", "{}").status; got != 200 {
		t.Fatalf("the registry is challenged: %d", got)
	}
	p := newPerson(t, base)
	p.open("/login?next=/logout")
	p.submit("cf-challenge")
	if p.at.Path != "/login" || p.status != 200 {
		t.Fatalf("past the check: %d at %s", p.status, p.at)
	}
}

// The five-minute checkbox frees publications of the token that asked.
func TestCooldown(t *testing.T) {
	s, base := start(t, withTOTP)
	set(t, s, `{"cooldown":true}`)
	s.AddPackage("mine", false)
	session, p := webLogin(t, s, base)
	put := func() answer {
		return call(t, "PUT", base+"/-/package/mine/dist-tags/next", `"0.0.0"`,
			"Authorization", bearer(session), "npm-auth-type", "web", "npm-command", "dist-tag")
	}
	p.open(put().text(t, "authUrl"))
	p.sees(`id="cooldownOptin_didOptForCooldown" name="didOptForCooldown"`,
		`aria-label="Do not challenge publish and trust operations from IP address 127.0.0.1 for the next 5 minutes"`)
	p.submit("login", "otp", code(t), "didOptForCooldown", "true")
	if a := put(); a.status != 201 {
		t.Fatalf("in the cooldown: %d %s", a.status, a.body)
	}
	s.Advance(6 * time.Minute)
	if a := put(); a.status != 401 {
		t.Fatalf("after it: %d", a.status)
	}
}
