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
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
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

// breadcrumb is the link above the form that leads back to the list.
func (u *surfer) breadcrumb() browser.Control {
	u.run(`document.querySelector("nav[aria-label=Breadcrumb] a").id = "breadcrumb"`)
	return browser.Control{Role: "link", Name: "Access Tokens", ID: "breadcrumb"}
}
