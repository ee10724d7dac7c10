package sandbox_test

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"

	"rotd/daemon/browser"
	"rotd/daemon/npm/sandbox"
	"rotd/ipc/secret"
)

// sitePages opens each page of the site as p, and gives its HTML by its path.
func sitePages(t *testing.T, s *sandbox.Sandbox, base string) map[string]string {
	t.Helper()
	pages := map[string]string{}
	p := newPerson(t, base)
	keep := func(name string) { pages[name] = p.page }
	p.open("/")
	keep("landing")
	p.open("/login")
	keep("sign-in")
	p.open("/nowhere")
	keep("not found")
	// By fields and addresses, since names and ids may be others.
	p.postForm("/login", "username", testUser, "password", testPassword)
	keep("security key")
	p.open("/login/otp?next=/")
	keep("code")
	p.postForm("/login/otp", "otp", "000000")
	keep("wrong code")
	p.postForm("/login/otp", "otp", code(t))
	p.open("/")
	keep("signed in")
	p.open("/settings/ada/tfa")
	keep("escalation")
	p.postForm("/escalate", "otp", code(t), "formName", "totp", "originalUrl", "/settings/ada/tfa")
	keep("2FA")
	p.open("/settings/ada/tfa/list")
	keep("security keys")
	p.open(tokensPath)
	keep("no tokens")
	p.createByForm(p.plaidForm(fmt.Sprint("t", len(s.Tokens()))))
	p.open(tokensPath)
	keep("tokens")
	p.open(tokensPath + "/granular-access-tokens/" + s.Tokens()[0].Key)
	keep("details")
	p.open(formPath)
	keep("form")
	return pages
}

// postForm posts fields as a browser does, whatever the form looks like.
func (p *person) postForm(path string, fields ...string) {
	p.t.Helper()
	var b strings.Builder
	b.WriteString(`<form id="x" method="POST" action="` + path + `">`)
	values := append([]string{"csrftoken", p.csrf()}, fields...)
	for i := 0; i < len(values); i += 2 {
		b.WriteString(`<input name="` + values[i] + `">`)
	}
	p.page = b.String() + "</form>"
	p.submit("x", values...)
}

var (
	scripts  = regexp.MustCompile(`(?s)<script.*?</script>`)
	texts    = regexp.MustCompile(`>([^<>]+)<`)
	heard    = regexp.MustCompile(`(?:aria-label|title|placeholder|data-say-[a-z]+)="([^"]*)"`)
	ids      = regexp.MustCompile(` (id|class)="([^"]*)"`)
	pointers = regexp.MustCompile(` (?:for|form|aria-labelledby|aria-controls)="([^"]*)"`)
	names    = regexp.MustCompile(`<input[^>]* name="([^"]*)"`)
)

// words are what can be seen or heard on a page.
func words(page string) []string {
	page = scripts.ReplaceAllString(page, "")
	var out []string
	for _, m := range append(texts.FindAllStringSubmatch(page, -1), heard.FindAllStringSubmatch(page, -1)...) {
		if text := strings.TrimSpace(m[1]); text != "" {
			out = append(out, text)
		}
	}
	return out
}

// Data is the same on every page, npm's words are on none that changes them.
func TestChangedWords(t *testing.T) {
	cfg := withBoth
	plainSandbox, plainBase := start(t, cfg)
	plainPages := sitePages(t, plainSandbox, plainBase)
	s, base := start(t, cfg)
	set(t, s, `{"changed_words":true,"alert_banner":true,"notification":true}`)
	data := regexp.MustCompile(`^(ada|acme|@ada|@acme|t0|first key|npm_\.\.\..{4}|[-0-9]+|404|[0-9a-f-]{36}|)$`)
	for name, page := range sitePages(t, s, base) {
		known := map[string]bool{}
		for _, w := range words(plainPages[name]) {
			known[w] = true
		}
		if len(known) < 4 {
			t.Errorf("%s: the page has hardly a word", name)
		}
		for _, w := range words(page) {
			if known[w] && !data.MatchString(w) {
				t.Errorf("%s: %q is npm's", name, w)
			}
		}
	}
}

