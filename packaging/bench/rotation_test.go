package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"rotd/ipc"
	"rotd/ipc/secret"
)

// BenchmarkRotation is rot rotate by the registry's API, with codes of an
// authenticator, beside the same calls by curl. npm takes no time for its own.
func BenchmarkRotation(b *testing.B) {
	w := newWorld(b, "--totp", totpSeed)
	w.connect(byTOTP())
	w.newROT("ci")
	rot, curl := built(b, "rot"), w.curls()
	var took, theirs []time.Duration
	for b.Loop() {
		start := time.Now()
		run(b, w.dir, "", rot, "rotate", "ci")
		took = append(took, time.Since(start))
		start = time.Now()
		curl()
		theirs = append(theirs, time.Since(start))
	}
	b.ReportMetric(milliseconds(median(took)), "rot-ms")
	b.ReportMetric(milliseconds(median(theirs)), "curl-ms")
}

// curls returns what makes the calls of a rotation by curl, one after the other.
func (w *world) curls() func() {
	session := w.signIn()
	curl := tool(w.b, "curl")
	call := func(method, path, auth, body string) string {
		return run(w.b, w.dir, body, curl, "--silent", "--request", method, "--header", "authorization: Bearer "+auth,
			"--header", "npm-otp: "+code(w.b), "--header", "content-type: application/json", "--data-binary", "@-", w.registry+path)
	}
	const tokens = "/-/npm/v1/tokens"
	var old, oldKey string
	n := 0
	return func() {
		n++
		body := fmt.Sprintf(`{"name":"curl-%d","password":"pw","expires":90,"packages_all":true,"packages_and_scopes_permission":"read-write","bypass_2fa":true}`, n)
		var made struct{ Token, Key string }
		if err := json.Unmarshal([]byte(call("POST", tokens, session, body)), &made); err != nil || made.Token == "" {
			w.b.Fatalf("curl makes no token: %v", err)
		}
		call("GET", "/-/whoami", made.Token, "")
		call("GET", tokens, session, "")
		if oldKey != "" {
			call("DELETE", tokens+"/token/"+oldKey, session, "")
			call("GET", tokens, session, "")
			call("GET", "/-/whoami", old, "")
		}
		old, oldKey = made.Token, made.Key
	}
}

func code(b *testing.B) string {
	b.Helper()
	c, err := totp.GenerateCode(totpSeed, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// signIn gets a session token by npm's older way.
func (w *world) signIn() string {
	w.b.Helper()
	body := strings.NewReader(`{"_id":"org.couchdb.user:ada","name":"ada","password":"pw","type":"user","roles":[]}`)
	req, err := http.NewRequestWithContext(w.b.Context(), http.MethodPut, w.registry+"/-/user/org.couchdb.user:ada", body)
	if err != nil {
		w.b.Fatal(err)
	}
	req.Header.Set("npm-otp", code(w.b))
	req.Header.Set("content-type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.b.Fatal(err)
	}
	defer res.Body.Close()
	var session struct{ Token string }
	if err := json.NewDecoder(res.Body).Decode(&session); err != nil || session.Token == "" {
		w.b.Fatalf("no session: %s, %v", res.Status, err)
	}
	return session.Token
}

// BenchmarkCheck is a rotation whose second factor a Chromium passes that is
// started for it, with a security key, and of it the browser's own start; beside
// a bare program of chromedp's that opens a page of the same site.
func BenchmarkCheck(b *testing.B) {
	w := newWorld(b, "--security-key")
	w.connect(w.bySecurityKey())
	w.newROT("ci")
	var took, bare []time.Duration
	before := len(w.starts())
	for b.Loop() {
		start := time.Now()
		w.rotate("ci")
		took = append(took, time.Since(start))
		bare = append(bare, openPage(b, w.registry+"/login"))
	}
	b.ReportMetric(milliseconds(median(took)), "rot-ms")
	b.ReportMetric(milliseconds(median(w.starts()[before:])), "browser-start-ms")
	b.ReportMetric(milliseconds(median(bare)), "bare-chromedp-ms")
}

// BenchmarkManyUnderOneCheck is what 64 ROTs of one account take for which the
// check is passed once, and one ROT.
func BenchmarkManyUnderOneCheck(b *testing.B) {
	const rots = 64
	w := newWorld(b, "--security-key")
	w.connect(w.bySecurityKey())
	for i := range rots {
		w.newROT(fmt.Sprint("ci-", i))
	}
	var all, one []time.Duration
	for b.Loop() {
		start := time.Now()
		if n := len(w.rotate(w.passcard).Rotations); n != rots {
			b.Fatalf("%d rotations", n)
		}
		all = append(all, time.Since(start))
		start = time.Now()
		w.rotate("ci-0")
		one = append(one, time.Since(start))
	}
	b.ReportMetric(milliseconds(median(all)), "64-ROTs-ms")
	b.ReportMetric(milliseconds(median(one)), "one-ms")
}

// BenchmarkWebsite is a rotation by the website's pages, each with a Chromium of
// its own.
func BenchmarkWebsite(b *testing.B) {
	w := newWorld(b, "--totp", totpSeed)
	w.connect(ipc.Connect{Via: ipc.ViaWebsite, AcceptTerms: true, TOTPSecret: secret.NewWire(totpSeed)})
	w.newROT("ci")
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		w.rotate("ci")
		took = append(took, time.Since(start))
	}
	b.ReportMetric(milliseconds(median(took)), "rot-ms")
}

var browserStarted = regexp.MustCompile(`msg="browser started".* took=(\S+)`)

// starts are the times that rotd's browsers took to start.
func (w *world) starts() []time.Duration {
	w.b.Helper()
	var all []time.Duration
	for line := range bytes.Lines(w.log("rotd")) {
		if m := browserStarted.FindSubmatch(line); m != nil {
			d, err := time.ParseDuration(string(m[1]))
			if err != nil {
				w.b.Fatal(err)
			}
			all = append(all, d)
		}
	}
	return all
}

// openPage is what it takes to start a Chromium, open a page and end it.
func openPage(b *testing.B, address string) time.Duration {
	b.Helper()
	start := time.Now()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.UserDataDir(filepath.Join(shortDir(b), "p")))
	if os.Getuid() == 0 {
		opts = append(opts, chromedp.NoSandbox)
	}
	actx, endAll := chromedp.NewExecAllocator(b.Context(), opts...)
	ctx, end := chromedp.NewContext(actx)
	err := chromedp.Do(ctx, chromedp.Navigate(address))
	end()
	endAll()
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}
