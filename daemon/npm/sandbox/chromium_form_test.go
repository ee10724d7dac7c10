package sandbox_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"rotd/daemon/browser"
	"rotd/daemon/npm/sandbox"
	"rotd/ipc/secret"
)

// surfer is a person at a real browser, who finds things by what they are
// called.
type surfer struct {
	t    *testing.T
	ctx  context.Context
	s    *sandbox.Sandbox
	base string
	*browser.Page
}

func newSurfer(t *testing.T, s *sandbox.Sandbox, base string) *surfer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	b, err := browser.Start(ctx, browser.Config{NoSandbox: os.Getuid() == 0, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return &surfer{t: t, ctx: ctx, s: s, base: base, Page: b.Page()}
}

func (u *surfer) must(err error) {
	u.t.Helper()
	if err != nil {
		at, _ := u.URL(u.ctx)
		text, _ := u.Text(u.ctx)
		u.t.Fatalf("%v, at %s: %s", err, at, text)
	}
}

func (u *surfer) open(path string) {
	u.t.Helper()
	u.must(u.Open(u.ctx, u.base+path))
}

func (u *surfer) click(role, name string) {
	u.t.Helper()
	u.must(u.Click(u.ctx, browser.Control{Role: role, Name: name}))
}

// clickOne clicks the control of the name that has this id too.
func (u *surfer) clickOne(role, name, id string) {
	u.t.Helper()
	u.must(u.Click(u.ctx, browser.Control{Role: role, Name: name, ID: id}))
}

func (u *surfer) fill(name, value string) {
	u.t.Helper()
	u.must(u.Fill(u.ctx, browser.Control{Role: "textbox", Name: name}, secret.New(value)))
}

// read evaluates an expression that gives a text.
func (u *surfer) read(expression string) (text string) {
	u.t.Helper()
	u.must(u.Read(u.ctx, expression, &text))
	return text
}

// run runs a script in the page.
func (u *surfer) run(script string) {
	u.t.Helper()
	var done bool
	u.must(u.Read(u.ctx, "(() => {"+script+"; return true})()", &done))
}

// sees waits until the page says all of these.
func (u *surfer) sees(texts ...string) {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.ctx, 15*time.Second)
	defer cancel()
	u.must(u.WaitFor(ctx, func(ctx context.Context) (bool, error) {
		page, err := u.Text(ctx)
		for _, text := range texts {
			if !strings.Contains(page, text) {
				return false, err
			}
		}
		return true, err
	}))
}

func (u *surfer) signIn() {
	u.t.Helper()
	u.open("/login")
	u.fill("Username", testUser)
	u.fill("Password", testPassword)
	u.click("button", "Sign In")
	u.fill("One-time Password", code(u.t))
	u.click("button", "Login")
	u.sees("Welcome back")
}

var tokenValue = regexp.MustCompile(`npm_[A-Za-z0-9]{36}`)

// shownToken is the value that the page shows, once it does.
func (u *surfer) shownToken() string {
	u.t.Helper()
	u.sees("Your new access token")
	value := tokenValue.FindString(u.read(`[...document.querySelectorAll("[data-new-token] code, [data-new-token] input")].map(e => e.value || e.textContent).join()`))
	if value == "" {
		u.t.Fatal("no token is shown")
	}
	return value
}

