package browser

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestTicksDatesAndQuestions(t *testing.T) {
	ctx, b := start(t)
	p := b.Page()
	if err := p.Open(ctx, site(t, `
		<label><input type=checkbox name=plain checked> Plain</label>
		<input type=checkbox id=drawn style="opacity:0;width:0;height:0"> <label for=drawn style="padding:5px">Drawn</label>
		<input type=checkbox id=stubborn onclick="return false"> <label for=stubborn>Stubborn</label>
		<input type=checkbox disabled aria-label=Disabled>
		<div role=checkbox aria-checked=false tabindex=0 aria-label=Custom onclick="this.setAttribute('aria-checked', 'true')">☐</div>
		<label><input type=radio name=r value=1> One</label> <label><input type=radio name=r value=2> Two</label>
		<label>Until <input type=date name=until onchange="said.textContent = this.value"></label><p id=said></p>
		<button onclick="answer.textContent += confirm('Delete it?') + ' '">Delete</button>
		<button onclick="answer.textContent += confirm('Buy it?') + ' '">Buy</button><p id=answer></p>`)); err != nil {
		t.Fatal(err)
	}
	p.patience = 2 * time.Second
	for _, test := range []struct {
		c    Control
		on   bool
		fail bool
	}{
		{c: Control{Role: "checkbox", Name: "Plain"}},
		{c: Control{Role: "checkbox", Name: "Plain"}},
		{c: Control{Role: "checkbox", Name: "Plain"}, on: true},
		{c: Control{Role: "checkbox", Name: "Drawn"}, on: true}, // by its label alone
		{c: Control{Role: "checkbox", Name: "Stubborn"}, on: true, fail: true},
		{c: Control{Role: "checkbox", Name: "Disabled"}, on: true, fail: true},
		{c: Control{Role: "checkbox", Name: "Custom"}, on: true},
		{c: Control{Role: "radio", Name: "renamed", Field: "r", Value: "2"}, on: true},
	} {
		err := p.Tick(ctx, test.c, test.on)
		if test.fail {
			if !errors.Is(err, ErrNoControl) {
				t.Errorf("%v: %v", test.c, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v: %v", test.c, err)
			continue
		}
		if s, err := p.State(ctx, test.c); err != nil || s.On != test.on {
			t.Errorf("%v: %+v, %v", test.c, s, err)
		}
	}
	if s, err := p.State(ctx, Control{Role: "radio", Name: "One"}); err != nil || s.On || s.Value != "1" {
		t.Errorf("the other radio button: %+v, %v", s, err)
	}

	until := Control{Role: "Date", Name: "Until"}
	if err := p.SetDate(ctx, until, "2026-12-24"); err != nil {
		t.Error(err)
	}
	if text, err := p.Text(ctx); err != nil || !strings.Contains(text, "2026-12-24") {
		t.Errorf("the page saw %q, %v", text, err)
	}

	if err := p.SetDate(ctx, until, "no date"); !errors.Is(err, ErrNoControl) {
		t.Error(err)
	}

	p.Agree(func(question string) bool { return strings.HasPrefix(question, "Delete") })
	for _, name := range []string{"Buy", "Delete", "Delete"} {
		if err := p.Click(ctx, Control{Role: "button", Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	var answers string
	if err := p.Read(ctx, "answer.textContent", &answers); err != nil || answers != "false true false " {
		t.Errorf("answered %q, %v", answers, err)
	}
}

func TestFindingByPlace(t *testing.T) {
	ctx, b := start(t)
	p := b.Page()
	if err := p.Open(ctx, site(t, `
		<nav>Second</nav>
		<h2>First</h2> <details><summary aria-label="Days : 7 days">7 days</summary></details> <button>Go</button>
		<h2>Second</h2> <button id=b>Go</button> <button>Go</button> <button>Only here</button>
		<h2>Third</h2> <p>Fourth</p> <details><summary>Pick some</summary><button>Closed</button></details>
		<table><tr><td><a href="/x/k1">one</a></td><td><button>×</button></td></tr>
		<tr><td><a href="/x/k2">two</a></td><td><input type=checkbox aria-label="Select two"></td><td><button id=two>×</button></td></tr></table>`)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		c    Control
		want bool
	}{
		{Control{Role: "button", Name: "Go"}, false},
		{Control{Role: "button", Name: "Go", Under: "second"}, true},
		{Control{Role: "button", Name: "Only here", Under: "Second"}, true},
		{Control{Role: "button", Name: "Only here", Under: "First"}, false},
		{Control{Role: "button", Name: "Go", Under: "Third"}, false},
		{Control{Role: "button", Name: "Go", Under: "Nowhere"}, false},
		{Control{Menu: true, Under: "First"}, true},
		{Control{Menu: true, Under: "Second"}, false},
		{Control{Menu: true, Under: "Fourth"}, true},
		{Control{Menu: true, Name: "Pick some"}, true},
		{Control{Menu: true, Name: "Days : 7 days"}, true},
		{Control{Menu: true}, false},
		{Control{Role: "button", Name: "Closed"}, false},
		{Control{Role: "button", Name: "×"}, false},
		{Control{Role: "button", Name: "×", Row: "k2"}, true},
		{Control{Role: "button", Name: "×", Row: "one"}, true},
		{Control{Role: "button", Name: "×", Row: "k3"}, false},
		{Control{Role: "checkbox", Row: "k2"}, true},
		{Control{Role: "checkbox", Row: "k1"}, false},
	} {
		if got, err := p.Has(ctx, test.c); err != nil || got != test.want {
			t.Errorf("Has(%+v) = %v, %v; want %v", test.c, got, err, test.want)
		}
	}
	for c, want := range map[Control]string{
		{Role: "button", Name: "Go", Under: "Second"}: "b", {Role: "button", Name: "×", Row: "two"}: "two",
	} {
		if err := p.Click(ctx, Control{Menu: true, Under: "First"}); err != nil {
			t.Fatal(err)
		}
		if err := p.Click(ctx, c); err != nil {
			t.Fatal(err)
		}
		var id string
		if err := p.Read(ctx, "document.activeElement.id", &id); err != nil || id != want {
			t.Errorf("%v is #%s, %v", c, id, err)
		}
	}
	if s, err := p.State(ctx, Control{Menu: true, Under: "First"}); err != nil || s.Text != "7 days" {
		t.Errorf("the menu shows %+v, %v", s, err)
	}
}
