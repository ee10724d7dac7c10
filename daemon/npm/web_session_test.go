package npm

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"rotd/daemon/npm/sandbox"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// A session that has ended is told from one that has not, and renewed by what
// is known or else by nobody.
func TestWebSession(t *testing.T) {
	t.Parallel()
	w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
	ctx := t.Context()

	nobody := w.web()
	w.fails(nobody.Check(ctx), ErrNeedsSignIn)
	w.fails(nobody.SignIn(ctx), ErrNeedsSignIn)
	_, err := nobody.Create(ctx, "t", publish)
	w.fails(err, ErrNeedsSignIn)
	w.notCreated(err, true)
	w.must(nobody.Close(ctx))

	// The password without the factor is not enough to sign in.
	half := w.web(knowing(knowingPassword))
	w.fails(half.SignIn(ctx), ErrNeedsSignIn)
	w.must(half.Close(ctx))

	var signIns int
	signer := w.web(knowing(knowingPassword, knowingTOTP), func(c *WebConfig) {
		c.Username = ""
		c.Ask = func(context.Context, string, string) (secret.Text, error) { return secret.New(user), nil }
		c.MaySignIn = func() error { signIns++; return nil }
	})
	w.must(signer.SignIn(ctx))
	w.must(signer.SignIn(ctx))
	if signer.Username() != user || signIns != 1 {
		t.Errorf("signed in %d times as %q", signIns, signer.Username())
	}
	w.box.SignOut()
	if listed := w.listed(signer); len(listed) != 0 || signIns != 2 {
		t.Errorf("signed in %d times, listed %v", signIns, listed)
	}
	w.must(signer.Close(ctx))
	w.must(signer.Close(ctx))

	// The session is kept: who knows nothing can use it.
	guest := w.web()
	w.must(guest.Check(ctx))
	if listed := w.listed(guest); len(listed) != 0 {
		t.Errorf("listed %v", listed)
	}
	other := w.web(func(c *WebConfig) { c.Username = "grace" })
	w.fails(other.Check(ctx), ErrRefused)
	w.must(other.Close(ctx))
	w.set(`{"bot_challenge": 1}`)
	before := len(w.box.Requests())
	w.fails(guest.Check(ctx), ErrBotCheck)
	if n := len(w.box.Requests()) - before; n > 2 {
		t.Errorf("%d requests at a bot check", n)
	}
	w.set(`{"settings_escalation": "on-open"}`)
	w.must(guest.Check(ctx)) // a check of the factor is none of the session
	_, err = guest.List(ctx)
	w.fails(err, ErrNeedsPerson)
	w.box.SignOut()
	w.fails(guest.Check(ctx), ErrNeedsSignIn)
}

// A software passkey passes the checks, and its count is kept.
func TestWebPasskey(t *testing.T) {
	t.Parallel()
	w := inSandbox(t, sandbox.Config{SecurityKey: true})
	w.set(`{"settings_escalation": "on-submit", "settings_escalation_life": 0, "escalation": ["password", "webauthn"]}`)
	key, _ := w.box.SecurityKey()
	web := w.web(knowing(knowingPassword), func(c *WebConfig) { c.Passkey = &key })
	w.rotation(web, "token", publish)
	if key.SignCount < 3 {
		t.Errorf("the key counts %d uses", key.SignCount)
	}
}

// A list of many pages is read to its end, by the props or by what is seen.
func TestWebPages(t *testing.T) {
	t.Parallel()
	const total = 23
	id := func(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }
	var props, endless bool
	w := around(t, func(rw http.ResponseWriter, r *http.Request) {
		var page int
		_, _ = fmt.Sscan(r.URL.Query().Get("page"), &page)
		if endless {
			page = 0
		}
		var objects, rows []string
		for n := page * 10; n < min(total, page*10+10); n++ { // perPage is not honoured
			objects = append(objects, fmt.Sprintf(`{"id": %q, "token_name": "name-%d", "token_type": "granular", "expires": "2026-12-24T00:00:00Z"}`, id(n), n))
			rows = append(rows, fmt.Sprintf(`<tr><td><a href="/settings/ada/tokens/granular-access-tokens/%s">name-%d</a></td></tr>`, id(n), n))
		}
		if !props {
			objects = nil
		}
		fmt.Fprintf(rw, `<!doctype html><title>npm | Access Tokens</title><a href="new">Generate New Token</a><table>%s</table>`, strings.Join(rows, ""))
		if props {
			fmt.Fprintf(rw, `<script>window.__context__ = {context: {user: {name: "ada"}, list: {objects: [%s], total: %d, urls: {}}}}</script>`, strings.Join(objects, ","), total)
		} else if page < 2 || endless {
			fmt.Fprint(rw, `<a rel=next href="?">Next</a>`)
		}
	})
	web := w.web()
	for _, props = range []bool{true, false} {
		tokens, err := web.List(t.Context())
		w.must(err)
		if len(tokens) != total || tokens[22].Name != "name-22" || tokens[22].Key != id(22) || tokens[22].Expires.IsZero() == props {
			t.Errorf("props %v: %d tokens, the last %+v", props, len(tokens), tokens[len(tokens)-1])
		}
	}
	endless = true
	_, err := web.List(t.Context())
	w.fails(err, ErrPage)
}

