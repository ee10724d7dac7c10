package npm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rotd/daemon/browser"
	"rotd/daemon/browser/xvfb"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// keySite plays npm's settings of second factors, with a sign-in before them
// and a check in their place.
type keySite struct {
	*world
	*xvfb.Display
	window *Window

	user string // whose settings are shown
	// taken answers the registration of a key; nil: npm takes it.
	taken func(w http.ResponseWriter) (ok bool)
	codes bool // recovery codes follow the first key
	away  bool // another page follows it, which is none of the settings

	mu       sync.Mutex
	keys     []string // names
	forms    int      // that were sent
	asks     bool     // what was shown last wants another one
	driven   []string // what was asked for while something was attached
	webdrive string
}

func atKeySite(t *testing.T) *keySite {
	s := &keySite{user: user}
	s.world, s.Display = around(t, s.serve), xvfb.Start(t)
	s.registry = strings.Replace(s.registry, "127.0.0.1", "localhost", 1)
	s.window = &Window{
		Browser: browser.Config{NoSandbox: os.Geteuid() == 0, Dir: t.TempDir(), Display: s.Env()},
		Keep:    s.keep, Log: s.config.Log, Tell: s.config.Progress,
	}
	s.Asked = func() (int, bool) { s.mu.Lock(); defer s.mu.Unlock(); return s.forms, s.asks }
	s.alone()
	return s
}

func (s *keySite) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodPost {
		s.forms++
		s.asks = false
	}
	stage := ""
	if c, err := r.Cookie("wub"); err == nil {
		stage = c.Value
	}
	settings := "/settings/" + s.user + "/tfa"
	if !strings.HasPrefix(r.URL.Path, "/settings/") || stage != "checked" {
		if out := s.text(); strings.Count(out, "attached to npm's settings") != strings.Count(out, "let go of npm's settings") {
			s.driven = append(s.driven, r.Method+" "+r.URL.Path)
		}
	}
	page := func(title, body string) {
		s.asks = true
		w.Header().Set("Content-Type", "text/html")
		if s.codes && len(s.keys) > 0 { // a page that has no title for a while
			fmt.Fprint(w, "<!doctype html>", strings.Repeat(" ", 2000))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(700 * time.Millisecond)
		}
		fmt.Fprintf(w, "<!doctype html><title>npm | %s</title>%s", title, body)
	}
	step := func(value string) {
		http.SetCookie(w, &http.Cookie{Name: "wub", Value: value, Path: "/", HttpOnly: true})
		http.Redirect(w, r, settings, http.StatusFound)
	}
	switch {
	case r.Method == "POST" && r.URL.Path == "/login":
		step("signed in")
	case r.Method == "POST" && r.URL.Path == "/escalate":
		step("checked")
	case strings.HasPrefix(r.URL.Path, "/settings/") && stage == "":
		http.Redirect(w, r, "/login", http.StatusFound)
	case r.URL.Path == "/settings/~/tfa":
		http.Redirect(w, r, settings, http.StatusFound)
	case r.URL.Path == "/login":
		page("Sign In", `<form method=post action=/login><input id=login_username autofocus></form>`)
	case r.URL.Path == settings && stage != "checked":
		page("Enter a One-time Password", `<form method=post action=/escalate><input id=login_otp name=otp autofocus></form>`)
	case r.Method == "POST" && r.URL.Path == settings+"/add":
		b, _ := io.ReadAll(r.Body)
		name, driven, _ := strings.Cut(string(b), "\n")
		s.webdrive = driven
		if s.taken == nil || s.taken(w) {
			s.keys = append(s.keys, name)
		} else {
			s.asks = true // for a better one
		}
	case r.URL.Path == settings:
		list := "<li>" + strings.Join(s.keys, "<li>")
		if s.codes && len(s.keys) > 0 {
			list = "Put these down: " + strings.Repeat("5f", 32)
		}
		after := settings
		if s.away {
			after = "/away"
		}
		page("Two-Factor Authentication", `<script>window.__context__ = {context: {user: {name: "`+s.user+`"}}}</script>
			<ul>`+list+`</ul><p id=add_error_message role=alert></p><form><input name=name autofocus required><button>Add security key</button></form><script>
			document.forms[0].oninput = e => { document.title = "npm | Two-Factor Authentication " + e.target.value };
			let busy = false; // npm's forms are disabled while they load (A.1)
			document.forms[0].onsubmit = async e => {
				e.preventDefault();
				if (busy) return;
				busy = true;
				try { await add(); } finally { busy = false; }
			};
			const add = async () => {
				const said = document.querySelector("p");
				said.textContent = "";
				await navigator.credentials.create({publicKey: {challenge: new Uint8Array(32), rp: {id: "localhost", name: "npm"},
					user: {id: new Uint8Array(16), name: "ada", displayName: "ada"}, pubKeyCredParams: [{type: "public-key", alg: -7}],
					authenticatorSelection: {residentKey: "discouraged", userVerification: "preferred"}, attestation: "none", timeout: 60000}});
				const a = await fetch("`+settings+`/add", {method: "POST", body: document.forms[0].elements[0].value + "\n" + navigator.webdriver});
				const text = await a.text();
				if (a.ok && !text) { document.forms[0].reset(); location.href = "`+after+`" } else said.textContent = text;
			}</script>`)
	case r.URL.Path == "/away":
		page("Away", "Put these down.")
	default:
		http.NotFound(w, r)
	}
}

