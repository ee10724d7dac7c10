package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"rotd/daemon/npm/sandbox"
)

const (
	testUser     = "ada"
	testPassword = "pw-EXAMPLE"
	testTOTP     = "JBSWY3DPEHPK3PXP"
)

// The kinds of account.
var (
	withTOTP = sandbox.Config{User: testUser, Password: testPassword, TOTPSecret: testTOTP}
	withKey  = sandbox.Config{User: testUser, Password: testPassword, SecurityKey: true}
	noFactor = sandbox.Config{User: testUser, Password: testPassword, NoFactor: true}
	withBoth = sandbox.Config{User: testUser, Password: testPassword, TOTPSecret: testTOTP, SecurityKey: true}
)

// start runs a sandbox for the test.
func start(t *testing.T, cfg sandbox.Config) (*sandbox.Sandbox, string) {
	t.Helper()
	s, err := sandbox.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	return s, srv.URL
}

func set(t *testing.T, s *sandbox.Sandbox, switches string) {
	t.Helper()
	if err := s.Set(switches); err != nil {
		t.Fatal(err)
	}
}

func code(t *testing.T) string {
	t.Helper()
	c, err := totp.GenerateCode(testTOTP, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answer is what came back of a call.
type answer struct {
	status int
	header http.Header
	body   string
}

// json reads the body into a map; a body that is none fails the test.
func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("the answer is not a JSON object: %d %.200q", a.status, a.body)
	}
	return m
}

func (a answer) text(t *testing.T, field string) string {
	t.Helper()
	v, ok := a.json(t)[field].(string)
	if !ok {
		t.Fatalf("no %q in %d %.300q", field, a.status, a.body)
	}
	return v
}

// call asks the registry. Headers come in pairs.
func call(t *testing.T, method, url string, body any, headers ...string) answer {
	t.Helper()
	a, err := try(method, url, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func try(method, url string, body any, headers ...string) (answer, error) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			return answer{}, err
		}
		reader = bytes.NewReader(encoded)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		return answer{}, err
	}
	req.Close = true // net/http asks again by itself when a kept connection breaks
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b)}, err
}

func bearer(token string) string { return "Bearer " + token }

// couchLogin gets a session token by user name, password and code.
func couchLogin(t *testing.T, base, otp string) string {
	t.Helper()
	a := couchPut(t, base, testUser, testPassword, "npm-otp", otp)
	if a.status != http.StatusCreated {
		t.Fatalf("sign in: %d %s", a.status, a.body)
	}
	return a.text(t, "token")
}

func couchPut(t *testing.T, base, user, password string, headers ...string) answer {
	t.Helper()
	return call(t, "PUT", base+"/-/user/org.couchdb.user:"+user, map[string]any{
		"_id": "org.couchdb.user:" + user, "name": user, "password": password, "type": "user", "roles": []string{},
	}, headers...)
}

// publishShape is a token for publishing as the npm client asks for it.
func publishShape(name string) map[string]any {
	return map[string]any{
		"name": name, "password": testPassword, "packages_all": true, "expires": 90,
		"packages_and_scopes_permission": "read-write", "bypass_2fa": true,
	}
}

// create makes a token and returns its value.
func create(t *testing.T, base, session, otp string, body map[string]any) string {
	t.Helper()
	a := call(t, "POST", base+"/-/npm/v1/tokens", body, "Authorization", bearer(session), "npm-otp", otp)
	if a.status != http.StatusCreated {
		t.Fatalf("create a token: %d %s", a.status, a.body)
	}
	return a.text(t, "token")
}

func whoami(t *testing.T, base, token string) int {
	t.Helper()
	return call(t, "GET", base+"/-/whoami", nil, "Authorization", bearer(token)).status
}

// person is somebody at a browser: cookies are kept, redirects followed, forms
// filled in by the names of their fields.
type person struct {
	t       *testing.T
	base    string
	client  *http.Client
	at      *url.URL
	status  int
	page    string
	headers http.Header
}

func newPerson(t *testing.T, base string) *person {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &person{t: t, base: base, client: &http.Client{Jar: jar, Timeout: 20 * time.Second}}
}

func (p *person) do(req *http.Request) {
	p.t.Helper()
	req.Header.Set("Accept", "text/html")
	resp, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	p.at, p.status, p.page, p.headers = resp.Request.URL, resp.StatusCode, string(b), resp.Header
}

// open goes to an address, or to a path of the site.
func (p *person) open(address string) {
	p.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = p.base + address
	}
	req, err := http.NewRequest("GET", address, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.do(req)
}

var (
	formTag   = regexp.MustCompile(`(?s)<form id="([^"]+)" method="POST" action="([^"]+)">(.*?)</form>`)
	inputTag  = regexp.MustCompile(`<input[^>]*>`)
	attribute = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)
)

// submit fills in the form with this id and sends it, hidden fields included.
func (p *person) submit(id string, fields ...string) {
	p.t.Helper()
	form := p.find(id)
	values := form.hidden
	for i := 0; i+1 < len(fields); i += 2 {
		if !form.inputs[fields[i]] {
			p.t.Fatalf("the form %q has no field %q", id, fields[i])
		}
		values.Set(fields[i], fields[i+1])
	}
	req, err := http.NewRequest("POST", p.base+form.action, strings.NewReader(values.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	p.do(req)
}

type pageForm struct {
	action string
	hidden url.Values
	inputs map[string]bool
}

func (p *person) find(id string) pageForm {
	p.t.Helper()
	for _, m := range formTag.FindAllStringSubmatch(p.page, -1) {
		if m[1] != id {
			continue
		}
		f := pageForm{action: strings.ReplaceAll(m[2], "&amp;", "&"), hidden: url.Values{}, inputs: map[string]bool{}}
		for _, input := range inputTag.FindAllString(m[3], -1) {
			attrs := map[string]string{}
			for _, a := range attribute.FindAllStringSubmatch(input, -1) {
				attrs[a[1]] = a[2]
			}
			f.inputs[attrs["name"]] = true
			if attrs["type"] == "hidden" {
				f.hidden.Set(attrs["name"], attrs["value"])
			}
		}
		return f
	}
	p.t.Fatalf("no form %q at %s (%d): %.400s", id, p.at, p.status, p.page)
	return pageForm{}
}

// sees fails the test unless the page holds each of these.
func (p *person) sees(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		if !strings.Contains(p.page, text) {
			p.t.Fatalf("%q is not on the page at %s (%d): %s", text, p.at, p.status, p.page)
		}
	}
}

// signIn goes through the sign-in at the page it is on.
func (p *person) signIn(s *sandbox.Sandbox) {
	p.t.Helper()
	p.submit("login", "username", testUser, "password", testPassword)
	switch p.at.Path {
	case "/login/otp":
		p.submit("login", "otp", code(p.t))
	case "/login/email-otp":
		mail := s.Mailbox()
		p.submit("login", "otp", mail[len(mail)-1].Code)
	case "/login/webauthn":
		p.useKey(s)
	default:
		p.t.Fatalf("after the password at %s (%d): %s", p.at, p.status, p.page)
	}
}

// props are the page's, as its script sees them.
func (p *person) props() map[string]any {
	p.t.Helper()
	_, rest, ok := strings.Cut(p.page, "window.__context__ = ")
	if !ok {
		p.t.Fatalf("no context at %s", p.at)
	}
	var c struct{ Context map[string]any }
	if err := json.NewDecoder(strings.NewReader(rest)).Decode(&c); err != nil {
		p.t.Fatal(fmt.Errorf("read the context: %w", err))
	}
	return c.Context
}