// A form that does not hold what was filled in is not submitted.
func TestWebReadsTheFormBack(t *testing.T) {
	t.Parallel()
	posts := 0
	var page string
	w := around(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts++
		}
		fmt.Fprint(rw, page)
	})
	const form = `<!doctype html><title>npm</title><form method=post>
		<label>Token name <input name=tokenName></label> <label>Description (optional) <input name=tokenDescription></label>
		<h2>Packages and scopes</h2><label><input type=radio name=p> No access</label><label><input type=radio name=p id=read> Read only</label>
		<label><input type=radio name=s id=all onclick="%s"> All packages</label><label><input type=radio name=s> Only select packages and scopes</label>
		<h2>Organizations</h2><label><input type=radio name=o> No access</label><label><input type=radio name=o id=oread> Read only</label>
		<label><input type=checkbox id=box> Send me news</label>
		<button>Generate token</button></form>`
	web := w.web()
	for spoil, says := range map[string]string{
		"document.forms[0].tokenDescription.value = 'x'": `description: asked "", the form holds "x"`,
		"setTimeout(() => read.checked = false)":         `permission: asked "read-only", the form holds ""`,
		"box.checked = true":                             `tick boxes: asked "0", the form holds "1"`,
	} {
		page = fmt.Sprintf(form, spoil)
		_, err := web.Create(t.Context(), "t", store.Shape{PackagesAll: true, Permission: ipc.PermissionRead})
		if e := w.fails(err, ErrPage); !strings.Contains(e.Message, says) {
			t.Errorf("%s: %s", spoil, e.Message)
		}
		w.notCreated(err, true)
	}
	if posts > 0 {
		t.Errorf("the form was submitted %d times", posts)
	}
}

func TestParseSite(t *testing.T) {
	for site, want := range map[string]string{
		"":                        Site(PublicRegistry()),
		"https://WWW.Example.com": "https://www.example.com", "https://example.com:443/": "https://example.com",
		"http://localhost:8080": "http://localhost:8080",
	} {
		if got, err := ParseSite(site, PublicRegistry()); err != nil || got != want {
			t.Errorf("ParseSite(%q) = %q, %v", site, got, err)
		}
	}
	if got, err := ParseSite("", "http://localhost:4873/npm"); err != nil || got != "http://localhost:4873" {
		t.Errorf("beside a registry: %q, %v", got, err)
	}
	for _, bad := range []string{"example.com", "http://example.com", "https://u:p@example.com", "https://example.com/settings", "https://example.com?x", "https://", "ftp://localhost"} {
		if got, err := ParseSite(bad, PublicRegistry()); err == nil {
			t.Errorf("ParseSite(%q) = %q", bad, got)
		}
	}
}

// npm may forget where a sign-in was to lead to.
func TestWebFindsBack(t *testing.T) {
	t.Parallel()
	w := around(t, func(rw http.ResponseWriter, r *http.Request) {
		_, err := r.Cookie("wub")
		switch {
		case r.Method == http.MethodPost:
			http.SetCookie(rw, &http.Cookie{Name: "wub", Value: "session-EXAMPLE", HttpOnly: true})
			http.Redirect(rw, r, "/", http.StatusFound)
		case r.URL.Path == "/":
			fmt.Fprint(rw, `<!doctype html><title>npm | Home</title><h1>Home</h1>`)
		case err != nil:
			fmt.Fprint(rw, `<!doctype html><title>npm | Sign In</title><form method=post><label>Username <input name=username></label>
				<label>Password <input name=password type=password></label><button>Sign In</button></form>`)
		default:
			fmt.Fprint(rw, `<!doctype html><title>npm</title><a href="new">Generate New Token</a>`)
		}
	})
	web := w.web(knowing(knowingPassword))
	if listed := w.listed(web); len(listed) > 0 {
		t.Errorf("listed %v", listed)
	}
	if !strings.Contains(w.keep[store.KindCookies].Reveal(), "session-EXAMPLE") {
		t.Error("the session is not kept")
	}
}
