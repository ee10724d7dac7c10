package sandbox_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestNpmLoginByWeb(t *testing.T) {
	s, base := start(t, withTOTP)
	n := newNPM(t, base)

	login := n.talk(false, "login")
	address := login.expect(base + "/login?next=/login/cli/")
	p := newPerson(t, base)
	p.open(address)
	p.signIn(s)
	p.sees("Authentication Successful")
	login.ends()

	if got := strings.TrimSpace(n.stdout("whoami")); got != testUser {
		t.Fatalf("npm whoami: %q", got)
	}
	if out := n.stdout("profile", "get"); !strings.Contains(out, "two-factor auth: auth-and-writes") {
		t.Fatal(out)
	}
	if len(s.Tokens()) != 0 {
		t.Fatal("signing in made a granular token")
	}
	session := n.token()
	n.run("logout")
	if got := whoami(t, base, session); got != http.StatusUnauthorized {
		t.Fatalf("after npm logout the session answers %d", got)
	}
}

func TestNpmLoginLegacy(t *testing.T) {
	_, base := start(t, withTOTP)

	t.Run("on a terminal", func(t *testing.T) {
		n := newNPM(t, base)
		login := n.talk(true, "login", "--auth-type=legacy")
		login.expect("Username:")
		login.answer(testUser)
		login.expect("Password:")
		login.answer(testPassword)
		login.expect("Enter OTP:")
		login.answer(code(t))
		login.ends()
		if got := strings.TrimSpace(n.stdout("whoami")); got != testUser {
			t.Fatalf("npm whoami: %q", got)
		}
	})
	t.Run("with --otp, no terminal", func(t *testing.T) {
		n := newNPM(t, base)
		login := n.talk(false, "login", "--auth-type=legacy", "--otp="+code(t))
		login.expect("Username:")
		login.answer(testUser)
		login.expect("Password:")
		login.answer(testPassword)
		login.ends()
		if whoami(t, base, n.token()) != http.StatusOK {
			t.Fatal("the session token is refused")
		}
	})
}

// The client signs in by the second PUT when the first says 409.
func TestNpmLoginLegacyConflict(t *testing.T) {
	s, base := start(t, withTOTP)
	set(t, s, `{"couch_conflict":true}`)
	n := newNPM(t, base)
	login := n.talk(false, "login", "--auth-type=legacy", "--otp="+code(t))
	login.expect("Username:")
	login.answer(testUser)
	login.expect("Password:")
	login.answer(testPassword)
	login.ends()
	if whoami(t, base, n.token()) != http.StatusOK {
		t.Fatal("the session token is refused")
	}
}

// Where web login is not there, the client falls back to the legacy one.
func TestNpmLoginFallsBack(t *testing.T) {
	s, base := start(t, noFactor)
	set(t, s, `{"web_login":"closed"}`)
	n := newNPM(t, base)
	login := n.talk(true, "login")
	login.expect("Username:")
	login.answer(testUser)
	login.expect("Password:")
	login.answer(testPassword)
	login.expect("Enter OTP:")
	mail := s.Mailbox()
	login.answer(mail[len(mail)-1].Code)
	login.ends()
	if whoami(t, base, n.token()) != http.StatusOK {
		t.Fatal("the session token is refused")
	}
}

func TestNpmToken(t *testing.T) {
	s, base := start(t, withTOTP)
	n := newNPM(t, base)
	n.useToken(couchLogin(t, base, code(t)))
	create := []string{
		"token", "create", "--name=first", "--token-description=of a test", "--packages-all",
		"--packages-and-scopes-permission=read-write", "--bypass-2fa", "--expires=90", "--cidr=127.0.0.0/8",
	}

	n.fails(append(create, "--password="+testPassword), "EOTP", "/auth/cli/")
	n.fails(append(create, "--password=wrong-EXAMPLE", "--otp="+code(t)), "E401")

	made := n.talk(false, append(create, "--otp="+code(t))...)
	made.expect("npm password:")
	made.answer(testPassword)
	value, _, _ := strings.Cut(strings.TrimPrefix(made.expect("Created token npm_"), "Created token "), "\n")
	made.ends()
	if whoami(t, base, value) != http.StatusOK {
		t.Fatalf("the new token %.8s… is refused", value)
	}
	made.expect("with IP whitelist: 127.0.0.0/8")
	made.expect("expires: ")

	// On a terminal the client sends the person to authUrl, and goes on.
	byWeb := n.talk(true, "token", "create", "--name=second", "--packages-all", "--packages-and-scopes-permission=read-only", "--password="+testPassword)
	address := byWeb.expect(base + "/auth/cli/")
	p := newPerson(t, base)
	p.open(address)
	p.signIn(s)
	p.submit("login", "otp", code(t))
	p.sees("Authentication Successful")
	byWeb.ends()

	// Eleven tokens make two pages of the listing.
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"} {
		n.run("token", "create", "--name="+name, "--packages-all", "--packages-and-scopes-permission=read-only", "--password="+testPassword, "--otp="+code(t))
	}
	list := n.stdout("token", "list")
	for _, want := range []string{"name first", "name second", value[:8] + "..." + value[36:], "with IP whitelist: 127.0.0.0/8"} {
		if !strings.Contains(list, want) {
			t.Fatalf("npm token list does not say %q:\n%s", want, list)
		}
	}
	if got := strings.Count(list, "Token npm_"); got != 11 {
		t.Fatalf("npm token list shows %d tokens", got)
	}

	first := s.Tokens()[0]
	n.fails([]string{"token", "revoke", first.Key[:8]}, "EOTP")
	n.run("token", "revoke", first.Key[:8], "--otp="+code(t))
	if whoami(t, base, value) != http.StatusUnauthorized {
		t.Fatal("the revoked token is accepted")
	}
	if got := s.Tokens()[0]; got.Revoked == nil || got.Live {
		t.Fatalf("the sandbox's record: %+v", got)
	}
}