// settings are npm's, for a person who has been told that rotd is ready, and who
// does not add a second key when npm has the first.
func (s *keySite) settings(name string) xvfb.Page {
	before, had := strings.Count(s.text(), "step settings"), s.keyCount()
	return xvfb.Page{Title: "Two-Factor", Text: func() string {
		if s.keyCount() > had {
			return ""
		}
		for deadline := time.Now().Add(30 * time.Second); strings.Count(s.text(), "step settings") == before && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
		s.Type(name)
		for deadline := time.Now().Add(3 * time.Second); len(s.Windows("Two-Factor Authentication "+name)) == 0; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				return "" // a letter was lost: he types it again
			}
		}
		time.Sleep(600 * time.Millisecond) // few hands are faster
		if s.keyCount() > had {
			return ""
		}
		return "\n"
	}}
}

func (s *keySite) keyCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.keys)
}

var (
	signsIn = xvfb.Page{Title: "Sign In", Text: func() string { return "ada\n" }}
	checks  = xvfb.Page{Title: "One-time", Text: func() string { return "123456\n" }}
)

// adds runs AddKey while the person does what the pages want, until it has
// ended or he has had enough.
func (s *keySite) adds(enough func() bool, pages ...xvfb.Page) error {
	var ended atomic.Bool
	done := make(chan error, 1)
	go func() {
		defer ended.Store(true)
		done <- s.window.AddKey(s.t.Context(), s.registry, user)
	}()
	s.Enter(func() bool { return ended.Load() || enough != nil && enough() }, pages...)
	if enough != nil && !ended.Load() {
		s.Key("ctrl+w")
	}
	return <-done
}

func (s *keySite) kept() *ipc.Passkey {
	s.t.Helper()
	var k ipc.Passkey
	if text := s.keep[store.KindPasskey]; text.IsZero() {
		return nil
	} else if err := json.Unmarshal([]byte(text.Reveal()), &k); err != nil {
		s.t.Fatal(err)
	}
	s.secrets = append(s.secrets, k.PrivateKey.Reveal())
	return &k
}

func TestAddKey(t *testing.T) {
	s := atKeySite(t)
	s.must(s.adds(nil, signsIn, checks, s.settings("My rotd key")))
	k := s.kept()
	if k == nil || k.RPID != "localhost" || k.SignCount < 1 || len(s.keys) != 1 {
		t.Fatalf("kept %+v; npm has %q", k, s.keys)
	}
	if len(s.driven) > 0 || s.webdrive != "false" {
		t.Errorf("attached during %q; navigator.webdriver is %q", s.driven, s.webdrive)
	}
	if s.keep[store.KindCookies].IsZero() {
		t.Error("the session was not kept")
	}
	s.Gone("npm")

	// Another one, in the same session: npm shows a key of that name already.
	s.taken = func(w http.ResponseWriter) bool { return true }
	s.must(s.adds(nil, s.settings("My rotd key")))
	if again := s.kept(); again.CredentialID == k.CredentialID || len(s.keys) != 2 {
		t.Errorf("kept the first key, npm has %q", s.keys)
	}
}

// What the person has to put down stays in the window for as long as he wants.
func TestAddKeyWithRecoveryCodes(t *testing.T) {
	s := atKeySite(t)
	s.codes = true
	s.must(s.adds(s.says("step kept"), signsIn, checks, s.settings("rotd")))
	if s.kept() == nil {
		t.Error("the key was not kept")
	}
}

// So does what comes on a page that is none of the settings, where nothing is
// attached; npm's answer was a good one.
func TestAddKeyThatLeavesTheSettings(t *testing.T) {
	s := atKeySite(t)
	s.away = true
	s.must(s.adds(func() bool { return s.says("step kept")() && len(s.Windows("Away")) > 0 }, signsIn, checks, s.settings("rotd")))
	if s.kept() == nil {
		t.Error("the key was not kept")
	}
}

