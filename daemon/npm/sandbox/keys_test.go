package sandbox_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rotd/daemon/npm/sandbox"
)

// What a security key must not get away with.
func TestSecurityKeyRefused(t *testing.T) {
	for name, spoil := range map[string]func(k *softKey, options map[string]any){
		"another origin":    func(k *softKey, _ map[string]any) { k.origin = "http://evil.example" },
		"another party":     func(_ *softKey, o map[string]any) { o["rpId"] = "evil.example" },
		"another challenge": func(_ *softKey, o map[string]any) { o["challenge"] = "AAAA" },
		"count going back":  func(k *softKey, _ map[string]any) { k.count = 3 },
		"another credential": func(k *softKey, _ map[string]any) {
			k.key.CredentialID = "AAAA"
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, base := start(t, withKey)
			p := atKeyPage(t, s, base, 10)
			options := p.props()["publicKeyCredentialRequestOptions"].(map[string]any)
			k := newSoftKey(t, s, base)
			spoil(k, options)
			p.postAssertion(k.assertion(options))
			got := answer{status: p.status, body: p.page}.json(t)
			if p.headers.Get("renderername") != "auth/webauthn-login" || got["errorCount"] != 1.0 || got["error"] == "" {
				t.Fatalf("%d %s", p.status, p.page)
			}
			next := got["publicKeyCredentialRequestOptions"].(map[string]any)
			if next["challenge"] == options["challenge"] {
				t.Fatal("the challenge did not change")
			}
		})
	}
}

// atKeyPage brings a person to the security-key page, the key having been used
// count times before.
func atKeyPage(t *testing.T, s *sandbox.Sandbox, base string, count uint32) *person {
	t.Helper()
	p := newPerson(t, base)
	p.open("/login")
	p.submit("login", "username", testUser, "password", testPassword)
	k := newSoftKey(t, s, base)
	k.count = count - 1
	p.postAssertion(k.assertion(p.props()["publicKeyCredentialRequestOptions"].(map[string]any)))
	p.open("/logout")
	p.open("/login")
	p.submit("login", "username", testUser, "password", testPassword)
	return p
}

// An assertion is good once.
func TestAssertionReplay(t *testing.T) {
	s, base := start(t, withKey)
	p := atKeyPage(t, s, base, 1)
	assertion := newSoftKey(t, s, base).assertion(p.props()["publicKeyCredentialRequestOptions"].(map[string]any))
	page, at := p.page, p.at
	p.postAssertion(assertion)
	p.open("/logout")
	p.open("/login")
	p.submit("login", "username", testUser, "password", testPassword)
	p.page, p.at = page, at
	p.postAssertion(assertion)
	if p.headers.Get("renderername") != "auth/webauthn-login" {
		t.Fatalf("a replayed assertion: %d %s", p.status, p.page)
	}
}

// A state file of the time when an account had one key, and its key's handle.
func TestOldKeyState(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	cfg := withKey
	cfg.StateFile = file
	s, _ := start(t, cfg)
	want, _ := s.SecurityKey()

	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var state map[string]any
	if err := json.Unmarshal(b, &state); err != nil {
		t.Fatal(err)
	}
	key := state["security_keys"].([]any)[0].(map[string]any)
	state["security_key"] = map[string]any{
		"credential_id": key["credential_id"], "private_key": key["private_key"], "sign_count": 5, "user_handle": state["user_handle"],
	}
	delete(state, "security_keys")
	delete(state, "user_handle")
	if b, err = json.Marshal(state); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}

	s, base := start(t, cfg)
	got, _ := s.SecurityKey()
	if want.SignCount = 5; got.CredentialID != want.CredentialID || got.UserHandle != want.UserHandle || got.PrivateKey.Reveal() != want.PrivateKey.Reveal() || got.SignCount != 5 {
		t.Fatal("the key is another one")
	}
	signedIn(t, s, base) // with that key
	if b, err = os.ReadFile(file); err != nil || strings.Contains(string(b), `"security_key":`) {
		t.Fatalf("the old field stays: %v", err)
	}
}

