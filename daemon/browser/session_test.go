package browser

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rotd/ipc/secret"
)

// A session taken from one browser signs another one in.
func TestSessionMovesOn(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/in" {
			for _, c := range []*http.Cookie{
				{Name: "wub", Value: "sessionEXAMPLE", Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode},
				{Name: "kept", Value: "for a day", Path: "/", Expires: time.Now().Add(24 * time.Hour)},
				{Name: "part", Value: "partitioned", Path: "/", Secure: true, SameSite: http.SameSiteNoneMode, Partitioned: true},
			} {
				http.SetCookie(w, c)
			}
		}
		var names []string
		for _, c := range r.Cookies() {
			names = append(names, c.Name+"="+c.Value)
		}
		slices.Sort(names)
		_, _ = w.Write([]byte(strings.Join(names, ";")))
	}))
	defer s.Close()
	home := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)

	ctx, one := start(t)
	if err := one.Page().Open(ctx, home+"/in"); err != nil {
		t.Fatal(err)
	}
	session, err := one.Cookies(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_ = one.Close()
	var kept []cookie
	if err := json.Unmarshal(session, &kept); err != nil || len(kept) != 3 {
		t.Fatalf("%d cookies, %v", len(kept), err)
	}

	ctx, two := start(t)
	if err := two.SetCookies(ctx, session); err != nil {
		t.Fatal(err)
	}
	again, err := two.Cookies(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := two.Page().Open(ctx, home+"/"); err != nil {
		t.Fatal(err)
	}
	if text, err := two.Page().Text(ctx); err != nil || text != `kept=for a day;part=partitioned;wub=sessionEXAMPLE` {
		t.Errorf("%q, %v", text, err)
	}
	var back []cookie
	if err := json.Unmarshal(again, &back); err != nil || len(back) != 3 {
		t.Fatalf("%d cookies back, %v", len(back), err)
	}
	for _, c := range back {
		i := slices.IndexFunc(kept, func(k cookie) bool { return k.Name == c.Name })
		if was := kept[i]; was.HTTPOnly != c.HTTPOnly || was.Secure != c.Secure || was.SameSite != c.SameSite ||
			(was.Expires == 0) != (c.Expires == 0) || (was.Partition == nil) != (c.Partition == nil) {
			t.Errorf("%s: was %+v, is %+v", c.Name, was, c)
		}
	}

	err = two.SetCookies(ctx, []byte(`{"secretEXAMPLE":`))
	if err == nil || strings.Contains(err.Error(), "secretEXAMPLE") {
		t.Error(err)
	}
}

func TestReportHoldsNoSecret(t *testing.T) {
	ctx, b := start(t)
	p := b.Page()
	const password, token, uuid = `pass<&>/"EXAMPLE`, "npm_abcdefghijklmnopqrstuvwxyz0123456789", "0f8fad5b-d9cb-469f-a165-70867728950e"
	if err := p.Open(ctx, site(t, `<h1>Unheard of</h1>
		<script>document.cookie = "cs=csrfEXAMPLE"; const hidden = "`+token+`"</script>
		<form action="/login/cli/`+uuid+`"><input name=csrftoken type=hidden value=csrfEXAMPLE>
		<label>Password <input name=password value="pass&lt;&amp;&gt;/&quot;EXAMPLE"></label>
		<textarea>note EXAMPLE</textarea></form>
		<code>`+token+`</code> <p>Sent to ada@example.com: pass&lt;&amp;&gt;/"EXAMPLE</p><!-- csrfEXAMPLE -->`)); err != nil {
		t.Fatal(err)
	}
	if err := p.Fill(ctx, Control{Field: "password"}, secret.New(password)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	const long = "/settings/ada/tokens/granular-access-tokens/new"
	p.Note("open npm.example" + long + " " + password + " " + uuid)
	report, err := p.Report(ctx, dir, secret.New(password), secret.Text{})
	if err != nil {
		t.Fatal(err)
	}
	if steps, err := os.ReadFile(filepath.Join(report, "steps.txt")); err != nil || !strings.Contains(string(steps), long+" [redacted] [redacted]\n") {
		t.Errorf("the steps are told as %q, %v", steps, err)
	}
	for _, name := range []string{"page.html", "page.txt", "page.png", "steps.txt"} {
		path := filepath.Join(report, name)
		st, err := os.Stat(path)
		if err != nil || st.Mode().Perm() != 0o600 || st.Size() == 0 {
			t.Errorf("%s: %v, %v", name, st, err)
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"EXAMPLE", token, uuid, "ada@"} {
			if strings.Contains(string(text), bad) {
				t.Errorf("%s holds %s", name, bad)
			}
		}
		if strings.HasPrefix(name, "page.") && name != "page.png" && !strings.Contains(string(text), "Unheard of") {
			t.Errorf("%s does not show the page:\n%s", name, text)
		}
	}
}

func TestOldReportsGo(t *testing.T) {
	dir := t.TempDir()
	var last string
	for range reportsKept + 3 {
		var err error
		if last, err = keepReport(dir, map[string][]byte{"page.txt": []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	if n := entries(t, dir); n != reportsKept {
		t.Errorf("%d reports", n)
	}
	if _, err := os.Stat(last); err != nil {
		t.Error(err)
	}
}
