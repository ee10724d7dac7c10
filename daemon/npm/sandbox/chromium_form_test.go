package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"rotd/daemon/browser"
	"rotd/daemon/npm/sandbox"
	"rotd/ipc/secret"
)

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

// fillShort makes a token for one package, by roles, names and field names.
func (u *surfer) fillShort(name string) {
	u.t.Helper()
	u.fill("Token name", name)
	u.must(u.Click(u.ctx, browser.Control{Role: "radio", Name: "Read only", Field: "packagesAndScopesPermission"}))
	u.click("radio", "All packages")
}

// What the form says and does while it is filled in (A.7.1).
func TestChromiumFormBehaves(t *testing.T) {
	s, base := start(t, withTOTP)
	u := newSurfer(t, s, base)
	u.signIn()
	u.open(formPath)

	// A script's value without an event is not the form's.
	u.run(`document.querySelector("#create-gat_tokenName").value = "by script"; document.querySelector("#create-gat_tokenName").dispatchEvent(new Event("input", {bubbles: true}))`)
	u.click("button", "Generate token")
	u.sees("Token name cannot be empty", "Please select at least one: package, scope here or organization below.",
		"Please select at least one: organization here or package, scope above.")
	if disabled := u.read(`String(document.querySelector("[data-generate]").disabled)`); disabled != "true" {
		t.Fatal("a form marked invalid can be sent")
	}
	u.fill("Token name", strings.Repeat("n", 41))
	u.must(u.Click(u.ctx, browser.Control{Role: "radio", Name: "Read only", Field: "packagesAndScopesPermission"}))
	u.click("button", "Generate token")
	u.sees("Token name is too long (maximum is 40 characters)", "You must select at least one package or scope.")
	u.fill("Token name", "custom")
	u.click("radio", "All packages")

	// The expiration follows the permission.
	u.click("DisclosureTriangle", "Expiration Date : 30 days")
	u.click("menuitemradio", "90 days")
	u.must(u.Click(u.ctx, browser.Control{Role: "radio", Name: "Read and write (stage only)", Field: "packagesAndScopesPermission"}))
	u.sees("Tokens with write access will expire in 7 days by default (90 days maximum)", "7 days")
	u.must(u.Click(u.ctx, browser.Control{Role: "radio", Name: "Read only", Field: "packagesAndScopesPermission"}))
	u.click("DisclosureTriangle", "Expiration Date : 30 days")
	u.click("menuitemradio", "Custom...")
	date := func(days int) string { return time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly) }
	set := func(value string) {
		t.Helper()
		u.run(`const e = document.querySelector("[name=expirationDateInput]");
			Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(e, "` + value + `");
			e.dispatchEvent(new Event("input", {bubbles: true}))`)
	}
	limits := `(e => e.min + " " + e.max)(document.querySelector("[name=expirationDateInput]"))`
	if got := u.read(limits); got != date(1)+" " {
		t.Fatalf("the limits of the date are %q", got)
	}
	set(date(-1))
	u.click("button", "Generate token")
	u.sees("Invalid expiration value. Must be at least one day in the future.")
	set(date(200))
	u.must(u.Click(u.ctx, browser.Control{Role: "radio", Name: "Read and write (publish and stage)", Field: "packagesAndScopesPermission"}))
	u.click("DisclosureTriangle", "Expiration Date : 7 days")
	u.click("menuitemradio", "Custom...")
	if got := u.read(limits); got != date(1)+" "+date(90) {
		t.Fatalf("the limits of the date are %q", got)
	}
	u.click("button", "Generate token")
	u.sees("Invalid expiration value. Read-write tokens can only be valid for up to 90 days.")
	set(date(45))
	u.click("button", "Generate token")
	u.shownToken()
	made := s.Tokens()[0]
	if days := made.Expiry.Sub(made.Created).Hours() / 24; days != 45 {
		t.Fatalf("it lives %v days", days)
	}
}

// IP ranges come and go; the server's errors stand at their fields.
func TestChromiumRangesAndErrors(t *testing.T) {
	s, base := start(t, withTOTP)
	u := newSurfer(t, s, base)
	u.signIn()
	u.open(formPath)
	u.click("button", "Add IP Range")
	u.sees("Please provide an IP address range before adding a new one.")
	u.fill("Input Range 1", "10.0.0.1")
	u.click("button", "Add IP Range")
	u.sees("One or more fields contains an invalid CIDR entry.")
	for i, r := range []string{"10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8"} {
		u.fill("Input Range "+string(rune('1'+i)), r)
		if i < 2 {
			u.click("button", "Add IP Range")
		}
	}
	u.click("button", "Remove: Allowed IP range 2")
	u.fillShort("a/b")
	u.click("button", "Generate token")
	u.sees("Token name can only contain letters, numbers, underscores, dashes, and spaces.", "Token generation failed. Please review any errors and try again.")
	u.fill("Token name", "ranges")
	u.click("button", "Generate token")
	u.shownToken()
	if got := strings.Join(s.Tokens()[0].CIDR, " "); got != "10.0.0.0/8 12.0.0.0/8" {
		t.Fatalf("the ranges are %s", got)
	}
}

// Chosen names are let go by their ×, and the fifty-first is not taken.
func TestChromiumPicker(t *testing.T) {
	s, base := start(t, withTOTP)
	for i := range 51 {
		s.AddPackage("p"+string(rune('a'+i/26))+string(rune('a'+i%26)), false)
	}
	u := newSurfer(t, s, base)
	u.signIn()
	u.open(formPath)
	u.fillShort("fifty")
	u.click("radio", "Only select packages and scopes")
	u.run(`document.querySelectorAll("[data-pick-package]").forEach(b => b.click())`)
	u.sees("Select at least one. Max 50.")
	if got := u.read(`String(document.querySelectorAll("[data-chosen] li").length)`); got != "50" {
		t.Fatalf("%s are chosen", got)
	}
	u.run(`[...document.querySelectorAll("[data-chosen] button[aria-label=Cancel]")].slice(0, 49).forEach(() => document.querySelector("[data-chosen] button").click())`)
	u.click("button", "Cancel")
	u.click("button", "Generate token")
	u.sees("You must select at least one package or scope.")
	u.click("DisclosureTriangle", "Select packages and scopes")
	u.click("button", "pab")
	u.click("button", "Generate token")
	u.shownToken()
	if got := s.Tokens()[0].Packages; len(got) != 1 || got[0] != "pab" {
		t.Fatalf("%v", got)
	}
}

// A box that is not there, cannot be used, or is there for who has 2FA.
func TestChromiumBypassBox(t *testing.T) {
	s, base := start(t, withTOTP)
	u := newSurfer(t, s, base)
	u.signIn()
	box := browser.Control{Role: "checkbox", Name: "Bypass two-factor authentication (2FA)"}
	for _, c := range []struct {
		how            string
		found, enabled bool
	}{{"shown", true, true}, {"factor", true, true}, {"label", true, true}, {"disabled", true, false}, {"missing", false, false}} {
		if err := s.Set(`{"bypass_box":"` + c.how + `"}`); err != nil {
			t.Fatal(err)
		}
		u.open(formPath)
		u.sees("Generate token")
		found, enabled, err := u.Enabled(u.ctx, box)
		if err != nil || found != c.found || enabled != c.enabled {
			t.Errorf("%s: found %t, enabled %t, %v", c.how, found, enabled, err)
		}
	}
}
