package browser

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// asRoot: Chromium's own sandbox is used wherever it works.
var asRoot = os.Geteuid() == 0

// start starts the real Chromium with a directory of its own, and ends it with
// the test.
func start(t *testing.T) (context.Context, *Browser) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	b, err := Start(ctx, Config{NoSandbox: asRoot, Dir: t.TempDir()})
	if err != nil {
		t.Fatalf("these tests need a Chromium (Debian: apt install chromium): %v", err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return ctx, b
}

// site serves one page on localhost, the one http origin where WebAuthn works.
func site(t *testing.T, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, "<!doctype html><title>A page</title><body>%s", body)
	}))
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "127.0.0.1", "localhost", 1) + "/"
}

func TestOpen(t *testing.T) {
	ctx, b := start(t)
	p := b.Page()
	if err := p.Open(ctx, site(t, "<h1>Hello</h1>")); err != nil {
		t.Fatal(err)
	}
	title, err := p.Title(ctx)
	if err != nil || title != "A page" {
		t.Errorf("title %q, %v", title, err)
	}
	text, err := p.Text(ctx)
	if err != nil || text != "Hello" {
		t.Errorf("text %q, %v", text, err)
	}
	if a := p.Answer(); a.Status != 200 || a.N != 1 || a.Header.Get("content-type") == "" {
		t.Errorf("answer %+v", a)
	}
}
