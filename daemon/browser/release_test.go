package browser

import (
	"context"
	"testing"
	"time"

	"rotd/daemon/browser/xvfb"
	"rotd/ipc/secret"
)

// A page in a window is ours and the person's in turn; while it is his, nothing
// is attached to it.
func TestLettingGoOfAPage(t *testing.T) {
	d := xvfb.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b, err := Start(ctx, Config{NoSandbox: asRoot, Dir: t.TempDir(), Visible: true, Display: d.Env()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	p := b.Page()
	home := site(t, `<input name=ours> <input name=theirs autofocus oninput="document.title = 'Typed'">
		<script>document.title = "Driven: " + navigator.webdriver</script>`)
	for range 2 {
		if err := p.Open(ctx, home); err != nil {
			t.Fatal(err)
		}
		if err := p.Release(); err != nil {
			t.Fatal(err)
		}
		if tab, open, err := p.Glimpse(ctx); err != nil || !open || tab.Attached {
			t.Errorf("let go of: %+v, %v, %v", tab, open, err)
		}
		d.Window("Driven: false")
		d.Type("by hand")
		d.Window("Typed")
		if tab, _, err := p.Glimpse(ctx); err != nil || tab.Title != "Typed" || tab.Attached {
			t.Errorf("after typing: %+v, %v", tab, err)
		}
		if err := p.Attach(ctx); err != nil {
			t.Fatal(err)
		}
		if s, err := p.State(ctx, Control{Field: "theirs"}); err != nil || s.Value != "by hand" {
			t.Errorf("typed: %q, %v", s.Value, err)
		}
		if err := p.Fill(ctx, Control{Field: "ours"}, secret.New("by the driver")); err != nil {
			t.Fatal(err)
		}
		var driven bool
		if err := p.Read(ctx, "navigator.webdriver", &driven); err != nil || driven {
			t.Errorf("driven: %v, %v", driven, err)
		}
	}
	if err := p.Release(); err != nil {
		t.Fatal(err)
	}
	if err := p.Release(); err == nil {
		t.Error("let go of twice")
	}
	d.Window("Typed")
	d.Key("ctrl+w")
	for {
		_, open, err := p.Glimpse(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !open {
			break
		}
		time.Sleep(tick)
	}
	if err := p.Attach(ctx); err == nil {
		t.Error("attached to a page that is gone")
	}
}
