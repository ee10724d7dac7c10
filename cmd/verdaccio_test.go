package cmd_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
)

// startVerdaccio is a registry that is not npm's, with the account ada. It has
// no second factor, names no expiry of a token and knows no limit but reading
// only; what a token is depends on security, YAML.
func (g *ground) startVerdaccio(security string) {
	g.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		g.t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	g.registry = "http://" + strings.Replace(address, "127.0.0.1", "localhost", 1)
	config := g.write("verdaccio.yaml", `storage: ./storage
auth: { htpasswd: { file: ./htpasswd } }
uplinks: {}
packages:
  '**': { access: $authenticated, publish: $authenticated }
flags: { token: true }
log: { type: stdout, format: json, level: warn }
`+security)
	node, verdaccio := clientOf(g.t, "node"), clientOf(g.t, "verdaccio")
	g.npm = g.startBy(node.program, "verdaccio", io.Discard, verdaccio.program, "--config", config, "--listen", address)
	g.await(time.Minute, "Verdaccio", func() bool {
		resp, err := http.Get(g.registry + "/-/ping")
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil
	})
	req, err := http.NewRequest("PUT", g.registry+"/-/user/org.couchdb.user:ada", strings.NewReader(`{"name":"ada","password":"pw-EXAMPLE"}`))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		g.t.Fatalf("make the account: %s", resp.Status)
	}
}

// held counts the tokens that Verdaccio knows.
func (g *ground) held() int {
	g.t.Helper()
	b, err := os.ReadFile(filepath.Join(g.dir, "storage", ".token-db.json"))
	var all map[string][]any
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	return len(all["ada"])
}

// whoamiStatus is the registry's answer to a value.
func (g *ground) whoamiStatus(value secret.Text) int {
	g.t.Helper()
	req, err := http.NewRequest("GET", g.registry+"/-/whoami", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+value.Reveal())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// TestVerdaccio rotates the tokens of a real Verdaccio, as it makes them by
// itself and as JSON Web Tokens, and has npm publish and install with them.
func TestVerdaccio(t *testing.T) {
	for name, c := range map[string]struct {
		security string
		life     time.Duration // that a token tells of itself; 0: none
	}{
		"its own tokens":  {"", 0},
		"JSON Web Tokens": {"security: { api: { jwt: { sign: { expiresIn: 12h } } } }\n", 12 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			g := bareGround(t)
			g.startVerdaccio(c.security)
			g.startDaemon()
			g.awaitDaemon()
			res, err := g.stream(t.Context(), ipc.PathPasscards, ipc.Connect{Registry: g.registry, Username: "ada",
				Password: secret.NewWire("pw-EXAMPLE"), Remember: []string{"password"}, Terminal: true})
			if err != nil {
				t.Fatal(err)
			}
			npm := clientOf(t, "npm 12")
			u := &tableCase{ground: g, client: npm, path: npm.tools(t, filepath.Join(g.dir, "tools")), home: filepath.Join(g.dir, "home"), project: filepath.Join(g.dir, "project")}
			if err := u.prepare(); err != nil {
				t.Fatal(err)
			}
			says := func(want string, argv ...string) {
				t.Helper()
				said, err := runIn(t.Context(), u.project, u.env(), argv...)
				if (err != nil) != strings.HasPrefix(want, "!") || !strings.Contains(said, strings.TrimPrefix(want, "!")) {
					t.Errorf("%s: %v, %s\nwant %s", strings.Join(argv, " "), err, said, want)
				}
			}
			verdaccioHasNoLimits(t, g, says, res.Passcard)
			verdaccioRotates(t, g, u, says, res.Passcard, c.life)
		})
	}
}

// verdaccioHasNoLimits asks for what Verdaccio cannot do: nothing of it is taken
// for done, and no token is left.
func verdaccioHasNoLimits(t *testing.T, g *ground, says func(string, ...string), passcard string) {
	t.Helper()
	const no = "and the registry tells of no such limit"
	says("!packages and scopes: asked @acme/app, "+no, "rot", "rotate", passcard, "--name", "narrow", "--packages", "@acme/app", "--packages-and-scopes-permission", "read-write")
	says("!rot rotate --packages-all, with --packages-and-scopes-permission", "rot", "rotate", passcard, "--name", "narrow", "--scopes", "@acme", "--packages-and-scopes-permission", "read-write")
	says("!permission: asked read-write-stage-only, "+no, "rot", "rotate", passcard, "--name", "stage", "--for", "stage")
	if n := g.held(); n != 0 {
		t.Errorf("Verdaccio holds %d tokens", n)
	}
}

func verdaccioRotates(t *testing.T, g *ground, u *tableCase, says func(string, ...string), passcard string, life time.Duration) {
	t.Helper()
	says("does not tell the token's bypass-2fa flag, expiry", "rot", "rotate", passcard, "--name", "ci", "--for", "publish")
	unended := "no end of it is known, so it is not replaced by itself"
	if life > 0 {
		unended = "generation 1 is served"
	}
	says(unended, "rot", "rotate", passcard, "--name", "reader", "--packages-all", "--packages-and-scopes-permission", "read-only")
	says("", "rot", "schedule", "reader", "--every", "6h")
	old, err := g.token(t.Context(), "ci")
	if err != nil {
		t.Fatal(err)
	}
	if told := old.Expires != nil; told != (life > 0) || told && time.Until(*old.Expires).Round(time.Hour) != life {
		t.Errorf("its end is %v", old.Expires)
	}
	says("!", "rot", "exec", "reader", "--", "npm", "publish")
	says("+ @acme/project@1.0.0", "rot", "exec", "ci", "--", "npm", "publish")
	says("ada", "rot", "exec", "reader", "--", "npm", "whoami")
	says("refuses generation 1", "rot", "rotate", "ci")
	if got := g.whoamiStatus(old.Value.Text); got != http.StatusForbidden {
		t.Errorf("the replaced value: %d", got)
	}
	if err := u.bump(); err != nil {
		t.Fatal(err)
	}
	says("+ @acme/project@1.0.1", "rot", "exec", "ci", "--", "npm", "publish")
	if err := u.write("package.json", `{"name":"consumer","version":"1.0.0"}`); err != nil {
		t.Fatal(err)
	}
	says("added 1 package", "rot", "exec", "reader", "--", "npm", "install", "@acme/project@1.0.1")
	now, err := g.token(t.Context(), "ci")
	if err != nil {
		t.Fatal(err)
	}
	says("revoked", "rot", "revoke", "ci")
	if got := g.whoamiStatus(now.Value.Text); got != http.StatusForbidden {
		t.Errorf("the revoked value: %d", got)
	}
	says("!it was revoked on", "rot", "get", "ci")
	says("", "rot", "remove", passcard, "--yes")
	if n := g.held(); n != 0 {
		t.Errorf("Verdaccio holds %d tokens", n)
	}
	if log := g.log(); strings.Contains(string(log), now.Value.Reveal()) {
		t.Error("a value is in the log")
	}
}
