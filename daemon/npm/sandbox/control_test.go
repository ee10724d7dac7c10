package sandbox_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rotd/daemon/npm/sandbox"
)

func TestSwitches(t *testing.T) {
	s, base := start(t, withTOTP)
	url := base + "/-/sandbox/switches"
	before := call(t, "GET", url, nil).json(t)
	if before["couch_login"] != "open" || before["session_life"] != 43200.0 {
		t.Fatalf("%v", before)
	}
	a := call(t, "POST", url, `{"revocation_delay":60,"faults":[{"path":"/-/whoami","count":1,"kind":"cut"}]}`)
	if a.status != 200 || a.json(t)["revocation_delay"] != 60.0 || a.json(t)["couch_login"] != "open" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for _, bad := range []string{
		`{"no_such_switch":1}`, `{"couch_login":"ajar"}`, `{"escalation":["smile"]}`, `{"revocation_delay":"soon"}`, `[]`, `{} {}`, `nonsense`,
		`{"faults":[{"path":"x","kind":"cut"}]}`, `{"faults":[{"path":"/","kind":"burn"}]}`, `{"faults":[{"path":"/","kind":"cut","count":-2}]}`,
		`{"faults":[{"path":"/","kind":"status","status":42}]}`, `{"revocation_delay":1,"unknown":2}`,
	} {
		if a := call(t, "POST", url, bad); a.status != 400 || a.text(t, "error") == "" {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
	}
	if got := s.Switches(); got.RevocationDelay != 60 || len(got.Faults) != 1 {
		t.Fatalf("a refused change left a mark: %+v", got)
	}
	// A list is replaced as a whole.
	set(t, s, `{"faults":[{"path":"/a","count":1,"kind":"slow"}]}`)
	if got := s.Switches().Faults[0]; got.Path != "/a" || got.Kind != "slow" {
		t.Fatalf("%+v", got)
	}
	if a := call(t, "POST", url, "{}", "Origin", "http://evil.example"); a.status != 403 {
		t.Errorf("a web page may turn switches: %d", a.status)
	}
	for _, method := range []string{"GET", "POST"} {
		if a := call(t, method, base+"/-/sandbox/nothing", nil); a.status != 404 {
			t.Errorf("%d", a.status)
		}
	}
}

func TestFaults(t *testing.T) {
	s, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	get := func() (answer, error) {
		return try("GET", base+"/-/whoami", nil, "Authorization", bearer(session))
	}
	fault := func(f sandbox.Fault) {
		t.Helper()
		f.Path, f.Count = "/-/whoami", 1
		b, err := json.Marshal(map[string]any{"faults": []sandbox.Fault{f}})
		if err != nil {
			t.Fatal(err)
		}
		set(t, s, string(b))
	}
	fine := func() {
		t.Helper()
		if a, err := get(); err != nil || a.status != 200 {
			t.Fatalf("after the fault: %v %v", a, err)
		}
	}

	fault(sandbox.Fault{Kind: sandbox.FaultStatus, Status: 429, RetryAfter: 3})
	if a, _ := get(); a.status != 429 || a.header.Get("Retry-After") != "3" || a.text(t, "error") != "Too Many Requests" {
		t.Errorf("%+v", a)
	}
	fine()
	fault(sandbox.Fault{Kind: sandbox.FaultStatus, Status: 503, Body: "down"})
	if a, _ := get(); a.status != 503 || a.body != "down" {
		t.Errorf("%+v", a)
	}
	fine()
	for _, kind := range []string{sandbox.FaultCut, sandbox.FaultTruncate} {
		fault(sandbox.Fault{Kind: kind})
		if a, err := get(); err == nil {
			t.Errorf("%s: %+v", kind, a)
		}
		fine()
	}
	fault(sandbox.Fault{Kind: sandbox.FaultGarble})
	if a, _ := get(); json.Valid([]byte(a.body)) {
		t.Errorf("%+v", a)
	}
	fine()
	fault(sandbox.Fault{Kind: sandbox.FaultSlow, DelayMS: 60})
	from := time.Now()
	fine()
	if took := time.Since(from); took < 60*time.Millisecond {
		t.Errorf("a slow answer came after %v", took)
	}
	fault(sandbox.Fault{Kind: sandbox.FaultStatus, Method: "POST"})
	fine()
}

// A creation can take effect although its answer never arrives.
func TestCreatedAndCut(t *testing.T) {
	s, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	set(t, s, `{"faults":[{"method":"POST","path":"/-/npm/v1/tokens","count":1,"kind":"cut-after"}]}`)
	a, err := try("POST", base+"/-/npm/v1/tokens", publishShape("ghost"), "Authorization", bearer(session), "npm-otp", code(t))
	if err == nil {
		t.Fatalf("%+v", a)
	}
	if got := s.Tokens(); len(got) != 1 || got[0].Name != "ghost" || !got[0].Live {
		t.Fatalf("%+v", got)
	}
}

// A held answer has taken effect; a late effect comes when nobody waits for it
// any more. Both are npm at work while rotd is killed.
func TestHeldAndLate(t *testing.T) {
	s, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	client := &http.Client{Timeout: 150 * time.Millisecond}
	for i, kind := range []string{sandbox.FaultSlow, sandbox.FaultHold, sandbox.FaultLate} {
		set(t, s, `{"faults":[{"method":"POST","path":"/-/npm/v1/tokens","count":1,"kind":"`+kind+`","delay_ms":400}]}`)
		b, err := json.Marshal(publishShape(kind))
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest("POST", base+"/-/npm/v1/tokens", strings.NewReader(string(b)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", bearer(session))
		req.Header.Set("npm-otp", code(t))
		if resp, err := client.Do(req); err == nil {
			resp.Body.Close()
			t.Errorf("%s: %s", kind, resp.Status)
		}
		if got, want := len(s.Tokens()), []int{0, 1, 1}[i]; got != want {
			t.Errorf("%s: %d tokens when the client has gone, want %d", kind, got, want)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); len(s.Tokens()) != 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the late token does not come")
		}
	}
}

// The control path knows what the registry takes, whatever its faults are.
func TestAccepts(t *testing.T) {
	s, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	value := create(t, base, session, code(t), publishShape("t"))
	set(t, s, `{"faults":[{"path":"/","count":-1,"kind":"cut"}]}`)
	accepts := func() map[string]any {
		return call(t, "GET", base+"/-/sandbox/accepts", nil, "Authorization", bearer(value)).json(t)
	}
	if got := accepts(); got["accepted"] != true || got["revoked"] != nil {
		t.Errorf("%v", got)
	}
	set(t, s, `{"faults":[]}`)
	call(t, "DELETE", base+"/-/npm/v1/tokens/token/"+s.Tokens()[0].Key, nil, "Authorization", bearer(session), "npm-otp", code(t))
	if got := accepts(); got["accepted"] != false || got["revoked"] == nil {
		t.Errorf("%v", got)
	}
}

func TestRequestLog(t *testing.T) {
	s, base := start(t, withTOTP)
	session := couchLogin(t, base, code(t))
	call(t, "DELETE", base+"/-/user/token/"+session, nil, "Authorization", bearer(session), "npm-command", "logout", "User-Agent", "npm/test")
	a := call(t, "GET", base+"/-/sandbox/requests", nil)
	if strings.Contains(a.body, session) || strings.Contains(a.body, testPassword) || strings.Contains(a.body, code(t)) {
		t.Fatal("a secret is in the log")
	}
	got := s.Requests()
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	if r := got[0]; r.Method != "PUT" || r.Path != "/-/user/org.couchdb.user:ada" || r.Status != 201 || !r.OTP || r.Auth {
		t.Errorf("%+v", r)
	}
	if r := got[1]; r.Path != "/-/user/token/npm_[redacted]" || r.Status != 204 || r.Command != "logout" || r.UserAgent != "npm/test" || !r.Auth || r.OTP {
		t.Errorf("%+v", r)
	}
	call(t, "DELETE", base+"/-/sandbox/requests", nil)
	if len(s.Requests()) != 0 {
		t.Error("the log was not emptied")
	}
}

func TestControlViews(t *testing.T) {
	_, base := start(t, withKey)
	key := call(t, "GET", base+"/-/sandbox/security-key", nil).json(t)
	for _, field := range []string{"rpId", "credentialId", "userHandle", "privateKey", "signCount", "isResidentCredential"} {
		if _, ok := key[field]; !ok {
			t.Errorf("%s is missing", field)
		}
	}
	if len(decode(t, key["privateKey"].(string))) < 100 || key["rpId"] != "localhost" {
		t.Error("the private key is not there")
	}
	for _, list := range []string{"tokens", "mail"} {
		if a := call(t, "GET", base+"/-/sandbox/"+list, nil); a.body != "[]" {
			t.Errorf("%s: %s", list, a.body)
		}
	}
	if a := call(t, "POST", base+"/-/sandbox/packages", `{"name":"@acme/x","restricted":true}`); a.status != 201 {
		t.Errorf("%d %s", a.status, a.body)
	}
	for body, want := range map[string]int{`{"name":"@acme/x"}`: 409, `{"name":"Not Valid"}`: 400, `x`: 400} {
		if a := call(t, "POST", base+"/-/sandbox/packages", body); a.status != want {
			t.Errorf("%s: %d", body, a.status)
		}
	}
	if a := call(t, "GET", base+"/@acme%2fx", nil); a.status != 404 {
		t.Errorf("a private package is shown to anybody: %d", a.status)
	}

	_, base = start(t, withTOTP)
	if a := call(t, "GET", base+"/-/sandbox/security-key", nil); a.status != 404 {
		t.Errorf("%d", a.status)
	}
	session := couchLogin(t, base, code(t))
	call(t, "POST", base+"/-/sandbox/sign-out", nil)
	if whoami(t, base, session) != 401 {
		t.Error("sign-out left a session")
	}
}

// A request for another name is somebody's page that rebinds.
func TestHost(t *testing.T) {
	_, base := start(t, withTOTP)
	port := base[strings.LastIndex(base, ":"):]
	for host, want := range map[string]int{"localhost" + port: 200, "127.0.0.1" + port: 200, "[::1]" + port: 200, "evil.example": 421} {
		req, err := http.NewRequest("GET", base+"/-/ping", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d", host, resp.StatusCode)
		}
	}
}

// The pages are on localhost, the security key's relying party, by whatever
// name the registry was asked; tarballs come from where the client asked.
func TestAddresses(t *testing.T) {
	s, base := start(t, withTOTP)
	s.AddPackage("mine", false)
	ip := strings.Replace(base, "localhost", "127.0.0.1", 1)
	if got := call(t, "POST", ip+"/-/v1/login", "{}").text(t, "loginUrl"); !strings.HasPrefix(got, base+"/login?next=/login/cli/") {
		t.Errorf("loginUrl: %s", got)
	}
	for accept, kind := range map[string]string{"application/json": "application/json", "application/vnd.npm.install-v1+json": "application/vnd.npm.install-v1+json"} {
		a := call(t, "GET", ip+"/mine", nil, "Accept", accept)
		if a.header.Get("Content-Type") != kind || !strings.Contains(a.body, ip+"/mine/-/mine-0.0.0.tgz") {
			t.Errorf("%s: %s", a.header.Get("Content-Type"), a.body)
		}
	}
}

func TestListenRefusesTheWorld(t *testing.T) {
	s, err := sandbox.New(withTOTP)
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "[::]:0", "example.test:0", "nonsense"} {
		if srv, err := s.Listen(addr); err == nil {
			srv.Close()
			t.Errorf("it listens on %s", addr)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, cfg := range map[string]sandbox.Config{
		"no user":     {Password: "p"},
		"no password": {User: "u"},
		"two answers": {User: "u", Password: "p", NoFactor: true, SecurityKey: true},
		"bad secret":  {User: "u", Password: "p", TOTPSecret: "!!!"},
	} {
		if _, err := sandbox.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// The state file carries everything over, and is its owner's alone.
func TestStateFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	cfg := withBoth
	cfg.StateFile = file
	s, base := start(t, cfg)
	session := couchLogin(t, base, code(t))
	value := create(t, base, session, code(t), publishShape("kept"))
	s.AddPackage("mine", false)
	s.Advance(time.Hour)
	key, _ := s.SecurityKey()
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}

	again, base := start(t, cfg)
	if whoami(t, base, session) != 200 || whoami(t, base, value) != 200 || len(again.Tokens()) != 1 {
		t.Fatal("tokens were lost")
	}
	if k, _ := again.SecurityKey(); k.PrivateKey.Reveal() != key.PrivateKey.Reveal() {
		t.Fatal("it is another security key")
	}
	if a := call(t, "GET", base+"/mine", nil); a.status != 200 {
		t.Fatal("the package was lost")
	}
	var clock struct{ Now time.Time }
	if err := json.Unmarshal([]byte(call(t, "GET", base+"/-/sandbox/clock", nil).body), &clock); err != nil || time.Until(clock.Now) < 50*time.Minute {
		t.Fatalf("the clock was lost: %v %v", clock.Now, err)
	}

	cfg.User = "bob"
	if _, err := sandbox.New(cfg); err == nil {
		t.Fatal("another user takes the state over")
	}
	if err := os.WriteFile(file, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.User = testUser
	if _, err := sandbox.New(cfg); err == nil {
		t.Fatal("a broken state file is taken")
	}
}
