package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"rotd/daemon/npm/sandbox"
)

// signedIn is a person who has just signed in.
func signedIn(t *testing.T, s *sandbox.Sandbox, base string) *person {
	t.Helper()
	p := newPerson(t, base)
	p.open("/login")
	p.signIn(s)
	return p
}

// spiferack asks for a page's props, or posts JSON, as PLAID does: one header,
// no browser.
func (p *person) spiferack(method, path string, body any) answer {
	p.t.Helper()
	var text string
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			p.t.Fatal(err)
		}
		text = string(b)
	}
	req, err := http.NewRequest(method, p.base+path, strings.NewReader(text))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("X-Spiferack", "1")
	req.Header.Set("Content-Type", "application/json")
	p.do(req)
	return answer{p.status, p.headers, p.page}
}

// csrf is the token that the browser holds as a cookie.
func (p *person) csrf() string {
	p.t.Helper()
	at, err := url.Parse(p.base)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range p.client.Jar.(*cookiejar.Jar).Cookies(at) {
		if c.Name == "cs" {
			return c.Value
		}
	}
	p.t.Fatal("no cookie cs")
	return ""
}

const (
	tokensPath = "/settings/ada/tokens"
	formPath   = tokensPath + "/granular-access-tokens/new"
)

// plaidForm is a creation with the keys that PLAID sends.
func (p *person) plaidForm(name string) map[string]any {
	return map[string]any{
		"allowedIPRanges": []string{""}, "csrftoken": p.csrf(), "expirationDays": "7", "orgsPermission": "No access",
		"packagesAndScopesPermission": "Read and write", "selectedOrgs": []string{}, "selectedPackages": []string{},
		"selectedPackagesAndScopes": "packagesAll", "selectedScopes": []string{}, "tokenDescription": "", "tokenName": name,
	}
}

func (p *person) createByForm(form map[string]any) answer {
	p.t.Helper()
	return p.spiferack("POST", tokensPath+"/new-gat", form)
}

// The calls of PLAID, in its order (A.6, A.7.3).
func TestSiteAsPlaid(t *testing.T) {
	s, base := start(t, withTOTP)
	p := signedIn(t, s, base)
	made := p.createByForm(p.plaidForm("ci"))
	value := made.text(t, "newToken")
	if made.status != 200 || made.header.Get("push-state") != tokensPath || !regexp.MustCompile(`^npm_[A-Za-z0-9]{36}$`).MatchString(value) {
		t.Fatalf("%d %v %q", made.status, made.header, value)
	}
	if got := whoami(t, base, value); got != 200 {
		t.Fatalf("whoami: %d", got)
	}
	var list struct {
		List struct {
			Objects []map[string]any
			Total   int
			URLs    map[string]string
		}
		CreateGATURL string
	}
	a := p.spiferack("GET", tokensPath+"?page=0&perPage=10", nil)
	if err := json.Unmarshal([]byte(a.body), &list); err != nil {
		t.Fatal(err)
	}
	o := list.List.Objects[0]
	if list.List.Total != 1 || list.CreateGATURL != formPath || o["token_name"] != "ci" || o["token_type"] != "granular" ||
		o["token"] != "npm_..."+value[36:] || o["id"] != s.Tokens()[0].Key || strings.Contains(a.body, value) {
		t.Fatal(a.body)
	}
	expires, err := time.Parse(time.RFC3339, o["expires"].(string))
	if err != nil || time.Until(expires) < 6*24*time.Hour || time.Until(expires) > 8*24*time.Hour {
		t.Fatalf("expires %v", o["expires"])
	}
	details := p.spiferack("GET", tokensPath+"/granular-access-tokens/"+o["id"].(string), nil).json(t)["tokenDetails"].(map[string]any)
	for k, want := range map[string]any{
		"tokenName": "ci", "tokenID": o["id"], "tokenDescription": "", "packagesAndScopesPermission": "Read and write",
		"selectedPackagesAndScopes": "packagesAll", "expired": false,
	} {
		if details[k] != want {
			t.Errorf("tokenDetails.%s is %v, want %v", k, details[k], want)
		}
	}
	if a := p.spiferack("GET", "/login", nil); a.header.Get("Set-Cookie") != "" {
		t.Fatalf("signed in, /login sets %q", a.header.Get("Set-Cookie"))
	}
	if a := p.spiferack("GET", "/-/whoami", nil); a.status != 404 || a.body != `{"message":"Route not found!","user":{"name":"ada"}}` {
		t.Fatalf("the probe for a session: %d %s", a.status, a.body)
	}
	gone := p.spiferack("POST", tokensPath+"/delete", map[string]any{"csrftoken": p.csrf(), "tokens": o["id"]})
	if gone.status != 200 || whoami(t, base, value) != 401 {
		t.Fatalf("%d %s", gone.status, gone.body)
	}
	s.SignOut()
	if a := p.spiferack("GET", "/login", nil); !strings.HasPrefix(a.header.Get("Set-Cookie"), "cs="+p.csrf()+";") {
		t.Fatalf("signed out, /login sets %q", a.header.Get("Set-Cookie"))
	}
}
