package browser

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"

	"rotd/daemon/browser/xvfb"
)

func openWindow(t *testing.T, d *xvfb.Display) (context.Context, *Window) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	w, err := OpenWindow(ctx, Config{NoSandbox: asRoot, Dir: t.TempDir(), Display: d.Env()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return ctx, w
}

// report is a page that tells what it knows of being driven, and then what is
// typed into it.
const reportPage = `<!doctype html><title>Report</title><form><input name=typed autofocus></form>
<script>
const send = text => fetch("/said", {method: "POST", body: text});
send("webdriver " + navigator.webdriver).then(() => document.title = "Reported");
document.forms[0].onsubmit = e => { e.preventDefault(); send("typed " + document.forms[0].typed.value); };
</script>`

func TestAWindowIsAPersons(t *testing.T) {
	said := make(chan string, 4)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			var b [200]byte
			n, _ := r.Body.Read(b[:])
			said <- string(b[:n])
			return
		}
		if c, err := r.Cookie("wub"); err == nil && r.URL.Path == "/" {
			said <- "cookie " + c.Value
		}
		http.SetCookie(w, &http.Cookie{Name: "new", Value: "fromThePage"})
		fmt.Fprint(w, reportPage)
	}))
	defer s.Close()
	home := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)

	d := xvfb.Start(t)
	ctx, w := openWindow(t, d)
	if err := w.SetCookies(ctx, []byte(`[{"name":"wub","value":"sessionEXAMPLE","domain":"localhost","path":"/"}]`)); err != nil {
		t.Fatal(err)
	}
	if err := w.Show(ctx, home+"/"); err != nil {
		t.Fatal(err)
	}
	d.Window("Reported")
	d.Type("by hand")
	d.Key("Return")
	for _, want := range []string{"cookie sessionEXAMPLE", "webdriver false", "typed by hand"} {
		select {
		case got := <-said:
			if got != want {
				t.Errorf("the page said %q, want %q", got, want)
			}
		case <-ctx.Done():
			t.Fatalf("the page never said %q", want)
		}
	}
	tabs, err := w.tabs(ctx)
	if err != nil || len(tabs) != 1 || tabs[0].Attached || tabs[0].Title != "Reported" {
		t.Errorf("tabs %+v, %v: want one that nothing is attached to", tabs, err)
	}
	session, err := w.Cookies(ctx)
	if err != nil || !strings.Contains(string(session), "fromThePage") || !strings.Contains(string(session), "sessionEXAMPLE") {
		t.Errorf("the window's session: %v", err)
	}
	for _, pid := range processes(t, w.b.profile.dir) {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if strings.Contains(string(line), home) {
			t.Errorf("the address is on a command line: %q", line)
		}
	}
}

// Whatever is attached to a page while a person uses it is noticed.
func TestADrivenWindow(t *testing.T) {
	ctx, w := openWindow(t, xvfb.Start(t))
	if err := w.Show(ctx, site(t, "alone")); err != nil {
		t.Fatal(err)
	}
	looks := func(n int) func([]Tab) bool { return func([]Tab) bool { n--; return n < 0 } }
	var tab Tab
	if _, err := w.Watch(ctx, func(tabs []Tab) bool { tab = tabs[0]; return tab.Title == "A page" }); err != nil {
		t.Fatal(err)
	}
	_, letGo, err := w.Attach(ctx, tab)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Watch(ctx, looks(2)); err != nil {
		t.Fatal(err)
	}
	letGo()
	if _, err := w.Watch(ctx, looks(2)); err != nil || w.Driven() {
		t.Fatalf("by Attach alone it is driven: %v, %v", w.Driven(), err)
	}
	_, err = cdp.Call(ctx, w.b.chromium(), target.AttachToTarget, target.AttachToTargetParams{TargetID: target.ID(tab.ID)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Watch(ctx, looks(2)); err != nil || !w.Driven() {
		t.Errorf("attached to, it is not driven: %v", err)
	}
}

func TestAWindowIsClosed(t *testing.T) {
	d := xvfb.Start(t)
	for name, closeIt := range map[string]func(ctx context.Context, w *Window){
		"by its tab":   func(context.Context, *Window) { d.Key("ctrl+w") },
		"whole":        func(context.Context, *Window) { d.Key("ctrl+shift+w") },
		"with a crash": func(_ context.Context, w *Window) { _ = w.b.chromium().Process().Kill() },
		"all tabs, the browser stays": func(ctx context.Context, w *Window) {
			tabs, _ := w.tabs(ctx)
			for _, tab := range tabs {
				_, _ = cdp.Call(ctx, w.b.chromium(), target.CloseTarget, target.CloseTargetParams{TargetID: tab.TargetID})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, w := openWindow(t, d)
			if err := w.Show(ctx, site(t, "open")); err != nil {
				t.Fatal(err)
			}
			d.Window("A page")
			closed := make(chan error, 1)
			go func() { closed <- w.Wait(ctx) }()
			closeIt(ctx, w)
			if err := <-closed; err != nil {
				t.Errorf("Wait: %v", err)
			}
			d.Gone("A page")
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	_, w := openWindow(t, xvfb.Start(t))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := w.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait: %v", err)
	}
}

func TestNoSuchDisplay(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenWindow(t.Context(), Config{NoSandbox: asRoot, Dir: dir, Display: []string{"DISPLAY=:7654"}})
	if !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "DISPLAY") || entries(t, dir) != 0 {
		t.Errorf("%v, %d files left", err, entries(t, dir))
	}
}

// The variables of another display do not get in between.
func TestTheDisplayIsTheCallers(t *testing.T) {
	p := &profile{dir: "/p", tmp: "/p/tmp"}
	env := []string{"DISPLAY=:1", "XAUTHORITY=/one", "XDG_RUNTIME_DIR=/run/one", "WAYLAND_DISPLAY=wayland-1", "LANG=C", "SECRET=x", "HOME=/home/ada"}
	got := environment(Config{Visible: true, Display: []string{"DISPLAY=:2"}}, env, p)
	want := []string{"HOME=/p", "TMPDIR=/p/tmp", "LANG=C", "DISPLAY=:2", "XAUTHORITY=/home/ada/.Xauthority"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	got = environment(Config{Visible: true, Display: []string{"WAYLAND_DISPLAY=wayland-0", "XDG_RUNTIME_DIR=/run/two"}}, env, p)
	want = []string{"HOME=/p", "TMPDIR=/p/tmp", "LANG=C", "WAYLAND_DISPLAY=wayland-0", "XDG_RUNTIME_DIR=/run/two"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