// Every id and class is another one, at each load, and what points at an id
// still does; field names too.
func TestRenamed(t *testing.T) {
	plainSandbox, plainBase := start(t, withBoth)
	plainPages := sitePages(t, plainSandbox, plainBase)
	s, base := start(t, withBoth)
	set(t, s, `{"renamed_ids":true,"renamed_names":true}`)
	first, second := sitePages(t, s, base), sitePages(t, s, base)
	for name, page := range first {
		known := map[string]bool{}
		for _, m := range ids.FindAllStringSubmatch(plainPages[name], -1) {
			known[m[2]] = true
		}
		there := map[string]bool{}
		for _, m := range ids.FindAllStringSubmatch(page, -1) {
			if there[m[2]] = true; known[m[2]] && m[2] != "" {
				t.Errorf("%s: %s %q is npm's", name, m[1], m[2])
			}
			if strings.Contains(second[name], `"`+m[2]+`"`) {
				t.Errorf("%s: %s %q stays from load to load", name, m[1], m[2])
			}
		}
		for _, m := range pointers.FindAllStringSubmatch(page, -1) {
			if !there[html.UnescapeString(m[1])] {
				t.Errorf("%s: nothing has the id %q", name, m[1])
			}
		}
		for _, m := range names.FindAllStringSubmatch(page, -1) {
			switch m[1] {
			case "csrftoken", "formName", "originalUrl":
			case "username", "password", "otp", "tokenName", "bypass2FA":
				t.Errorf("%s: the field %q has npm's name", name, m[1])
			}
		}
	}
	// One id alone, and a native post under the other names.
	set(t, s, `{"renamed_ids":false,"renamed_id":"login_username"}`)
	p := newPerson(t, base)
	p.open("/login")
	if strings.Contains(p.page, `id="login_username"`) || !strings.Contains(p.page, `id="login_password"`) {
		t.Fatal("it is another id that was renamed")
	}
	field := func(kind string) string {
		m := regexp.MustCompile(`name="(n[0-9a-f]{8})" type="` + kind + `"`).FindStringSubmatch(p.page)
		if m == nil {
			t.Fatalf("no renamed field of type %s: %s", kind, p.page)
		}
		return m[1]
	}
	p.submit("login", field("text"), testUser, field("password"), testPassword)
	if p.at.Path != "/login/webauthn" {
		t.Fatalf("at %s", p.at)
	}
}

// The whole way in a browser, by roles and words alone: sign in, make a token,
// read it, delete it.
func TestChromiumRenamed(t *testing.T) {
	s, base := start(t, withTOTP)
	s.AddPackage("mine", false)
	set(t, s, `{"renamed_ids":true,"renamed_names":true,"moved_submit":true,"alert_banner":true,"notification":true,`+
		`"manifest_every":3,"form_generation":1,"delete_confirm":"dialog","delete_row_label":"named","settings_escalation":"on-submit","settings_held_post":"replayed"}`)
	u := newSurfer(t, s, base)
	u.signIn()
	u.open("/settings/~/tokens")
	u.click("link", "Generate New Token")
	u.fill("Token name", "renamed")
	u.fill("Input Range 1", "127.0.0.0/8")
	u.run(`document.querySelectorAll("details summary")[0].click()`)
	u.click("menuitemradio", "Read only")
	u.click("radio", "Only select packages and scopes")
	u.click("DisclosureTriangle", "Select packages and scopes")
	u.click("button", "mine")
	u.click("button", "Generate token")
	u.fill("One-time Password", code(t))
	u.click("button", "Login")
	if value := u.shownToken(); whoami(t, base, value) != 200 {
		t.Fatal("it is not accepted")
	}
	u.click("button", "Delete token renamed")
	u.click("button", "Delete tokens")
	u.awaitRevoked(1)
}

// A page in other words can still be used by who knows where things are.
func TestChromiumChangedWords(t *testing.T) {
	s, base := start(t, withTOTP)
	u := newSurfer(t, s, base)
	u.signIn()
	set(t, s, `{"changed_words":true}`)
	u.open(formPath)
	if found, err := u.Has(u.ctx, browser.Control{Role: "textbox", Name: "Token name"}); found || err != nil {
		t.Fatalf("the token's name is still called so: %v", err)
	}
	u.must(u.Fill(u.ctx, browser.Control{ID: "create-gat_tokenName"}, secret.New("words")))
	u.must(u.Click(u.ctx, browser.Control{ID: "create-gat_packagesAndScopesPermission_Read-and-write"}))
	u.must(u.Click(u.ctx, browser.Control{ID: "packagesAll"}))
	u.run(`document.querySelector("[data-generate]").click()`)
	u.awaitTokens(1)
}

