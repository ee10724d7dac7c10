package cmd_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/rogpeppe/go-internal/testscript"
)

// makeStray is `stray VAR NAME DAYS`: a token that ada makes by hand, as npm
// token create would, with the password pw and the usual authenticator.
func makeStray(ts *testscript.TestScript, neg bool, args []string) {
	var session, made struct{ Token string }
	asAda(ts, "PUT", "/-/user/org.couchdb.user:ada", "", map[string]any{"_id": "org.couchdb.user:ada", "name": "ada", "password": "pw", "type": "user"}, &session)
	asAda(ts, "POST", "/-/npm/v1/tokens", session.Token, map[string]any{
		"name": args[1], "password": "pw", "packages_all": true, "packages_and_scopes_permission": "read-only", "expires": json.Number(args[2])}, &made)
	ts.Setenv(args[0], made.Token)
}

// asAda calls the sandbox, with a one-time code.
func asAda(ts *testscript.TestScript, method, path, bearer string, in, out any) {
	body, err := json.Marshal(in)
	ts.Check(err)
	code, err := totp.GenerateCode("JBSWY3DPEHPK3PXP", time.Now())
	ts.Check(err)
	req, err := http.NewRequest(method, ts.Getenv("REGISTRY")+path, bytes.NewReader(body))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("npm-otp", code)
	req.Header.Set("npm-auth-type", "legacy")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		ts.Fatalf("%s %s: %s", method, path, resp.Status)
	}
	ts.Check(json.NewDecoder(resp.Body).Decode(out))
}
