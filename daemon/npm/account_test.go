package npm

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"rotd/daemon/browser"
	"rotd/daemon/npm/sandbox"
	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// rotation is the life of a token: what the engine does with an account.
func rotation(w *world, a *Account, name string, want store.Shape) {
	w.t.Helper()
	ctx := context.Background()
	tok, err := a.Create(ctx, name, want)
	w.must(err)
	w.secrets = append(w.secrets, tok.Value.Reveal())
	if tok.Key == "" || tok.Name != name || tok.Created.IsZero() {
		w.t.Fatalf("created %+v", tok)
	}
	w.must(a.Verify(ctx, tok, want))
	listed, err := a.List(ctx)
	w.must(err)
	if !slices.ContainsFunc(listed, func(l rotate.Token) bool { return l.Key == tok.Key && l.Value.IsZero() }) {
		w.t.Fatalf("%s is not listed", name)
	}
	if ok, err := a.Accepts(ctx, tok.Value); !ok || err != nil {
		w.t.Fatalf("accepts: %v, %v", ok, err)
	}
	w.must(a.Revoke(ctx, tok.Key))
	w.must(a.Revoke(ctx, tok.Key)) // gone: no error
	if ok, err := a.Accepts(ctx, tok.Value); ok || err != nil {
		w.t.Fatalf("accepts a revoked token: %v, %v", ok, err)
	}
}

func TestRotationWithTOTPNeedsNobody(t *testing.T) {
	shapes := map[string]store.Shape{
		"publish":  publish,
		"stage":    {PackagesAll: true, Permission: ipc.PermissionStage, ExpiresDays: 90},
		"install":  install,
		"long":     {Packages: []string{"left"}, Permission: ipc.PermissionRead, ExpiresDays: 400},
		"default":  {Packages: []string{"left"}},
		"narrow":   {Packages: []string{"left"}, Scopes: []string{"@acme"}, Permission: ipc.PermissionWrite, ExpiresDays: 1, Description: "for CI"},
		"orgs":     {Orgs: []string{"acme"}, OrgsPerm: ipc.PermissionRead, ExpiresDays: 30},
		"here":     {PackagesAll: true, Permission: ipc.PermissionRead, CIDR: []string{"127.0.0.0/8", "10.1.2.3/32"}, ExpiresDays: 30},
		"not here": {PackagesAll: true, Permission: ipc.PermissionRead, CIDR: []string{"203.0.113.0/24"}, ExpiresDays: 30},
	}
	for _, switches := range []string{
		`{}`, `{"body_spelling":"cli"}`, `{"body_spelling":"api"}`, `{"answer_spelling":"expires"}`,
		`{"answer_spelling":"expiry","paging_urls":"relative"}`, `{"couch_conflict":true}`,
	} {
		t.Run(switches, func(t *testing.T) {
			w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
			w.set(`{"allow_unknown_names":true}`)
			w.set(switches)
			a := w.account(knowingPassword, knowingTOTP)
			w.must(a.SignIn(context.Background()))
			if a.Username() != user || w.keep[store.KindSession].IsZero() {
				t.Fatal("signed in, and nothing is kept")
			}
			for name, shape := range shapes {
				if len(shape.CIDR) == 1 {
					elsewhere(w, a, name, shape)
					continue
				}
				rotation(w, a, name, shape)
			}
			if len(w.clock.waits()) > 0 {
				t.Errorf("waited %v", w.clock.waits())
			}
		})
	}
}

// elsewhere is the life of a token that is not for this machine.
func elsewhere(w *world, a *Account, name string, want store.Shape) {
	w.t.Helper()
	ctx := context.Background()
	tok, err := a.Create(ctx, name, want)
	w.must(err)
	w.must(a.Verify(ctx, tok, want))
	if !strings.Contains(w.text(), "outside the token's CIDR") {
		w.t.Error("nothing is said of the address")
	}
	_, err = a.Accepts(ctx, tok.Value)
	w.fails(err, ErrRefused)
	w.must(a.Revoke(ctx, tok.Key))
	if ok, err := a.Accepts(ctx, tok.Value); ok || err != nil {
		w.t.Fatalf("accepts a revoked token: %v, %v", ok, err)
	}
}