// The bot check at the n-th request, and by chance, the same one for a seed.
func TestBotChallengeWhen(t *testing.T) {
	s, base := start(t, withTOTP)
	draw := func(switches string) (met string) {
		t.Helper()
		set(t, s, switches)
		for range 20 {
			if call(t, "GET", base+"/login", nil).status == 403 {
				met += "x"
			} else {
				met += "."
			}
		}
		return met
	}
	if got := draw(`{"bot_challenge_at":3}`); got != "..x................." {
		t.Errorf("at the third: %s", got)
	}
	some := draw(`{"bot_challenge_chance":0.3,"bot_challenge_seed":7}`)
	if n := strings.Count(some, "x"); n == 0 || n == 20 {
		t.Errorf("by chance: %s", some)
	}
	other, otherBase := start(t, withTOTP)
	set(t, other, `{"bot_challenge_chance":0.3,"bot_challenge_seed":7}`)
	first, again := "", ""
	for range 20 {
		first += fmt.Sprint(call(t, "GET", otherBase+"/login", nil).status)
	}
	third, thirdBase := start(t, withTOTP)
	set(t, third, `{"bot_challenge_chance":0.3,"bot_challenge_seed":7}`)
	for range 20 {
		again += fmt.Sprint(call(t, "GET", thirdBase+"/login", nil).status)
	}
	if first != again {
		t.Errorf("a seed draws %s, then %s", first, again)
	}
}

// The bot check in words alone.
func TestBotChallengeText(t *testing.T) {
	s, base := start(t, withTOTP)
	set(t, s, `{"bot_challenge":-1,"bot_challenge_text":"Additional verification required"}`)
	p := newPerson(t, base)
	p.open("/login")
	if p.sees("Additional verification required"); p.status != 403 || p.headers.Get("cf-mitigated") != "" || strings.Contains(p.page, "cf-") {
		t.Fatalf("%d %v %s", p.status, p.headers, p.page)
	}
	p.submit("check")
	if p.at.Path != "/login" || p.status != 200 {
		t.Fatalf("past the check: %d at %s", p.status, p.at)
	}
}

// Faults meet pages too: 429 with Retry-After, 500, slow ones.
func TestPageFaults(t *testing.T) {
	s, base := start(t, withTOTP)
	p := signedIn(t, s, base)
	set(t, s, `{"faults":[{"path":"/settings/ada/tokens/new-gat","count":1,"kind":"status","status":429,"retry_after":7,"body":"Too many requests"},
		{"method":"GET","path":"/settings","count":1,"kind":"status"},{"path":"/settings","count":1,"kind":"slow","delay_ms":1}]}`)
	if a := p.createByForm(p.plaidForm("x")); a.status != 429 || a.header.Get("Retry-After") != "7" || len(s.Tokens()) != 0 {
		t.Fatalf("%d %v", a.status, a.header)
	}
	if p.open(tokensPath); p.status != 500 {
		t.Fatalf("%d", p.status)
	}
	if p.open(tokensPath); p.status != 200 || s.Switches().Faults[2].Count != 0 {
		t.Fatalf("%d", p.status)
	}
}

// A wrong password or code is said at the field or in a notification.
func TestPageErrorPlace(t *testing.T) {
	s, base := start(t, withTOTP)
	set(t, s, `{"page_error_place":"notification","page_password_text":"No."}`)
	p := newPerson(t, base)
	p.open("/login")
	p.submit("login", "username", testUser, "password", "wrong-EXAMPLE")
	p.sees(`role="alert"><span>No.</span>`)
	if strings.Contains(p.page, "login_password_error_message") || !strings.Contains(fmt.Sprint(p.props()["notifications"]), "No.") {
		t.Fatal(p.page)
	}
}