// Every field of the form, in both generations of it, made by clicks and keys.
func TestChromiumTokenForm(t *testing.T) {
	for name, switches := range map[string]string{
		"generation 1": `{"form_generation":1}`,
		"generation 2": `{"form_generation":2,"orgs_picker":"menu","bypass_box":"label","new_token_markup":"input"}`,
		"moved":        `{"moved_submit":true,"new_token_markup":"code"}`,
	} {
		t.Run(name, func(t *testing.T) {
			s, base := start(t, withTOTP)
			set(t, s, switches)
			for _, p := range []string{"@acme/one", "@acme/two", "mine", "other"} {
				s.AddPackage(p, false)
			}
			u := newSurfer(t, s, base)
			u.signIn()
			u.open("/settings/~/tokens")
			u.click("link", "Generate New Token")
			u.sees("New Granular Access Token")
			u.fillWhole(s.Switches())
			u.click("button", "Generate token")
			value := u.shownToken()

			at, err := u.URL(u.ctx)
			if u.must(err); at != base+tokensPath {
				t.Fatalf("with the token at %s", at)
			}
			made := s.Tokens()[0]
			if made.Name != "every field" || made.Description != "what it is for" || !made.Bypass2FA ||
				strings.Join(made.CIDR, " ") != "127.0.0.0/8 10.0.0.0/8" || made.Permission != "read-write" || made.PackagesAll ||
				strings.Join(made.Packages, " ") != "mine" || strings.Join(made.Scopes, " ") != "@acme" ||
				made.OrgsPermission != "read-only" || strings.Join(made.Orgs, " ") != "acme" {
				t.Fatalf("%+v", made)
			}
			if days := made.Expiry.Sub(made.Created).Hours() / 24; days != 60 {
				t.Fatalf("it lives %v days", days)
			}
			if whoami(t, base, value) != 200 {
				t.Fatal("it is not accepted")
			}
			u.must(u.Reload(u.ctx))
			u.sees("every field")
			if strings.Contains(u.read("document.documentElement.outerHTML"), value) {
				t.Fatal("the token is shown again")
			}
			u.open("/settings/ada/tokens/granular-access-tokens/" + made.Key)
			if u.read(`String(document.querySelector("#gat-details_bypass2FA").checked)`) != "true" {
				t.Fatal("the details show no bypass")
			}
		})
	}
}

func (u *surfer) fillWhole(sw sandbox.Switches) {
	u.t.Helper()
	u.fill("Token name", "every field")
	u.fill("Description (optional)", "what it is for")
	if sw.BypassBox == "label" {
		u.run(`document.querySelector("#create-gat_bypass2FA").click()`)
		if u.read(`String(document.querySelector("#create-gat_bypass2FA").checked)`) != "false" {
			u.t.Fatal("the box was ticked without its label")
		}
		u.run(`document.querySelector("label[for=create-gat_bypass2FA]").click()`)
	} else {
		u.click("checkbox", "Bypass two-factor authentication (2FA)")
	}
	u.fill("Input Range 1", "127.0.0.0/8")
	u.click("button", "Add IP Range")
	u.fill("Input Range 2", "10.0.0.0/8")
	u.permissions(sw.FormGeneration)
	u.click("radio", "Only select packages and scopes")
	u.click("DisclosureTriangle", "Select packages and scopes")
	u.click("button", "@acme/one")
	u.must(u.Fill(u.ctx, browser.Control{Role: "combobox", Name: "Filter packages and scopes..."}, secret.New("MI")))
	u.sees("1 results found")
	u.click("button", "mine")
	u.must(u.Fill(u.ctx, browser.Control{Role: "combobox", Name: "Filter packages and scopes..."}, secret.New("acme")))
	u.click("button", "@acme") // swallows @acme/one
	if sw.OrgsPicker == "menu" {
		u.click("DisclosureTriangle", "Select organizations")
	}
	u.click("checkbox", "acme")
	u.click("DisclosureTriangle", "Expiration Date : 7 days")
	u.click("menuitemradio", "60 days")
}

func (u *surfer) permissions(generation int) {
	u.t.Helper()
	if generation == 2 {
		u.clickOne("radio", "Read and write (publish and stage)", "create-gat_packagesAndScopesPermission_Read-and-write")
		u.clickOne("radio", "Read only", "create-gat_orgsPermission_Read-only")
		return
	}
	for i, item := range []string{"Read and write", "Read only"} {
		u.run(`document.querySelectorAll("details.SelectMenu > summary")[` + string(rune('0'+i)) + `].click()`)
		u.click("menuitemradio", item)
	}
}
