package npm

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/store"
)

func TestComparison(t *testing.T) {
	created := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	narrow := store.Shape{Packages: []string{"a", "@acme/b"}, Scopes: []string{"@acme"}, Permission: ipc.PermissionRead}
	org := store.Shape{Orgs: []string{"acme"}, OrgsPerm: ipc.PermissionRead}
	cidr := store.Shape{PackagesAll: true, Permission: ipc.PermissionRead, CIDR: []string{"10.1.0.0/16", "192.0.2.7"}}
	stage := store.Shape{PackagesAll: true, Permission: ipc.PermissionStage}
	for _, c := range []struct {
		name string
		told string
		want store.Shape
		diff string // empty: none
	}{
		{"nothing told", `{}`, publish, ""},
		{"nulls", `{"permissions":null,"scopes":null,"bypass_2fa":null,"name":null}`, publish, ""},
		{"strange types", `{"permissions":"x","scopes":7,"bypass_2fa":"yes","name":{},"expiry":[]}`, publish, ""},
		{"as asked", `{"name":"t","permissions":[{"name":"package","action":"write"}],"scopes":[{"type":"package","name":"*"}],"bypass_2fa":true,"expiry":"2027-01-30T12:00:00Z","cidr":null}`, publish, ""},
		{"all without scopes", `{"permissions":[{"name":"package","action":"write"}],"scopes":[]}`, publish, ""},
		{"another name", `{"name":"u"}`, publish, "name: asked t, got u"},
		{"stage shows as write", `{"permissions":[{"name":"package","action":"write"}]}`, stage, ""},
		{"stage in full", `{"packages_and_scopes_permission":"read-write-stage-only"}`, stage, ""},
		{"stage became read", `{"permissions":[{"name":"package","action":"read"}]}`, stage, "permission"},
		{"stage became direct", `{"packages_and_scopes_permission":"read-write"}`, stage, "permission: asked read-write-stage-only, got read-write"},
		{"write became stage", `{"packages_and_scopes_permission":"read-write-stage-only"}`, publish, "permission: asked read-write"},
		{"both actions", `{"permissions":[{"name":"package","action":"read"},{"name":"package","action":"write"}]}`, install, "permission: asked read-only, got read-write"},
		{"scope written", `{"permissions":[{"name":"package","action":"read"},{"name":"scope","action":"write"}]}`, install, "permission: asked read-only, got read-write"},
		{"no permission", `{"permissions":[]}`, install, "permission: asked read-only, got no-access"},
		{"orgs unasked", `{"permissions":[{"name":"package","action":"read"},{"name":"org","action":"write"}]}`, install, "orgs permission: asked no-access, got read-write"},
		{"default", `{"permissions":[{"name":"package","action":"read"}]}`, store.Shape{PackagesAll: true}, ""},
		{"default became write", `{"permissions":[{"name":"package","action":"write"}]}`, store.Shape{PackagesAll: true}, "permission"},
		{"classic readonly", `{"readonly":true}`, install, ""},
		{"classic without packages", `{"readonly":true}`, narrow, "packages and scopes: asked @acme, @acme/b, a, and the registry tells of no such limit"},
		{"classic without stages", `{"readonly":false}`, stage, "permission: asked read-write-stage-only, and the registry tells of no such limit"},
		{"classic without orgs", `{"readonly":true}`, org, "orgs: asked acme, and the registry"},
		{"nothing told of addresses", `{"readonly":true}`, cidr, "CIDR ranges: asked 10.1.0.0/16, 192.0.2.7/32, and the registry"},
		{"classic writes", `{"readonly":false}`, install, "permission: asked read-only, got read-write"},
		{"readonly beside permissions", `{"readonly":false,"permissions":[{"name":"package","action":"read"}]}`, install, ""},
		{"narrowed", `{"scopes":[{"type":"package","name":"a"}]}`, publish, "packages: asked all, got a"},
		{"as narrow as asked", `{"scopes":[{"type":"package","name":"@acme/b"},{"type":"scope","name":"acme"},{"type":"package","name":"a"}]}`, narrow, ""},
		{"scope as a package", `{"scopes":[{"type":"package","name":"@acme/b"},{"type":"package","name":"@acme/*"},{"name":"a"}]}`, narrow, ""},
		{"wider", `{"scopes":[{"type":"package","name":"*"}]}`, narrow, "packages and scopes: asked @acme, @acme/b, a, got *"},
		{"none", `{"scopes":[]}`, narrow, "got none"},
		{"org", `{"scopes":[{"type":"org","name":"@acme"}],"permissions":[{"name":"org","action":"read"}]}`, org, ""},
		{"another org", `{"scopes":[{"type":"organization","name":"evil"}]}`, org, "orgs: asked acme, got evil"},
		{"cidr", `{"cidr":null,"cidr_whitelist":["192.0.2.7/32","10.1.9.9/16"]}`, cidr, ""},
		{"cidr as text", `{"cidr":"192.0.2.7, 10.1.0.0/16"}`, cidr, ""},
		{"cidr ignored", `{"cidr":[]}`, cidr, "CIDR ranges: asked 10.1.0.0/16, 192.0.2.7/32, got none"},
		{"cidr null", `{"cidr_whitelist":null}`, cidr, "CIDR ranges"},
		{"cidr unasked", `{"cidr":["10.0.0.0/8"]}`, publish, "CIDR ranges: asked none, got 10.0.0.0/8"},
		{"bypass unasked", `{"bypass_2fa":true}`, install, "bypass-2fa: asked false, got true"},
		{"bypass ignored", `{"bypass_2fa":false}`, publish, "bypass-2fa: asked true, got false"},
		{"no expiry", `{"expiry":null}`, publish, "expiry: asked 90 days, got none"},
		{"expires a day early", `{"expires":"2027-01-29T13:00:00Z"}`, publish, ""},
		{"a week", `{"expires":"2026-11-08T12:00:00.000Z","created":"2026-11-01T12:00:00.000Z"}`, publish, "expiry: asked 90 days, got 7.0 days"},
		{"registry of another year", `{"expiry":"2031-01-31T00:00:00Z","created":"2031-01-01T00:00:00Z"}`, install, ""},
		{"in milliseconds", `{"expiry":1796126400000}`, install, ""},
		{"number of another kind", `{"expiry":30}`, install, ""},
		{"default expiry", `{"expiry":"2026-11-08T00:00:00Z"}`, store.Shape{PackagesAll: true, Permission: ipc.PermissionRead}, ""},
		{"secret in a name", `{"name":"npm_abcdefghijklmnop\u001b[31m"}`, publish, "name: asked t, got [redacted]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var told fields
			if err := json.Unmarshal([]byte(c.told), &told); err != nil {
				t.Fatal(err)
			}
			a, err := NewAccount(Config{})
			if err != nil {
				t.Fatal(err)
			}
			got := comparison{told: told, clean: a.reg.clean}
			got.compare(rotate.Token{Name: "t", Created: created}, c.want)
			diff := strings.Join(got.differences, "; ")
			if c.diff == "" && diff != "" || !strings.Contains(diff, c.diff) {
				t.Errorf("differences %q, want %q", diff, c.diff)
			}
		})
	}
}