func TestEveryWayToSignIn(t *testing.T) {
	typed := func(w *world) func(*Config) {
		return w.answering(map[string]func() string{
			ipc.AskUsername: func() string { return " " + user + "\n" },
			ipc.AskPassword: func() string { return password },
			ipc.AskOTP:      func() string { c := w.code(); return c[:3] + " " + c[3:] },
			ipc.AskEmailOTP: w.mailed,
		})
	}
	forget := func(c *Config) { c.Username = "" }
	terminal := func(c *Config) { c.Terminal = true }
	none := with(pages(func(context.Context, string, *Credentials) error {
		return &browser.Error{Kind: browser.ErrNotFound, Message: "there is no Chromium", Hint: "install it"}
	}))
	failing := with(pages(func(context.Context, string, *Credentials) error { return errors.New("no page is to be opened") }))
	for _, c := range []struct {
		name     string
		box      sandbox.Config
		switches string
		know     func(w *world) []func(*Config)
	}{
		{"typed code, no browser", sandbox.Config{TOTPSecret: totpSecret}, `{}`, func(w *world) []func(*Config) { return []func(*Config){forget, typed(w)} }},
		{"typed mail code, no browser", sandbox.Config{NoFactor: true}, `{}`, func(w *world) []func(*Config) { return []func(*Config){forget, typed(w)} }},
		{"page", sandbox.Config{TOTPSecret: totpSecret}, `{}`, func(w *world) []func(*Config) { return []func(*Config){forget, typed(w), with(w.person())} }},
		{"page, nobody to ask", sandbox.Config{TOTPSecret: totpSecret}, `{"done_polls":3}`, func(w *world) []func(*Config) { return []func(*Config){with(w.person()), knowingPassword} }},
		{"page, couch closed", sandbox.Config{TOTPSecret: totpSecret}, `{"couch_login":"closed"}`, func(w *world) []func(*Config) {
			return []func(*Config){with(w.person()), knowingPassword, knowingTOTP}
		}},
		{"page, web closed", sandbox.Config{TOTPSecret: totpSecret}, `{"web_login":"closed"}`, func(w *world) []func(*Config) { return []func(*Config){with(w.person()), typed(w)} }},
		{"no browser after all", sandbox.Config{TOTPSecret: totpSecret}, `{}`, func(w *world) []func(*Config) { return []func(*Config){none, typed(w)} }},
		{"no browser, no factor", sandbox.Config{NoFactor: true}, `{}`, func(w *world) []func(*Config) { return []func(*Config){none, typed(w)} }},
		{"terminal", sandbox.Config{TOTPSecret: totpSecret}, `{}`, func(w *world) []func(*Config) {
			return []func(*Config){failing, terminal, typed(w), knowingPassword}
		}},
		{"page without factor", sandbox.Config{NoFactor: true}, `{}`, func(w *world) []func(*Config) { return []func(*Config){with(w.person()), typed(w)} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := inSandbox(t, c.box)
			w.set(c.switches)
			a := w.account(c.know(w)...)
			w.must(a.SignIn(context.Background()))
			if a.Username() != user {
				t.Errorf("signed in as %q", a.Username())
			}
			rotation(w, a, "t", publish)
		})
	}
}

func TestNobodyThere(t *testing.T) {
	w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
	ctx := context.Background()
	e := w.fails(w.account().SignIn(ctx), ErrNeedsPerson)
	if !strings.Contains(e.Hint, "--remember password") {
		t.Errorf("hint: %s", e.Hint)
	}
	e = w.fails(w.account(knowingPassword).SignIn(ctx), ErrNeedsPerson)
	if !strings.Contains(e.Hint, "--remember totp") {
		t.Errorf("hint: %s", e.Hint)
	}
	w.must(w.account(knowingPassword, knowingTOTP).SignIn(ctx))
	_, err := w.account().Create(ctx, "t", publish) // the session alone is kept
	w.fails(err, ErrNeedsPerson)
	w.notCreated(err, true)
	_, err = w.account(knowingPassword).Create(ctx, "t", publish)
	w.fails(err, ErrNeedsPerson)
	w.notCreated(err, true)

	mail := inSandbox(t, sandbox.Config{NoFactor: true})
	mail.fails(mail.account(knowingPassword).SignIn(ctx), ErrNeedsPerson)
}

func TestEveryLoginClosed(t *testing.T) {
	w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
	w.set(`{"couch_login":"closed"}`)
	e := w.fails(w.account(knowingPassword, knowingTOTP).SignIn(context.Background()), ErrNeedsPerson)
	if !strings.Contains(e.Hint, "Chromium") {
		t.Errorf("hint: %s", e.Hint)
	}
	w.set(`{"web_login":"closed"}`)
	w.fails(w.account(knowingPassword, knowingTOTP, with(w.person())).SignIn(context.Background()), ErrRefused)
}

func TestWrongPassword(t *testing.T) {
	ctx := context.Background()
	const wrong = "not-the-EXAMPLE"
	for _, switches := range []string{
		`{}`, `{"wrong_password_status":400}`, `{"wrong_password_status":403}`,
		`{"wrong_password_text":"Unauthorized"}`, `{"wrong_password_text":"` + wrong + ` is a wrong password"}`,
	} {
		t.Run(switches, func(t *testing.T) {
			w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
			w.secrets = append(w.secrets, wrong)
			w.set(switches)
			guess := func(c *Config) { c.Password = secret.New(wrong) }
			w.fails(w.account(guess, knowingTOTP).SignIn(ctx), ErrWrongPassword)
			w.fails(w.account(knowingPassword, knowingTOTP, func(c *Config) { c.Username = "bob" }).SignIn(ctx), ErrWrongPassword)

			w.must(w.account(knowingPassword, knowingTOTP).SignIn(ctx))
			_, err := w.account(guess, knowingTOTP).Create(ctx, "t", publish)
			w.fails(err, ErrWrongPassword)
			w.notCreated(err, true)
		})
	}
}

