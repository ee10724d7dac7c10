package npm

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"rotd/daemon/browser"
	"rotd/daemon/npm/sandbox"
	"rotd/ipc"
	"rotd/store"
)

// web makes a Web in the world; change adjusts its configuration.
func (w *world) web(change ...func(*WebConfig)) *Web {
	w.t.Helper()
	c := WebConfig{
		Config:    w.config,
		Browser:   browser.Config{NoSandbox: os.Geteuid() == 0, Dir: w.t.TempDir()},
		ReportDir: w.t.TempDir(),
		patience:  3 * time.Second,
	}
	c.Registry = w.registry
	for _, f := range change {
		f(&c)
	}
	web, err := NewWeb(c)
	w.must(err)
	w.t.Cleanup(func() {
		if err := web.Close(w.t.Context()); err != nil {
			w.t.Error(err)
		}
		if left, _ := os.ReadDir(c.Browser.Dir); len(left) > 0 {
			w.t.Errorf("a profile is left: %v", left)
		}
	})
	return web
}

// patient is for pages that are all known: a busy machine may take its time.
func patient(c *WebConfig) { c.patience = 20 * time.Second }

// knowing gives a Web what an Account may know.
func knowing(what ...func(*Config)) func(*WebConfig) {
	return func(c *WebConfig) {
		for _, f := range what {
			f(&c.Config)
		}
	}
}

// rotation makes a token, checks it and revokes it.
func (w *world) rotation(web *Web, name string, want store.Shape) {
	w.t.Helper()
	ctx := w.t.Context()
	began := time.Now()
	t, err := web.Create(ctx, name, want)
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	if t.Name != name || t.Key == "" || t.Value.IsZero() || t.Expires.IsZero() || t.Created.IsZero() {
		w.t.Errorf("created %+v", t)
	}
	w.must(web.Verify(ctx, t, want))
	w.must(web.Revoke(ctx, t.Key))
	if ok, err := web.Accepts(ctx, t.Value); ok || err != nil {
		w.t.Errorf("%s is accepted: %v, %v", name, ok, err)
	}
	w.t.Logf("%s took %s", name, time.Since(began).Round(time.Millisecond))
}

// listed is what List returns: keys by name.
func (w *world) listed(web *Web) map[string]string {
	w.t.Helper()
	tokens, err := web.List(w.t.Context())
	w.must(err)
	all := map[string]string{}
	for _, t := range tokens {
		all[t.Name] = t.Key
	}
	return all
}

func TestWebShapes(t *testing.T) {
	t.Parallel()
	w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret, Orgs: []string{"acme", "tools"}})
	w.box.AddPackage("left-pad", false)
	w.box.AddPackage("@acme/one", false)
	w.box.AddPackage("@tools/two", false)
	w.set(`{"token_details_more": true}`)
	web := w.web(knowing(knowingPassword, knowingTOTP), patient)
	shapes := []store.Shape{
		publish,
		{PackagesAll: true, Permission: ipc.PermissionRead, ExpiresDays: 365},
		{Packages: []string{"left-pad", "@acme/one"}, Scopes: []string{"@tools"}, Permission: ipc.PermissionWrite, Orgs: []string{"acme", "tools"}, OrgsPerm: ipc.PermissionRead,
			ExpiresDays: 45, CIDR: []string{"127.0.0.0/8", "10.0.0.0/8"}, Description: "forty-five days, Ada's"},
		{Scopes: []string{"@acme"}, Packages: []string{"@acme/one"}, Permission: ipc.PermissionStage}, // the scope holds the package
	}
	for _, generation := range []int{1, 2} {
		w.set(fmt.Sprintf(`{"form_generation": %d}`, generation))
		for i, want := range shapes {
			if want.Permission != ipc.PermissionStage || generation > 1 { // the first one is older
				w.rotation(web, fmt.Sprintf("token-%d-%d", generation, i), want)
			}
		}
	}
}

