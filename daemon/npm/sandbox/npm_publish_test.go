package sandbox_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func shape(name, permission string, more map[string]any) map[string]any {
	body := map[string]any{
		"name": name, "password": testPassword, "packages_all": true, "packages_and_scopes_permission": permission,
	}
	for k, v := range more {
		if body[k] = v; v == nil {
			delete(body, k)
		}
	}
	return body
}

func TestNpmPublish(t *testing.T) {
	s, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	s.AddPackage("mine", false)
	token := func(name, permission string, more map[string]any) string {
		return create(t, base, session, code(t), shape(name, permission, more))
	}
	bypass := token("bypass", "read-write", map[string]any{"bypass_2fa": true})
	publish := func(token, name, version string) (*npm, []string) {
		return newNPM(t, base).in(project(t, name, version)).useToken(token), []string{"publish"}
	}

	t.Run("bypass", func(t *testing.T) {
		n, args := publish(bypass, "plain", "1.0.0")
		if out := n.run(args...); !strings.Contains(out, "+ plain@1.0.0") {
			t.Fatal(out)
		}
		n.fails(args, "previously published versions")
	})
	t.Run("session", func(t *testing.T) {
		n, args := publish(session, "plain", "1.1.0")
		n.fails(args, "EOTP", "/auth/cli/")
		n.run(append(args, "--otp="+code(t))...)
	})
	t.Run("read-write without bypass", func(t *testing.T) {
		n, args := publish(token("rw", "read-write", nil), "plain", "1.2.0")
		n.fails(args, "EOTP")
		n.fails(append(args, "--otp=000000"), "EOTP")
		n.run(append(args, "--otp="+code(t))...)
		set(t, s, `{"publish_without_bypass":"forbidden"}`)
		defer set(t, s, `{"publish_without_bypass":"otp"}`)
		n, args = publish(token("rw2", "read-write", nil), "plain", "1.2.1")
		n.fails(args, "E403", "Two-factor authentication or granular access token with bypass 2fa enabled is required to publish packages.")
	})
	t.Run("read-only", func(t *testing.T) {
		n, args := publish(token("ro", "read-only", nil), "plain", "1.3.0")
		n.fails(args, "E403", "You may not perform that action with these credentials.")
	})
	t.Run("stage-only", func(t *testing.T) {
		n, args := publish(token("st", "read-write-stage-only", map[string]any{"bypass_2fa": true}), "plain", "1.3.0")
		n.fails(args, "E403", "E_STAGE_REQUIRED")
	})
	t.Run("another package", func(t *testing.T) {
		only := token("only", "read-write", map[string]any{"packages_all": nil, "packages": []string{"mine"}, "bypass_2fa": true})
		n, args := publish(only, "plain", "1.3.0")
		n.fails(args, "E403")
		n, args = publish(only, "mine", "1.0.0")
		n.run(args...)
	})
	t.Run("a scope", func(t *testing.T) {
		scoped := token("scoped", "read-write", map[string]any{"packages_all": nil, "scopes": []string{"@acme"}, "bypass_2fa": true})
		n, args := publish(scoped, "plain", "1.3.0")
		n.fails(args, "E403")
		n, args = publish(scoped, "@acme/new", "1.0.0")
		n.run(args...)
		n, args = publish(bypass, "@strangers/new", "1.0.0")
		n.fails(args, "E404", "Scope not found")
	})
	t.Run("January 2027", func(t *testing.T) {
		set(t, s, `{"january_2027":true}`)
		defer set(t, s, `{"january_2027":false}`)
		n, args := publish(bypass, "plain", "1.3.0")
		n.fails(args, "E403", "npm stage publish")
		n, args = publish(session, "plain", "1.3.0")
		n.run(append(args, "--otp="+code(t))...)
	})
	t.Run("dead token", func(t *testing.T) {
		n, args := publish("npm_000000000000000000000000000000000000", "plain", "1.4.0")
		n.fails(args, "E404", "Access token expired or revoked. Please try logging in again.")
		n.fails([]string{"whoami"}, "E401")
	})
	t.Run("wrong address", func(t *testing.T) {
		n, args := publish(token("far", "read-write", map[string]any{"bypass_2fa": true, "cidr": []string{"10.0.0.0/8"}}), "plain", "1.4.0")
		n.fails(args, "EAUTHIP")
	})
	t.Run("frozen", func(t *testing.T) {
		set(t, s, `{"high_impact_freeze":true}`)
		defer set(t, s, `{"high_impact_freeze":false}`)
		n, args := publish(bypass, "plain", "1.4.0")
		n.fails(args, "E403", "read-only")
	})
	t.Run("dist-tag and deprecate", func(t *testing.T) {
		stage := token("tags", "read-write-stage-only", map[string]any{"bypass_2fa": true})
		n := newNPM(t, base).useToken(stage)
		n.run("dist-tag", "add", "plain@1.0.0", "old")
		if out := n.stdout("dist-tag", "ls", "plain"); !strings.Contains(out, "old: 1.0.0") || !strings.Contains(out, "latest: 1.3.0") {
			t.Fatal(out)
		}
		n.run("dist-tag", "rm", "plain", "old")
		n.run("deprecate", "plain@1.0.0", "too old")
		if out := n.stdout("view", "plain@1.0.0", "deprecated"); !strings.Contains(out, "too old") {
			t.Fatal(out)
		}
	})
	t.Run("bypass may not manage", func(t *testing.T) {
		n := newNPM(t, base).useToken(bypass)
		args := []string{"token", "create", "--name=no", "--packages-all", "--packages-and-scopes-permission=read-only", "--password=" + testPassword, "--otp=" + code(t)}
		n.fails(args, "E403", "Granular access tokens that bypass two-factor authentication may not perform this action.")
		n.fails([]string{"unpublish", "plain@1.0.0", "--force"}, "E403")
		n.fails([]string{"access", "set", "status=private", "@acme/new"}, "E403")
	})
}

