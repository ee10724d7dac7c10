package browser

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"

	"rotd/daemon/browser/xvfb"
	"rotd/ipc"
)

// registration is a page that registers a security key at Enter, and tells its
// server. Its title counts what came of it.
const registration = `<!doctype html><title>Register</title><button autofocus>Add</button><script>
	let n = 0;
	document.querySelector("button").onclick = async () => {
		if (n == 2 || n == 1 && !confirm("Another one?")) return;
		try {
			const c = await navigator.credentials.create({publicKey: {challenge: new Uint8Array(32),
				rp: {id: "localhost", name: "npm"}, user: {id: new TextEncoder().encode("ada" + n), name: "ada", displayName: "Ada"},
				pubKeyCredParams: [{type: "public-key", alg: -7}], attestation: "none", timeout: 5000}});
			const a = await fetch("/taken?" + navigator.webdriver, {method: "POST", body: c.id});
			document.title = "Registered " + (++n) + " " + navigator.webdriver + " " + a.status;
		} catch (e) { document.title = "Failed " + e }
	}
</script>`

// A tab of a person's window gets a security key in the middle of its life, and
// is let go of; the page can have another one made after that.
func TestAKeyMadeInAWindow(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
			return
		}
		_, _ = w.Write([]byte(registration))
	}))
	defer s.Close()
	d := xvfb.Start(t)
	ctx, w := openWindow(t, d)
	if err := w.Show(ctx, strings.Replace(s.URL, "127.0.0.1", "localhost", 1)+"/"); err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, title := range []string{"Register", "Registered 1"} {
		d.Window(title)
		p, letGo := attach(ctx, t, w)
		if err := p.NewPasskey(ctx); err != nil {
			t.Fatal(err)
		}
		if k, _ := p.MadePasskey(); k != nil {
			t.Errorf("a key before the page asked for one: %+v", k)
		}
		var k *ipc.Passkey
		var last time.Time
		err := p.WaitFor(ctx, func(context.Context) (bool, error) {
			var told *Answer
			if k, told = p.MadePasskey(); k == nil && time.Since(last) > time.Second {
				d.Key("Return") // and once more for the question, which is the person's
				last = time.Now()
			}
			return told != nil && !told.Document && told.Status == http.StatusCreated, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		der, err := base64.StdEncoding.DecodeString(k.PrivateKey.Reveal())
		if err == nil {
			_, err = x509.ParsePKCS8PrivateKey(der)
		}
		if err != nil || k.RPID != "localhost" || k.SignCount < 1 || k.CredentialID == "" {
			t.Errorf("the key: %+v, %v", k, err)
		}
		seen = append(seen, k.CredentialID)
		letGo()
		tabs, err := w.tabs(ctx)
		if err != nil || slices.ContainsFunc(tabs, func(t *target.Info) bool { return t.Attached }) {
			t.Errorf("let go of: %+v, %v", tabs, err)
		}
	}
	if seen[0] == seen[1] {
		t.Error("the second key is the first")
	}
	d.Window("Registered 2 false 201")
}

// attach attaches to the tab that shows a page of the test.
func attach(ctx context.Context, t *testing.T, w *Window) (*Page, func()) {
	t.Helper()
	tabs, err := w.Tabs(ctx)
	i := slices.IndexFunc(tabs, func(t Tab) bool { return strings.HasPrefix(t.URL, "http") })
	if err != nil || i < 0 {
		t.Fatalf("tabs %+v, %v", tabs, err)
	}
	p, letGo, err := w.Attach(ctx, tabs[i])
	if err != nil {
		t.Fatal(err)
	}
	return p, letGo
}

func TestAttachingToNothing(t *testing.T) {
	ctx, w := openWindow(t, xvfb.Start(t))
	if _, _, err := w.Attach(ctx, Tab{ID: "gone"}); err == nil {
		t.Error("attached to a tab that is not there")
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	tabs, err := w.Tabs(ctx)
	if err != nil || len(tabs) == 0 {
		t.Fatalf("tabs %+v, %v", tabs, err)
	}
	if _, _, err := w.Attach(ended, tabs[0]); err == nil {
		t.Error("attached under a context that had ended")
	}
}