// The check comes whenever npm likes: before a page or on a submission, at the
// page's own address or at one of its own, and what met it is lost or not.
func TestWebEscalations(t *testing.T) {
	t.Parallel()
	w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
	web := w.web(knowing(knowingPassword, knowingTOTP), patient)
	for i, switches := range []string{
		`{"settings_escalation": "on-open", "settings_escalation_life": 0}`,
		`{"settings_escalation": "on-submit", "settings_escalation_life": 0, "settings_held_post": "lost"}`,
		`{"settings_escalation": "on-submit", "settings_escalation_life": 0, "settings_held_post": "replayed", "settings_escalate_in_place": false}`,
		`{"settings_escalation": "never", "settings_delete_escalation": "always", "escalation": ["password", "otp"]}`,
	} {
		w.set(switches)
		w.rotation(web, fmt.Sprintf("token-%d", i), publish)
	}
}

// What npm may change without a person noticing, rotd does not notice either,
// and what it may show in one way or another does in each.
func TestWebDistorted(t *testing.T) {
	t.Parallel()
	w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
	w.set(`{"renamed_ids": true, "renamed_names": true}`)
	web := w.web(knowing(knowingPassword, knowingTOTP), patient)
	for i, switches := range []string{
		`{"form_generation": 1, "orgs_picker": "menu", "bypass_box": "label", "delete_how": "selected", "delete_confirm": "dialog", "new_token_markup": "input"}`,
		`{"form_generation": 2, "moved_submit": true, "alert_banner": true, "notification": true, "manifest_every": 2, "delete_how": "each", "delete_row_label": "named"}`,
		`{"renamed_ids": false, "renamed_names": false, "renamed_id": "create-gat_tokenName", "delete_confirm": "none", "new_token_markup": "code",
			"faults": [{"method": "POST", "path": "/settings/", "count": 1, "kind": "slow", "delay_ms": 4000}]}`,
	} {
		w.set(switches)
		shape := publish
		shape.Orgs, shape.OrgsPerm, shape.ExpiresDays = []string{"acme"}, ipc.PermissionRead, 20
		w.rotation(web, fmt.Sprintf("token-%d", i), shape)
	}
}

func TestWebChangedWords(t *testing.T) {
	t.Parallel()
	w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
	web := w.web(knowing(knowingPassword, knowingTOTP))
	unread := func(err error, says string) {
		t.Helper()
		if e := w.fails(err, ErrPage); !strings.Contains(e.Message, says) || !strings.Contains(e.Hint, "page-") {
			t.Errorf("%s: %s", e.Message, e.Hint)
		}
		for _, r := range w.box.Requests() {
			if r.Method == http.MethodPost && !r.Time.Before(w.clock.now()) {
				t.Errorf("%s was posted to a page that is not known", r.Path)
			}
		}
	}
	changed := func(switches string) {
		w.clock.sleep(t.Context(), time.Minute)
		w.set(`{"changed_words": false, "settings_escalation": "never"}`)
		w.set(switches)
	}
	changed(`{"changed_words": true}`)
	unread(web.SignIn(t.Context()), "expected")
	changed(`{}`)
	w.must(web.SignIn(t.Context()))
	changed(`{"changed_words": true}`)
	_, err := web.Create(t.Context(), "token", publish)
	w.notCreated(err, true)
	unread(err, "expected npm's form for a new token")
	_, err = web.List(t.Context())
	unread(err, "expected")
	changed(`{"changed_words": true, "settings_escalation": "on-open", "settings_escalation_life": 0}`)
	_, err = web.Create(t.Context(), "token", publish)
	w.notCreated(err, true)
	unread(err, "expected")
}

// On the website a code counts once: the second check waits for the next.
func TestWebCodesThatCountOnce(t *testing.T) {
	t.Parallel()
	w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
	w.set(`{"refuse_reused_site_totp": true, "settings_escalation": "on-submit", "settings_escalation_life": 0}`)
	web := w.web(knowing(knowingPassword, knowingTOTP), patient)
	w.must(web.SignIn(t.Context()))
	w.rotation(web, "token", publish) // a check for the token, and one for its deletion
	waits := w.clock.waits()
	if n := len(slices.DeleteFunc(waits, func(d time.Duration) bool { return d < time.Second || d > 31*time.Second })); n < 2 {
		t.Errorf("waited %v", w.clock.waits())
	}
}