func TestNpmPublishWithoutFactor(t *testing.T) {
	s, base := start(t, noFactor)
	couchPut(t, base, testUser, testPassword) // mails a code
	mail := s.Mailbox()
	session := couchLogin(t, base, mail[len(mail)-1].Code)
	n := newNPM(t, base).in(project(t, "plain", "1.0.0")).useToken(session)
	n.fails([]string{"publish"}, "E403", "Two-factor authentication or granular access token with bypass 2fa enabled is required")
}

func TestNpmInstall(t *testing.T) {
	_, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	for _, name := range []string{"open", "@acme/private", "@acme/other"} {
		newNPM(t, base).in(project(t, name, "1.2.3")).useToken(session).run("publish", "--otp="+code(t))
	}
	newNPM(t, base).in(project(t, "@acme/open", "1.2.3")).useToken(session).run("publish", "--access=public", "--otp="+code(t))

	install := func(t *testing.T, token string, names ...string) string {
		t.Helper()
		n := newNPM(t, base).in(project(t, "consumer", "0.0.1"))
		if token != "" {
			n.useToken(token)
		}
		n.run(append([]string{"install"}, names...)...)
		for _, name := range names {
			b, err := os.ReadFile(filepath.Join(n.dir, "node_modules", name, "index.js"))
			if err != nil || !strings.Contains(string(b), "of "+name) {
				t.Fatalf("%s was not installed: %v", name, err)
			}
		}
		return n.dir
	}
	dir := install(t, "", "open", "@acme/open")
	checkLock(t, base, filepath.Join(dir, "package-lock.json"))

	one := create(t, base, session, code(t), shape("one", "read-only", map[string]any{"packages_all": nil, "packages": []string{"@acme/private"}}))
	scope := create(t, base, session, code(t), shape("scope", "read-only", map[string]any{"packages_all": nil, "scopes": []string{"@acme"}}))
	install(t, session, "@acme/private")
	install(t, one, "@acme/private", "open")
	install(t, scope, "@acme/private", "@acme/other")

	consumer := newNPM(t, base).in(project(t, "consumer", "0.0.1"))
	consumer.fails([]string{"install", "@acme/private"}, "E404")
	consumer.useToken(one).fails([]string{"install", "@acme/other"}, "E404")
	orgs := create(t, base, session, code(t), shape("orgs", "", map[string]any{
		"packages_all": nil, "packages_and_scopes_permission": nil, "orgs": []string{"acme"}, "orgs_permission": "read-write",
	}))
	consumer.useToken(orgs).fails([]string{"install", "@acme/private"}, "E404")
}

