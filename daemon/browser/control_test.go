package browser

import (
	"errors"
	"strings"
	"testing"
	"time"

	"rotd/ipc/secret"
)

// reactive is a field like React's: it takes what comes with input events and
// puts everything else back.
const reactive = `
<label for=u>User name</label><input id=u name=username value="left over">
<p id=seen></p><p id=keys></p>
<script>
	let held = u.value, down = 0;
	const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
	Object.defineProperty(u, "value", {get() { return held }, set() {}});
	u.addEventListener("keydown", e => { if (e.isTrusted) keys.textContent = ++down });
	u.addEventListener("input", e => { held = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").get.call(u); seen.textContent = held });
</script>`

func TestFillTypesAndReadsBack(t *testing.T) {
	ctx, b := start(t)
	p := b.Page()
	if err := p.Open(ctx, site(t, reactive)); err != nil {
		t.Fatal(err)
	}
	const value = `Ada "p&ss" wörd 🔑 <EXAMPLE>`
	if err := p.Fill(ctx, Control{Role: "textbox", Name: "user name"}, secret.New(value)); err != nil {
		t.Fatal(err)
	}
	text, err := p.Text(ctx)
	if err != nil || !strings.Contains(text, value) {
		t.Errorf("the page saw %q, %v", text, err)
	}
	var down int
	if err := p.Read(ctx, "down", &down); err != nil || down < len([]rune(value)) {
		t.Errorf("%d key events, %v", down, err)
	}
}

func TestFillFailsWithoutTellingTheValue(t *testing.T) {
	ctx, b := start(t)
	p := b.Page()
	if err := p.Open(ctx, site(t, `<input name=code maxlength=3 aria-label=Code><input name=ro aria-label=Fixed readonly>`)); err != nil {
		t.Fatal(err)
	}
	p.patience = 300 * time.Millisecond
	value := secret.New("123456EXAMPLE")
	for _, c := range []Control{{Role: "textbox", Name: "Code"}, {Role: "textbox", Name: "Fixed"}, {Field: "nowhere"}} {
		err := p.Fill(ctx, c, value)
		if !errors.Is(err, ErrNoControl) || strings.Contains(err.Error(), "123") {
			t.Errorf("%v: %v", c, err)
		}
	}
	if err := p.Fill(ctx, Control{Field: "code"}, secret.New("1\n2")); err == nil {
		t.Error("a line feed was typed")
	}
}

func TestFindingControls(t *testing.T) {
	ctx, b := start(t)
	p := b.Page()
	if err := p.Open(ctx, site(t, `
		<label>One-time   Password <input name=otp id=login_otp></label>
		<label>Password <input type=password name=pw></label>
		<button>Login</button> <a href="/">Login</a>
		<button>Twice</button> <button id=second>Twice</button>
		<button hidden>Hidden</button> <button style="visibility:hidden">Hidden</button> <button aria-label="Unseen" style="display:none">x</button>
		<input type=hidden name=formName value=totp>
		<button disabled>Off</button>`)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		c    Control
		want bool
	}{
		{Control{Role: "textbox", Name: "One-Time Password"}, true},
		{Control{Role: "textbox", Name: "Password"}, true},
		{Control{Role: "textbox", Name: "something else", Field: "otp"}, true},
		{Control{Role: "textbox", Name: "something else", Field: "nothing", ID: "login_otp"}, true},
		{Control{ID: "login_otp"}, true},
		{Control{Role: "textbox", Name: "time"}, false},
		{Control{Role: "button", Name: "login"}, true},
		{Control{Role: "link", Name: "login"}, true},
		{Control{Role: "checkbox", Name: "login"}, false},
		{Control{Role: "button", Name: "Twice"}, false},
		{Control{Role: "button", Name: "Twice", ID: "second"}, true},
		{Control{Role: "button", Name: "Hidden"}, false},
		{Control{Role: "button", Name: "Unseen"}, false},
		{Control{Field: "formName"}, false},
		{Control{Field: `quote"]`}, false},
		{Control{Role: "button", Name: "Off"}, true},
	} {
		if got, err := p.Has(ctx, test.c); err != nil || got != test.want {
			t.Errorf("Has(%v) = %v, %v; want %v", test.c, got, err, test.want)
		}
	}
}

func TestClickWaitsUntilItCan(t *testing.T) {
	ctx, b := start(t)
	p := b.Page()
	if err := p.Open(ctx, site(t, `
		<div style="height:3000px"></div>
		<button id=go disabled>Go</button><p id=said></p>
		<div id=cover style="position:fixed;inset:0;background:#fff"></div>
		<script>
			go.onclick = e => said.textContent += e.isTrusted ? "clicked " : "faked ";
			setTimeout(() => go.disabled = false, 200);
			setTimeout(() => cover.remove(), 400);
		</script>`)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := p.Click(ctx, Control{Role: "button", Name: "Go"}); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(began); d < 200*time.Millisecond {
		t.Errorf("clicked a disabled, covered button after %s", d)
	}
	var said string
	if err := p.Read(ctx, "said.textContent", &said); err != nil || said != "clicked " {
		t.Errorf("%q, %v", said, err)
	}
}

func TestClickOnNothing(t *testing.T) {
	ctx, b := start(t)
	p := b.Page()
	if err := p.Open(ctx, site(t, `<button>Other</button>`)); err != nil {
		t.Fatal(err)
	}
	p.patience = 300 * time.Millisecond
	err := p.Click(ctx, Control{Role: "button", Name: "Generate token"})
	if !errors.Is(err, ErrNoControl) || !strings.Contains(err.Error(), `"Generate token"`) {
		t.Error(err)
	}
}

// A dialog that nobody answers must not stop the work.
func TestDialogsAreDismissed(t *testing.T) {
	ctx, b := start(t)
	p := b.Page()
	if err := p.Open(ctx, site(t, `<button onclick="document.title = confirm('Really?') ? 'yes' : 'no'">Ask</button>`)); err != nil {
		t.Fatal(err)
	}
	if err := p.Click(ctx, Control{Role: "button", Name: "Ask"}); err != nil {
		t.Fatal(err)
	}
	if title, err := p.Title(ctx); err != nil || title != "no" {
		t.Errorf("%q, %v", title, err)
	}
}
