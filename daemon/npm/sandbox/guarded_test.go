package sandbox_test

import (
	"strings"
	"testing"
)

// Trusted publishers always take a code, and no bypass token.
func TestTrust(t *testing.T) {
	s, base := start(t, withTOTP)
	s.AddPackage("@acme/mine", false)
	session := couchLogin(t, base, code(t))
	bypass := create(t, base, session, code(t), publishShape("bypass"))
	url := base + "/-/package/@acme%2fmine/trust"
	body := `[{"type":"github","claims":{"repository":"ada/mine","workflow_ref":{"file":"ci.yml"}},"permissions":["createStagedPackage"]}]`
	as := func(token, method, url, body string, headers ...string) answer {
		t.Helper()
		return call(t, method, url, body, append([]string{"Authorization", bearer(token)}, headers...)...)
	}
	if a := as(bypass, "POST", url, body, "npm-otp", code(t)); a.status != 403 {
		t.Errorf("bypass: %d", a.status)
	}
	if a := as(session, "POST", url, body); a.status != 401 {
		t.Errorf("without a code: %d", a.status)
	}
	if a := as(session, "POST", url, "[]", "npm-otp", code(t)); a.status != 400 {
		t.Errorf("nothing: %d", a.status)
	}
	if a := as(session, "POST", url, body, "npm-otp", code(t)); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	list := as(session, "GET", url, "", "npm-otp", code(t)).body
	_, rest, _ := strings.Cut(list, `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	if !strings.Contains(list, "ada/mine") || id == "" {
		t.Fatal(list)
	}
	for _, want := range []int{204, 404} {
		if a := as(session, "DELETE", url+"/"+id, "", "npm-otp", code(t)); a.status != want {
			t.Errorf("%d, want %d", a.status, want)
		}
	}
	if a := as(session, "GET", base+"/-/package/nothing/trust", "", "npm-otp", code(t)); a.status != 404 {
		t.Errorf("%d", a.status)
	}
	a := call(t, "POST", base+"/-/npm/v1/oidc/token/exchange/package/mine", nil, "Authorization", "Bearer id-token-EXAMPLE")
	if a.status != 404 || a.text(t, "message") != "OIDC token exchange error - package not found" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// What is not played says so, to those who may ask.
func TestNotPlayed(t *testing.T) {
	_, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	a := call(t, "PUT", base+"/-/org/acme/user", "{}", "Authorization", bearer(session), "npm-otp", code(t))
	if a.status != 501 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := call(t, "PUT", base+"/-/org/acme/user", "{}"); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