func TestRegistryAddresses(t *testing.T) {
	for raw, want := range map[string]string{
		"":                           PublicRegistry(),
		"https://NPM.Example:443/":   "https://npm.example",
		"https://npm.example/a/b//":  "https://npm.example/a/b",
		"http://localhost:4873/":     "http://localhost:4873",
		"http://127.0.0.1:80":        "http://127.0.0.1",
		"http://[::1]:4873":          "http://[::1]:4873",
		"http://[0:0::0:1]:4873/":    "http://[::1]:4873",
		" https://npm.example ":      "https://npm.example",
		"https://npm.example/%41%2f": "https://npm.example/%41%2f",
	} {
		got, err := ParseRegistry(raw)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v", raw, got, err)
		}
		if raw != "" && Site(got)+strings.TrimPrefix(got, Site(got)) != got {
			t.Errorf("%q: site %q", got, Site(got))
		}
	}
	w := newWorld(t)
	for _, raw := range []string{
		"npm.example", "http://npm.example", "http://10.0.0.1", "ftp://localhost", "https://", "https:npm", "//npm.example",
		"https://ada:" + password + "@npm.example", "https://npm.example/?x", "https://npm.example/#x", "https://npm.example/\nx", "http://localhost.evil.example",
	} {
		_, err := ParseRegistry(raw)
		w.fails(err, ErrRefused)
	}
	if Site("") == Site(PublicRegistry()) || !strings.HasPrefix(Site(PublicRegistry()), "https://www.") {
		t.Error("the public site is not its own")
	}
}

func TestResolve(t *testing.T) {
	r := func(base string) *registry {
		a, err := NewAccount(Config{Registry: base})
		if err != nil {
			t.Fatal(err)
		}
		return a.reg
	}
	for _, c := range []struct{ base, raw, want string }{
		{"https://npm.example/r", "/-/v1/done?a=1", "https://npm.example/r/-/v1/done?a=1"},
		{"https://npm.example/r", "/r/-/v1/done?a=1", "https://npm.example/r/-/v1/done?a=1"},
		{"https://npm.example/r", PublicRegistry() + "/-/v1/done?a=1", "https://npm.example/r/-/v1/done?a=1"},
		{"", PublicRegistry() + "/-/v1/done?a=1", PublicRegistry() + "/-/v1/done?a=1"},
		{"https://npm.example", "https://other.example/done", "https://other.example/done"},
		{"http://localhost:1", "http://127.0.0.1:2/done", "http://127.0.0.1:2/done"},
	} {
		u, err := r(c.base).resolve("test", c.raw)
		if err != nil || u.String() != c.want {
			t.Errorf("%s at %q: %v, %v", c.raw, c.base, u, err)
		}
	}
	for _, raw := range []string{"", "http://npm.example/done", "javascript:alert(1)", "file:///etc/passwd", "https:///x", ":"} {
		if u, err := r("").resolve("test", raw); err == nil {
			t.Errorf("%q passed as %s", raw, u)
		}
	}
}