// A key that was removed does not come back, and its account goes without.
func TestRemovedKeyStaysAway(t *testing.T) {
	cfg := withKey
	cfg.StateFile = filepath.Join(t.TempDir(), "state")
	s, base := start(t, cfg)
	p := signedIn(t, s, base)
	p.open("/settings/ada/tfa/list")
	p.useInPlace(s)
	id := p.props()["devices"].([]any)[0].(map[string]any)["id"]
	p.spiferack("POST", "/settings/ada/tfa/remove", map[string]any{"csrftoken": p.csrf(), "id": id})
	if len(s.SecurityKeys()) != 0 {
		t.Fatal(p.page)
	}
	s, base = start(t, cfg)
	if _, ok := s.SecurityKey(); ok {
		t.Fatal("it came back")
	}
	p = newPerson(t, base)
	p.open("/login")
	p.submit("login", "username", testUser, "password", testPassword)
	if p.at.Path != "/login/email-otp" {
		t.Fatalf("without a key at %s", p.at)
	}
}

// Nothing is added or removed without the check, or with another challenge.
func TestKeySettingsGuarded(t *testing.T) {
	s, base := start(t, withKey)
	p := signedIn(t, s, base)
	before := s.SecurityKeys()
	for _, path := range []string{"/webauthn", "/remove"} {
		a := p.spiferack("POST", "/settings/ada/tfa"+path, map[string]any{"csrftoken": p.csrf(), "name": "x", "id": before[0].ID})
		if a.json(t)["x-spiferack-redirect"] != true || a.header.Get("Location") != "/settings/ada/tfa/list" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	p.open("/settings/ada/tfa/list")
	if p.renderer() != "auth/escalate" {
		t.Fatalf("no check: %s", p.renderer())
	}
	p.useInPlace(s)
	options := p.props()["publicKeyCredentialCreationOptions"].(map[string]any)
	if options["rp"].(map[string]any)["id"] != "localhost" || options["attestation"] != "none" || len(options["excludeCredentials"].([]any)) != 1 {
		t.Fatalf("%v", options)
	}
	for name, body := range map[string]map[string]any{
		"no name":        {"name": " ", "webAuthnAttestation": map[string]any{}},
		"a name twice":   {"name": before[0].Name, "webAuthnAttestation": map[string]any{}},
		"no key":         {"name": "x", "webAuthnAttestation": map[string]any{}},
		"an assertion":   {"name": "x", "webAuthnAttestation": newSoftKey(t, s, base).assertion(map[string]any{"challenge": options["challenge"], "rpId": "localhost"})},
		"nothing at all": {},
	} {
		body["csrftoken"] = p.csrf()
		a := p.spiferack("POST", "/settings/ada/tfa/webauthn", body)
		if notices, _ := a.json(t)["notifications"].([]any); a.status != 200 || len(notices) == 0 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if diff := cmp.Diff(before, s.SecurityKeys(), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".SignCount" }, cmp.Ignore())); diff != "" {
		t.Fatal(diff)
	}
}

// The security key's page under another name, and a locked account.
func TestLoginUnknowns(t *testing.T) {
	s, base := start(t, withBoth)
	set(t, s, `{"key_login_page":"security-key","recovery_code_url":"/elsewhere"}`)
	p := newPerson(t, base)
	p.open("/login")
	p.submit("login", "username", testUser, "password", testPassword)
	if p.at.Path != "/login/security-key" {
		t.Fatalf("at %s", p.at)
	}
	p.sees(`href="/elsewhere"`)
	p.useKey(s)
	if p.at.Path != "/" {
		t.Fatalf("at %s", p.at)
	}
	if p.open("/login/webauthn"); p.status != 404 {
		t.Fatalf("the page by its old name: %d", p.status)
	}
	set(t, s, `{"page_locked_text":"Your account is locked."}`)
	p.open("/logout")
	p.open("/login")
	p.submit("login", "username", testUser, "password", testPassword)
	p.sees(`role="alert">Your account is locked.</p>`)
	for _, bad := range []string{`{"key_login_page":"a/b"}`, `{"key_login_page":""}`, `{"form_generation":3}`, `{"bot_challenge_chance":2}`,
		`{"settings_escalation_pages":["all"]}`, `{"escalation":["sms"]}`, `{"bypass_box":"gone"}`} {
		if err := s.Set(bad); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