func (s *keySite) says(what string) func() bool {
	return func() bool { return strings.Contains(s.text(), what) }
}

// What npm has not taken is not kept, and what was kept before stays.
func TestAddKeyFails(t *testing.T) {
	former := secret.New(`{"credentialId":"b2xkIEVYQU1QTEU="}`)
	gone := make(chan struct{})
	for name, tc := range map[string]struct {
		prepare func(s *keySite)
		pages   []string // that the person passes, of those in order
		enough  string
		kind    error
		says    string
	}{
		"closed at the sign-in":  {enough: "step window", kind: ErrNeedsPerson, says: "the window was closed before npm had taken one; nothing was kept"},
		"closed at the settings": {pages: []string{"sign in", "check"}, enough: "step settings", kind: ErrNeedsPerson, says: "the window was closed"},
		"nobody comes":           {prepare: func(s *keySite) { s.window.Time = time.Second }, kind: ErrNeedsPerson, says: "nobody added one within 1s; nothing was kept"},
		"rot is ended":           {prepare: func(s *keySite) { s.window.Gone = gone; close(gone) }, kind: ErrNeedsPerson, says: "the command that asked for it was ended"},
		"npm refuses": {prepare: func(s *keySite) {
			s.taken = func(w http.ResponseWriter) bool { w.WriteHeader(http.StatusUnprocessableEntity); return false }
		}, pages: []string{"sign in", "check", "settings"}, enough: "step refused", kind: ErrRefused, says: "npm did not take it: 422; nothing was kept"},
		"npm refuses in words": {prepare: func(s *keySite) {
			s.taken = func(w http.ResponseWriter) bool {
				fmt.Fprint(w, "There is a key rotd with this attestation")
				return false
			}
		}, pages: []string{"sign in", "check", "settings"}, enough: "step refused", kind: ErrRefused, says: "npm did not take it: There is a key rotd with this attestation; nothing was kept"},
		"another account": {prepare: func(s *keySite) { s.user = "eve" }, pages: []string{"sign in", "check"}, kind: ErrRefused, says: "this is the account of eve, not of ada"},
		"no display":      {prepare: func(s *keySite) { s.window.Browser.Display = []string{"DISPLAY=:7654"} }, kind: ErrNeedsPerson, says: "no window could be opened"},
	} {
		t.Run(name, func(t *testing.T) {
			s := atKeySite(t)
			s.keep[store.KindPasskey] = former
			if tc.prepare != nil {
				tc.prepare(s)
			}
			var pages []xvfb.Page
			for _, p := range tc.pages {
				pages = append(pages, map[string]xvfb.Page{"sign in": signsIn, "check": checks, "settings": s.settings("rotd")}[p])
			}
			var enough func() bool
			if tc.enough != "" {
				enough = s.says(tc.enough)
			}
			err := s.adds(enough, pages...)
			if s.fails(err, tc.kind); !strings.Contains(err.Error(), tc.says) {
				t.Errorf("says %q", err)
			}
			if !s.keep[store.KindPasskey].Equal(former) || !s.keep[store.KindCookies].IsZero() {
				t.Error("something was kept")
			}
			if len(s.driven) > 0 {
				t.Errorf("attached during %q", s.driven)
			}
			s.Gone("npm")
		})
	}
}

// A key that npm refuses may be followed by one that it takes.
func TestAddKeyAgain(t *testing.T) {
	s := atKeySite(t)
	n := 0
	s.taken = func(w http.ResponseWriter) bool {
		if n++; n == 1 {
			w.WriteHeader(http.StatusInternalServerError)
			return false
		}
		return true
	}
	s.must(s.adds(nil, signsIn, checks, s.settings("rotd")))
	if s.kept() == nil || n < 2 {
		t.Errorf("kept %v after %d tries", s.kept(), n)
	}
}

// What is kept cannot be: npm's key is named, to be deleted.
func TestAddKeyThatCannotBeKept(t *testing.T) {
	s := atKeySite(t)
	s.window.Keep = fullKeeper{s.keep}
	err := s.adds(nil, signsIn, checks, s.settings("rotd"))
	if !errors.Is(err, errFull) || !strings.Contains(err.Error(), "could not be kept") {
		t.Error(err)
	}
}

var errFull = errors.New("the disk is full")

type fullKeeper struct{ keeper }

func (fullKeeper) PutSecret(context.Context, store.Kind, secret.Text) error { return errFull }
