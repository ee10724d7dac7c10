package sandbox_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Every documented refusal of a creation, with its text (B.5, A.7.1).
func TestCreateRefused(t *testing.T) {
	s, base := start(t, withTOTP)
	s.AddPackage("mine", false)
	session := couchLogin(t, base, code(t))
	many := make([]string, 51)
	for i := range many {
		many[i] = fmt.Sprintf("p%d", i)
	}
	create(t, base, session, code(t), shape("taken", "read-only", nil))
	for name, c := range map[string]struct {
		change map[string]any // of a good body; nil removes a field
		status int
		text   string
	}{
		"no name":            {map[string]any{"name": ""}, 400, "Token name is required"},
		"long name":          {map[string]any{"name": strings.Repeat("n", 41)}, 400, "Token name is too long (maximum is 40 characters)"},
		"name taken":         {map[string]any{"name": "taken"}, 400, "Duplicate token names are not allowed"},
		"long description":   {map[string]any{"description": strings.Repeat("d", 121)}, 400, "Token description is too long (maximum is 120 characters)"},
		"packages":           {map[string]any{"packages": "mine"}, 400, "Packages must be an array"},
		"scopes":             {map[string]any{"scopes": "@acme"}, 400, "Scopes must be an array"},
		"orgs":               {map[string]any{"orgs": 1}, 400, "Organizations must be an array"},
		"permission":         {map[string]any{"packages_and_scopes_permission": "all"}, 400, "Invalid packages_and_scopes_permission. Must be one of: no-access, read-only, read-write"},
		"orgs permission":    {map[string]any{"orgs_permission": "read-write-stage-only"}, 400, "Invalid orgs_permission. Must be one of: no-access, read-only, read-write"},
		"for nothing":        {map[string]any{"packages_all": nil, "packages_and_scopes_permission": nil}, 400, "You must have at least one package / scope or organization added to this token."},
		"orgs missing":       {map[string]any{"orgs_permission": "read-only"}, 400, "You must select at least one organization if granting organization permissions to this token."},
		"packages missing":   {map[string]any{"packages_all": nil}, 400, "You must select at least one package or scope if granting package/scopes permissions to this token."},
		"no access":          {map[string]any{"packages_and_scopes_permission": "no-access"}, 400, "Please select at least one: package, scope or organization."},
		"91 days":            {map[string]any{"packages_and_scopes_permission": "read-write", "expires": 91}, 400, "Read-write tokens cannot have expiration longer than 90 days"},
		"91 days to stage":   {map[string]any{"packages_and_scopes_permission": "read-write-stage-only", "expires": 91}, 400, "Read-write tokens cannot have expiration longer than 90 days"},
		"a date too far":     {map[string]any{"packages_and_scopes_permission": "read-write", "expires": time.Now().AddDate(0, 0, 92).Format(time.DateOnly)}, 400, "Read-write tokens cannot have expiration longer than 90 days"},
		"a date in the past": {map[string]any{"expires": "2020-01-01"}, 400, "Invalid expiration value. Must be at least one day in the future."},
		"half a day":         {map[string]any{"expires": 0.5}, 400, "Invalid expiration value. Must be at least one day in the future."},
		"no date":            {map[string]any{"expires": "soon"}, 400, "Invalid expiration value. Must be at least one day in the future."},
		"IPv6":               {map[string]any{"cidr_whitelist": []string{"::1/128"}}, 400, "One or more fields contains an invalid CIDR entry."},
		"no CIDR":            {map[string]any{"cidr": []string{"10.0.0.1"}}, 400, "One or more fields contains an invalid CIDR entry."},
		"51 packages":        {map[string]any{"packages_all": nil, "packages": many}, 400, "Select at least one. Max 50."},
		"unknown package":    {map[string]any{"packages_all": nil, "packages": []string{"yours"}}, 400, "Package yours does not exist or you do not have access to it."},
		"unknown scope":      {map[string]any{"packages_all": nil, "scopes": []string{"@yours"}}, 400, "Scope @yours does not exist or you do not have access to it."},
		"unknown org":        {map[string]any{"orgs": []string{"yours"}, "orgs_permission": "read-only"}, 400, "Organization yours does not exist or you do not have access to it."},
		"wrong password":     {map[string]any{"password": "wrong-EXAMPLE"}, 401, "Incorrect username or password"},
		"no password":        {map[string]any{"password": nil}, 401, "Incorrect username or password"},
	} {
		t.Run(name, func(t *testing.T) {
			a := call(t, "POST", base+"/-/npm/v1/tokens", shape("new", "read-only", c.change),
				"Authorization", bearer(session), "npm-otp", code(t))
			if a.status != c.status || a.text(t, "error") != c.text {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if !strings.Contains(a.header.Get("npm-notice"), "SECURITY NOTICE: Granular tokens now limited to 90 days") {
				t.Fatalf("npm-notice: %q", a.header.Get("npm-notice"))
			}
		})
	}
	if got := len(s.Tokens()); got != 1 {
		t.Fatalf("%d tokens were made", got)
	}
}

// Who may create at all.
func TestCreateUnauthorized(t *testing.T) {
	s, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	bypass := create(t, base, session, code(t), publishShape("bypass"))
	plain := create(t, base, session, code(t), shape("plain", "read-write", nil))
	post := func(token string) answer {
		return call(t, "POST", base+"/-/npm/v1/tokens", shape("new", "read-only", nil), "Authorization", bearer(token), "npm-otp", code(t))
	}
	for name, token := range map[string]string{"nobody": "", "a dead token": "npm_EXAMPLE", "a granular token": plain} {
		if a := post(token); a.status != 401 || a.text(t, "error") != "Unauthorized" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	a := post(bypass)
	if a.status != 403 || a.body != `{"error":"Granular access tokens that bypass two-factor authentication may not perform this action.","success":false}` {
		t.Errorf("bypass: %d %s", a.status, a.body)
	}
	set(t, s, `{"manage_with_granular":true}`)
	if a := post(plain); a.status != 201 {
		t.Errorf("with the switch: %d %s", a.status, a.body)
	}
	if a := post(bypass); a.status != 403 {
		t.Errorf("bypass with the switch: %d", a.status)
	}
	set(t, s, `{"high_impact_freeze":true}`)
	if a := post(session); a.status != 403 {
		t.Errorf("frozen: %d", a.status)
	}
}

func TestCreated(t *testing.T) {
	s, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	body := shape("full", "read-write-stage-only", map[string]any{
		"description": "d", "cidr_whitelist": []string{"127.0.0.0/8"}, "orgs": []string{"acme"}, "orgs_permission": "read-only",
	})
	a := call(t, "POST", base+"/-/npm/v1/tokens", body, "Authorization", bearer(session), "npm-otp", code(t))
	got := a.json(t)
	if a.status != 201 || got["name"] != "full" || got["description"] != "d" || got["bypass_2fa"] != false {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if !regexp.MustCompile(`^npm_[A-Za-z0-9]{36}$`).MatchString(got["token"].(string)) {
		t.Fatal("the token does not look like one")
	}
	if !regexp.MustCompile(`^[a-f0-9-]{36}$`).MatchString(got["key"].(string)) {
		t.Fatalf("key: %v", got["key"])
	}
	for _, field := range []string{"revoked", "updated", "accessed"} {
		if v, ok := got[field]; !ok || v != nil {
			t.Errorf("%s is %v", field, v)
		}
	}
	if fmt.Sprint(got["permissions"]) != "[map[action:write name:package] map[action:read name:org]]" {
		t.Errorf("permissions: %v", got["permissions"])
	}
	if fmt.Sprint(got["scopes"]) != "[map[name:* type:package] map[name:acme type:org]]" {
		t.Errorf("scopes: %v", got["scopes"])
	}
	record := s.Tokens()[0]
	if record.Permission != "read-write-stage-only" || len(record.CIDR) != 1 || record.Accessed != nil {
		t.Errorf("%+v", record)
	}
}

// npm's defaults for what is not said.
func TestExpiry(t *testing.T) {
	s, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	day := time.Now().UTC().AddDate(0, 0, 3).Format(time.DateOnly)
	for i, c := range []struct {
		change map[string]any
		days   int
	}{
		{map[string]any{"packages_and_scopes_permission": "read-write"}, 7},
		{map[string]any{"packages_and_scopes_permission": "read-only"}, 30},
		{map[string]any{"packages_and_scopes_permission": nil}, 30},
		{map[string]any{"packages_and_scopes_permission": "read-write", "expires": 90}, 90},
		{map[string]any{"packages_and_scopes_permission": "read-only", "expires": 400}, 400},
		{map[string]any{"packages_and_scopes_permission": "read-write", "expires": day}, 2},
	} {
		create(t, base, session, code(t), shape(fmt.Sprint(i), "", c.change))
		got := s.Tokens()[i]
		if d := int(got.Expiry.Sub(got.Created).Hours() / 24); d != c.days {
			t.Errorf("%v: %d days", c.change, d)
		}
		if c.change["packages_and_scopes_permission"] == nil && got.Permission != "read-only" {
			t.Errorf("%v: %s", c.change, got.Permission)
		}
	}
}

// Tokens and sessions end by the sandbox's clock.
func TestClock(t *testing.T) {
	s, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	token := create(t, base, session, code(t), shape("week", "read-write", nil))
	if a := call(t, "POST", base+"/-/sandbox/clock", `{"advance":"13h"}`); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if whoami(t, base, session) != 401 || whoami(t, base, token) != 200 {
		t.Fatal("after 13 hours the session should have ended, the token not")
	}
	couchLogin(t, base, code(t)) // the authenticator app's clock did not move
	s.Advance(7 * 24 * time.Hour)
	if whoami(t, base, token) != 401 {
		t.Fatal("the token outlived its week")
	}
	session = couchLogin(t, base, code(t))
	list := call(t, "GET", base+"/-/npm/v1/tokens", nil, "Authorization", bearer(session)).json(t)
	if list["total"] != 1.0 {
		t.Fatalf("an expired token is still listed: %v", list)
	}
	for _, bad := range []string{`{"advance":"tomorrow"}`, `nonsense`} {
		if a := call(t, "POST", base+"/-/sandbox/clock", bad); a.status != 400 {
			t.Errorf("%s: %d", bad, a.status)
		}
	}
}

func TestListing(t *testing.T) {
	s, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	var values []string
	for i := range 5 {
		values = append(values, create(t, base, session, code(t), shape(fmt.Sprint("t", i), "read-only", nil)))
	}
	get := func(url string) map[string]any {
		t.Helper()
		return call(t, "GET", url, nil, "Authorization", bearer(session)).json(t)
	}
	page := get(base + "/-/npm/v1/tokens?page=1&perPage=2")
	urls, objects := page["urls"].(map[string]any), page["objects"].([]any)
	if page["total"] != 5.0 || len(objects) != 2 || urls["prev"] != base+"/-/npm/v1/tokens?page=0&perPage=2" {
		t.Fatalf("%v", page)
	}
	first := objects[0].(map[string]any)
	if first["name"] != "t2" || first["token"] != values[2][:8]+"..."+values[2][36:] || first["readonly"] != true {
		t.Fatalf("%v", first)
	}
	last := get(urls["next"].(string))
	if next, ok := last["urls"].(map[string]any)["next"]; ok {
		t.Fatalf("the last page has a next one: %v", next)
	}
	set(t, s, `{"paging_urls":"relative"}`)
	page = get(base + "/-/npm/v1/tokens?perPage=2")
	if next := page["urls"].(map[string]any)["next"]; next != "/-/npm/v1/tokens?page=1&perPage=2" {
		t.Fatalf("%v", next)
	}

	list := base + "/-/npm/v1/tokens"
	if a := call(t, "GET", list, nil, "Authorization", bearer(values[0])); a.status != 401 {
		t.Fatalf("a granular token lists: %d", a.status)
	}
	set(t, s, `{"list_with_granular":true}`)
	if a := call(t, "GET", list, nil, "Authorization", bearer(values[0])); a.status != 200 {
		t.Fatalf("with the switch it does not: %d", a.status)
	}
	if s.Tokens()[0].Accessed == nil {
		t.Fatal("the use left no mark")
	}
}

func TestDelete(t *testing.T) {
	s, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	value := create(t, base, session, code(t), publishShape("one"))
	other := create(t, base, session, code(t), publishShape("two"))
	key := s.Tokens()[0].Key
	del := func(which string, headers ...string) answer {
		t.Helper()
		return call(t, "DELETE", base+"/-/npm/v1/tokens/token/"+which, nil, append([]string{"Authorization", bearer(session)}, headers...)...)
	}
	if a := del("nonsense", "npm-otp", code(t)); a.status != 400 || a.text(t, "message") != "invalid token" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := del("00000000-0000-4000-8000-000000000000", "npm-otp", code(t)); a.status != 404 || a.text(t, "message") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := del(key, "npm-otp", "000000"); a.status != 401 || a.text(t, "error") != "invalid OTP" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := del(key); a.status != 401 || !strings.Contains(a.text(t, "error"), "You must provide a one-time pass.") ||
		!strings.Contains(a.header.Get("npm-notice"), "/login/") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := del(key, "npm-auth-type", "web", "npm-command", "token"); a.status != 401 || a.text(t, "authUrl") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := call(t, "DELETE", base+"/-/npm/v1/tokens/token/"+key, nil, "Authorization", bearer(other), "npm-otp", code(t)); a.status != 403 {
		t.Errorf("a bypass token deletes: %d", a.status)
	}

	set(t, s, `{"delete_lies":true}`)
	if a := del(key, "npm-otp", code(t)); a.status != 204 || whoami(t, base, value) != 200 || s.Tokens()[0].Revoked != nil {
		t.Errorf("a lie: %d", a.status)
	}
	set(t, s, `{"delete_lies":false,"revocation_delay":60}`)
	if a := del(key, "npm-otp", code(t)); a.status != 204 || a.header.Get("npm-notice") == "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	list := call(t, "GET", base+"/-/npm/v1/tokens", nil, "Authorization", bearer(session)).json(t)
	if list["total"] != 1.0 || whoami(t, base, value) != 200 {
		t.Fatal("the listing drops a token at once, the registry takes it for a while")
	}
	s.Advance(time.Minute)
	if whoami(t, base, value) != 401 {
		t.Fatal("the registry takes the token too long")
	}
	set(t, s, `{"revocation_delay":0}`)
	if a := del(other, "npm-otp", code(t)); a.status != 204 || whoami(t, base, other) != 401 {
		t.Fatalf("by its value: %d %s", a.status, a.body)
	}
	if got := s.Tokens(); len(got) != 2 || got[0].Revoked == nil || got[1].Revoked == nil {
		t.Fatalf("the record of every token: %+v", got)
	}
	create(t, base, session, code(t), publishShape("one")) // the name is free again
	if a := del(session); a.status != 204 || whoami(t, base, session) != 401 {
		t.Fatalf("a session ends itself: %d", a.status)
	}
}

// The two spellings of a creation, and of its answer (B.5).
func TestSpellings(t *testing.T) {
	s, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	cli := map[string]any{
		"name": "cli", "password": testPassword, "description": "d", "packages_all": true,
		"packages_and_scopes_permission": "read-only", "cidr_whitelist": []string{"127.0.0.0/8"},
	}
	api := map[string]any{
		"name": "api", "password": testPassword, "token_description": "d", "packages": []string{"*"},
		"packages_and_scopes_permission": "read-only", "cidr": []string{"127.0.0.0/8"},
	}
	post := func(body map[string]any) answer {
		t.Helper()
		return call(t, "POST", base+"/-/npm/v1/tokens", body, "Authorization", bearer(session), "npm-otp", code(t))
	}
	for _, body := range []map[string]any{cli, api} {
		if a := post(body); a.status != 201 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		got := s.Tokens()[len(s.Tokens())-1]
		if got.Description != "d" || !got.PackagesAll || len(got.CIDR) != 1 {
			t.Errorf("%+v", got)
		}
	}
	set(t, s, `{"body_spelling":"api","duplicate_name_status":0}`)
	if a := post(cli); a.status != 400 {
		t.Errorf("the client's spelling where only the API's counts: %d", a.status)
	}
	set(t, s, `{"body_spelling":"cli"}`)
	if a := post(api); a.status != 400 {
		t.Errorf("the API's spelling where only the client's counts: %d", a.status)
	}
	for spelling, want := range map[string][2]bool{"both": {true, true}, "expires": {true, false}, "expiry": {false, true}} {
		set(t, s, `{"answer_spelling":"`+spelling+`"}`)
		got := post(cli).json(t)
		_, expires := got["expires"]
		_, expiry := got["expiry"]
		if [2]bool{expires, expiry} != want {
			t.Errorf("%s: expires %v, expiry %v", spelling, expires, expiry)
		}
	}
}

// A token that is not what was asked for.
func TestGrant(t *testing.T) {
	s, base := start(t, withTOTP)
	s.AddPackage("mine", false)
	session := couchLogin(t, base, code(t))
	set(t, s, `{"grant_permission":"read-only","grant_days":1,"grant_all":true}`)
	create(t, base, session, code(t), shape("x", "read-write", map[string]any{"packages_all": nil, "packages": []string{"mine"}}))
	got := s.Tokens()[0]
	if got.Permission != "read-only" || !got.PackagesAll || len(got.Packages) != 0 || got.Expiry.Sub(got.Created) > 25*time.Hour {
		t.Fatalf("%+v", got)
	}
}

func TestDuplicateName(t *testing.T) {
	s, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	create(t, base, session, code(t), publishShape("x"))
	set(t, s, `{"duplicate_name_status":409,"duplicate_name_text":"Every token needs a unique name"}`)
	a := call(t, "POST", base+"/-/npm/v1/tokens", publishShape("x"), "Authorization", bearer(session), "npm-otp", code(t))
	if a.status != http.StatusConflict || a.text(t, "error") != "Every token needs a unique name" {
		t.Fatalf("%d %s", a.status, a.body)
	}
}
