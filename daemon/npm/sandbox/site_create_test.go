package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What npm's form refuses, in npm's words, and where (A.7.1).
func TestTokenFormErrors(t *testing.T) {
	s, base := start(t, withTOTP)
	s.AddPackage("mine", false)
	p := signedIn(t, s, base)
	if p.createByForm(p.plaidForm("taken")).json(t)["newToken"] == nil {
		t.Fatal(p.page)
	}
	many := make([]string, 51)
	for i := range many {
		many[i] = fmt.Sprintf("p%d", i)
	}
	type change = map[string]any
	some := func(packages ...string) change {
		return change{"selectedPackagesAndScopes": "packagesAndScopesSome", "selectedPackages": packages}
	}
	for name, c := range map[string]struct {
		change      change
		field, want string
	}{
		"no name":            {change{"tokenName": " "}, "tokenName", "Token name cannot be empty"},
		"long name":          {change{"tokenName": strings.Repeat("n", 41)}, "tokenName", "Token name is too long (maximum is 40 characters)"},
		"letters":            {change{"tokenName": "a/b"}, "tokenName", "Token name can only contain letters, numbers, underscores, dashes, and spaces."},
		"duplicate":          {change{"tokenName": "taken"}, "tokenName", "Every token needs a unique name"},
		"long description":   {change{"tokenDescription": strings.Repeat("d", 121)}, "tokenDescription", "Token description is too long (maximum is 120 characters)"},
		"no days":            {change{"expirationDays": "0"}, "expirationDays", "Invalid expiration value. Must be at least one day in the future."},
		"days that are none": {change{"expirationDays": "NaN"}, "expirationDays", "Invalid expiration value. Must be at least one day in the future."},
		"too many days":      {change{"expirationDays": "91"}, "expirationDays", "Invalid expiration value. Read-write tokens can only be valid for up to 90 days."},
		"too many, staging":  {change{"expirationDays": "91", "packagesAndScopesPermission": "Read and write (stage only)"}, "expirationDays", "Invalid expiration value. Read-write tokens can only be valid for up to 90 days."},
		"IPv6":               {change{"allowedIPRanges": []string{"::1/128"}}, "allowedIPRanges", "One or more fields contains an invalid CIDR entry."},
		"no package":         {some(), "packagesAndScopes", "You must select at least one package or scope."},
		"nothing chosen":     {change{"selectedPackagesAndScopes": ""}, "packagesAndScopes", "You must select at least one package or scope."},
		"no organization":    {change{"orgsPermission": "Read only"}, "orgs", "You must select at least one organization if granting organization permissions to this token."},
		"nothing at all":     {change{"packagesAndScopesPermission": "No access"}, "", "You must give this token access to at least one package, scope, or organization."},
		"no such permission": {change{"packagesAndScopesPermission": "read-write"}, "packagesAndScopes", "Invalid permission."},
		"unknown package":    {some("nobodys"), "", "Package nobodys does not exist or you do not have access to it."},
		"51":                 {some(many...), "packagesAndScopes", "Select at least one. Max 50."},
		"staging orgs":       {change{"orgsPermission": "Read and write (stage only)", "selectedOrgs": []string{"acme"}}, "orgs", "Invalid permission."},
	} {
		t.Run(name, func(t *testing.T) {
			form := p.plaidForm("new")
			for k, v := range c.change {
				form[k] = v
			}
			a := p.createByForm(form)
			got := a.json(t)
			errs, _ := got["formData"].(map[string]any)["errors"].(map[string]any)
			if a.status != 200 || got["newToken"] != nil || errs[c.field] != c.want || a.header.Get("renderername") != "tokens/gat/create" {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if !strings.Contains(a.body, "Token generation failed. Please review any errors and try again.") {
				t.Fatal("no banner")
			}
		})
	}
	set(t, s, `{"page_duplicate_name_text":"Duplicate token names are not allowed","page_error_status":422}`)
	if a := p.createByForm(p.plaidForm("taken")); a.status != 422 || !strings.Contains(a.body, "Duplicate token names are not allowed") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	set(t, s, `{"duplicate_name_status":0,"high_impact_freeze":true}`)
	if a := p.createByForm(p.plaidForm("taken")); a.json(t)["newToken"] != nil {
		t.Fatal("a frozen account made a token")
	}
	set(t, s, `{"high_impact_freeze":false}`)
	if a := p.createByForm(p.plaidForm("taken")); a.json(t)["newToken"] == nil {
		t.Fatal(a.body)
	}
}

// What is asked for arrives, stage-only in either spelling, and a server that
// grants something else.
func TestTokenFormGrants(t *testing.T) {
	s, base := start(t, withTOTP)
	s.AddPackage("@acme/mine", false)
	p := signedIn(t, s, base)
	for i, word := range []string{"Read and write (stage only)", "read-write-stage-only"} {
		set(t, s, `{"page_stage_only_value":"`+word+`"}`)
		form := p.plaidForm(fmt.Sprint("stage ", i))
		form["packagesAndScopesPermission"], form["selectedPackagesAndScopes"] = word, "packagesAndScopesSome"
		form["selectedPackages"], form["expirationDays"] = []string{"@acme/mine"}, "90"
		if a := p.createByForm(form); a.json(t)["newToken"] == nil {
			t.Fatal(a.body)
		}
		if got := s.Tokens()[i]; got.Permission != "read-write-stage-only" || got.PackagesAll || got.Packages[0] != "@acme/mine" {
			t.Fatalf("%+v", got)
		}
	}
	set(t, s, `{"grant_days":1,"grant_permission":"read-only"}`)
	p.createByForm(p.plaidForm("less"))
	if got := s.Tokens()[2]; got.Permission != "read-only" || got.Expiry.Sub(got.Created) != 24*time.Hour {
		t.Fatalf("%+v", got)
	}
	set(t, s, `{"token_details_more":true}`)
	details := p.spiferack("GET", tokensPath+"/granular-access-tokens/"+s.Tokens()[0].Key, nil).json(t)["tokenDetails"].(map[string]any)
	if details["orgsPermission"] != "No access" || details["bypass2FA"] != false {
		t.Fatalf("%v", details)
	}
}

// Who is signed out, somebody else, or without the csrf token.
func TestSettingsRefused(t *testing.T) {
	s, base := start(t, withTOTP)
	for _, path := range []string{tokensPath, formPath, "/settings/~/tokens", "/settings/ada/tfa", "/settings/ada/tfa/list"} {
		p := newPerson(t, base)
		if p.open(path + "?x=1"); p.at.Path != "/login" || p.at.Query().Get("next") != path+"?x=1" {
			t.Errorf("%s: at %s", path, p.at)
		}
		if a := p.spiferack("GET", path, nil); a.status != 200 || a.body != `{"context":{"title":"Sign in to npm"},"user":null}` {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	p := signedIn(t, s, base)
	if p.open("/settings/~/tokens?page=0"); p.at.RequestURI() != tokensPath+"?page=0" {
		t.Fatalf("~ leads to %s", p.at)
	}
	for _, path := range []string{"/settings/bob/tokens", "/settings/ada/tokens/granular-access-tokens/00000000-0000-4000-8000-000000000000"} {
		if a := p.spiferack("GET", path, nil); a.status != 404 || a.body != `{"message":"Route not found!","user":{"name":"ada"}}` {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for _, path := range []string{"/new-gat", "/delete"} {
		form := p.plaidForm("x")
		form["csrftoken"] = "guess"
		if a := p.spiferack("POST", tokensPath+path, form); a.status != 403 || len(s.Tokens()) != 0 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	set(t, s, `{"web_session_idle":120}`)
	s.Advance(119 * time.Second)
	if p.open(tokensPath); p.at.Path != tokensPath {
		t.Fatalf("too early at %s", p.at)
	}
	s.Advance(121 * time.Second)
	if p.open(tokensPath); p.at.Path != "/login" {
		t.Fatalf("a session that was left alone leads to %s", p.at)
	}
}

// The list goes on behind its tenth token, newest first.
func TestTokensListPages(t *testing.T) {
	s, base := start(t, withTOTP)
	p := signedIn(t, s, base)
	for i := range 12 {
		p.createByForm(p.plaidForm(fmt.Sprint("t", i)))
	}
	p.open(tokensPath)
	p.sees(">t11</a>", ">t2</a>", `<a href="/settings/ada/tokens?page=1&amp;perPage=10" rel="next">`)
	if strings.Contains(p.page, ">t1</a>") || strings.Contains(p.page, "rel=\"prev\"") {
		t.Fatal("the first page holds too much")
	}
	list := p.props()["list"].(map[string]any)
	p.open(list["urls"].(map[string]any)["next"].(string))
	p.sees(">t1</a>", ">t0</a>", `rel="prev"`)

	keys := []string{s.Tokens()[0].Key, s.Tokens()[1].Key}
	for name, tokens := range map[string]any{"unknown": "00000000-0000-4000-8000-000000000000", "no key": "x", "one of two": []string{keys[0], "x"}} {
		if a := p.spiferack("POST", tokensPath+"/delete", map[string]any{"csrftoken": p.csrf(), "tokens": tokens}); !strings.Contains(a.body, "could not be deleted") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if s.Tokens()[0].Revoked != nil {
		t.Fatal("half of a wrong deletion was done")
	}
	set(t, s, `{"delete_lies":true}`)
	p.spiferack("POST", tokensPath+"/delete", map[string]any{"csrftoken": p.csrf(), "tokens": keys})
	if s.Tokens()[0].Revoked != nil {
		t.Fatal("a lie came true")
	}
	set(t, s, `{"delete_lies":false}`)
	p.spiferack("POST", tokensPath+"/delete", map[string]any{"csrftoken": p.csrf(), "tokens": keys})
	if s.Tokens()[0].Revoked == nil || s.Tokens()[1].Revoked == nil {
		t.Fatal("two at once were not deleted")
	}
}