func TestSessionIsRenewedOnce(t *testing.T) {
	ctx := context.Background()
	w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
	w.keep[store.KindPassword], w.keep[store.KindTOTP] = secret.New(password), secret.New(totpSecret)
	a := w.account()
	w.must(a.SignIn(ctx))
	first := w.keep[store.KindSession]
	w.box.SignOut()
	rotation(w, a, "t", publish)
	if second := w.keep[store.KindSession]; second.IsZero() || second.Equal(first) {
		t.Error("the new session is not kept")
	}

	w.box.SignOut()
	delete(w.keep, store.KindTOTP)
	_, err := w.account().List(ctx)
	w.fails(err, ErrNeedsPerson)

	w.set(`{"session_life":0}`)
	w.fails(w.account(knowingTOTP).SignIn(ctx), ErrSessionExpired)
}

func TestSomebodyElsesSession(t *testing.T) {
	w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
	a := w.account(with(w.person()), func(c *Config) { c.Username = "bob" })
	e := w.fails(a.SignIn(context.Background()), ErrRefused)
	if !strings.Contains(e.Message, user) || !strings.Contains(e.Message, "bob") {
		t.Error(e.Message)
	}
	if !w.keep[store.KindSession].IsZero() {
		t.Error("somebody else's session is kept")
	}
}

func TestListingHasPages(t *testing.T) {
	ctx := context.Background()
	for _, switches := range []string{`{}`, `{"paging_urls":"relative"}`} {
		w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
		w.set(switches)
		a := w.account(knowingPassword, knowingTOTP)
		var keys []string
		for range 23 {
			tok, err := a.Create(ctx, longName(len(keys)), publish)
			w.must(err)
			keys = append(keys, tok.Key)
		}
		listed, err := a.List(ctx)
		w.must(err)
		for _, k := range keys {
			if !holds(listed, k) {
				t.Errorf("%s: %s is not listed", switches, k)
			}
		}
		if len(listed) != len(keys) {
			t.Errorf("%s: %d listed", switches, len(listed))
		}
	}
}

func longName(n int) string { return "rotd-" + strings.Repeat("x", n) }

func TestMismatch(t *testing.T) {
	ctx := context.Background()
	for switches, want := range map[string]string{
		`{"grant_permission":"read-write"}`: "permission: asked read-only, got read-write",
		`{"grant_permission":"no-access"}`:  "permission: asked read-only, got no-access",
		`{"grant_days":365}`:                "expiry: asked 30 days, got 365.0 days",
		`{"grant_all":true}`:                "packages and scopes: asked @acme, left, got *",
	} {
		w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
		w.set(`{"allow_unknown_names":true}`)
		w.set(switches)
		shape := store.Shape{Packages: []string{"left"}, Scopes: []string{"@acme"}, Permission: ipc.PermissionRead, ExpiresDays: 30}
		a := w.account(knowingPassword, knowingTOTP)
		tok, err := a.Create(ctx, "t", shape)
		w.must(err)
		err = a.Verify(ctx, tok, shape)
		var mismatch *rotate.MismatchError
		if !errors.As(err, &mismatch) || !slices.Contains(mismatch.Differences, want) {
			t.Errorf("%s: %v", switches, err)
		}
		// Another run, which has not seen the answer to the creation.
		if err := w.account(knowingPassword, knowingTOTP).Verify(ctx, tok, shape); !errors.As(err, &mismatch) {
			t.Errorf("%s: %v in another run", switches, err)
		}
	}
}

func TestRevocationThatLags(t *testing.T) {
	ctx := context.Background()
	w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
	w.set(`{"revocation_delay":3600}`)
	a := w.account(knowingPassword, knowingTOTP)
	tok, err := a.Create(ctx, "t", publish)
	w.must(err)
	w.must(a.Revoke(ctx, tok.Key))
	if ok, err := a.Accepts(ctx, tok.Value); !ok || err != nil {
		t.Errorf("accepts: %v, %v", ok, err)
	}
	w.fails(a.Verify(ctx, tok, publish), ErrGarbled) // not listed any more
	w.box.Advance(3601e9)
	if ok, err := a.Accepts(ctx, tok.Value); ok || err != nil {
		t.Errorf("accepts: %v, %v", ok, err)
	}
	w.fails(a.Verify(ctx, tok, publish), ErrRefused)
}