// checkLock: npm keeps where a tarball came from and its integrity.
func checkLock(t *testing.T, base, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct{ Resolved, Integrity string }
	}
	if err := json.Unmarshal(b, &lock); err != nil {
		t.Fatal(err)
	}
	got := lock.Packages["node_modules/@acme/open"]
	if got.Resolved != base+"/@acme/open/-/open-1.2.3.tgz" || !strings.HasPrefix(got.Integrity, "sha512-") {
		t.Fatalf("in the lock file: %+v", got)
	}
}

func TestNpmStage(t *testing.T) {
	s, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	s.AddPackage("@acme/tool", true)
	stageOnly := create(t, base, session, code(t), shape("ci", "read-write-stage-only", map[string]any{"expires": 90}))
	ci := newNPM(t, base).in(project(t, "@acme/tool", "2.0.0")).useToken(stageOnly)
	maintainer := newNPM(t, base).useToken(session)

	if out := ci.run("stage", "publish"); !strings.Contains(out, "+ @acme/tool@2.0.0 (staged with id ") {
		t.Fatal(out)
	}
	ci.fails([]string{"stage", "publish"}, "E409")
	var staged []struct{ ID, PackageName, Version, Status string }
	if err := json.Unmarshal([]byte(maintainer.stdout("stage", "list", "--json")), &staged); err != nil {
		t.Fatal(err)
	}
	if len(staged) != 1 || staged[0].PackageName != "@acme/tool" || staged[0].Version != "2.0.0" {
		t.Fatalf("staged: %+v", staged)
	}
	id := staged[0].ID
	if out := ci.stdout("stage", "list", "@acme/tool"); !strings.Contains(out, "staged by: ada (token)") {
		t.Fatal(out)
	}
	if out := maintainer.stdout("stage", "view", id); !strings.Contains(out, "version: 2.0.0") {
		t.Fatal(out)
	}
	maintainer.run("stage", "download", id)
	maintainer.fails([]string{"view", "@acme/tool@2.0.0", "version"}, "E404")

	ci.fails([]string{"stage", "approve", id}, "EOTP")
	maintainer.fails([]string{"stage", "approve", id}, "EOTP", "/auth/cli/")
	maintainer.run("stage", "approve", id, "--otp="+code(t))
	if out := maintainer.stdout("view", "@acme/tool", "version"); strings.TrimSpace(out) != "2.0.0" {
		t.Fatal(out)
	}
	if out := maintainer.stdout("stage", "list"); !strings.Contains(out, "No staged packages found.") {
		t.Fatal(out)
	}

	ci.in(project(t, "@acme/tool", "2.1.0")).run("stage", "publish")
	if err := json.Unmarshal([]byte(maintainer.stdout("stage", "list", "--json")), &staged); err != nil {
		t.Fatal(err)
	}
	maintainer.run("stage", "reject", staged[0].ID, "--otp="+code(t))
	maintainer.fails([]string{"stage", "approve", staged[0].ID, "--otp=" + code(t)}, "E404")

	// A package that was never published cannot be staged.
	unborn := ci.in(project(t, "@acme/unborn", "1.0.0"))
	unborn.fails([]string{"stage", "publish"}, "E404")
	set(t, s, `{"stage_new_packages":true}`)
	unborn.run("stage", "publish")
}
