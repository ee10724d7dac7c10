package npm

import (
	"slices"
	"strings"

	"rotd/daemon/browser"
)

// This file is all that rotd knows of the looks of npm's pages; signin.go acts
// on it, pages_answers.go fills them in, pages_errors.go says what went wrong. A page that fits nothing here is not touched.

// pageForm is one of npm's pages that asks for something.
type pageForm struct {
	is string // what it is, for a person
	// marks are on the page and on no other of this list; with fields and
	// button they are how it is recognised.
	marks    []browser.Control
	formName string // the value of the hidden field formName; "": there is none
	fields   []browser.Control
	button   browser.Control
	// wrong is what it means that npm shows it again.
	wrong error
}

var (
	signInForm = &pageForm{ // A.3
		is: "the sign-in form",
		fields: []browser.Control{
			{Role: "textbox", Name: "Username", Field: "username", ID: "login_username"},
			{Role: "textbox", Name: "Password", Field: "password", ID: "login_password"},
		},
		button: browser.Control{Role: "button", Name: "Sign In"},
		wrong:  ErrWrongPassword,
	}
	codeForm = &pageForm{ // A.3.1, and A.4 for the escalation
		is:       "the form for a one-time code",
		formName: "totp",
		fields:   []browser.Control{{Role: "textbox", Name: "One-time Password", Field: "otp", ID: "login_otp"}},
		button:   browser.Control{Role: "button", Name: "Login"},
		wrong:    ErrWrongCode,
	}
	emailForm = &pageForm{ // A.3.2
		is:     "the form for a code sent by e-mail",
		marks:  []browser.Control{{Role: "heading", Name: "Login Verification"}},
		fields: []browser.Control{{Role: "textbox", Name: "One-Time Password", Field: "otp", ID: "login_otp"}},
		button: browser.Control{Role: "button", Name: "Login"},
		wrong:  ErrWrongCode,
	}
	keyForm = &pageForm{ // A.3.3
		is:     "the page of the security key",
		button: browser.Control{Role: "button", Name: "Use security key"},
		wrong:  ErrWrongCode,
	}
	passwordForm = &pageForm{ // A.4
		is:       "the form that confirms the password",
		formName: "password",
		fields:   []browser.Control{{Role: "textbox", Name: "Password", Field: "escalated_password", ID: "escalate_escalated_password"}},
		button:   browser.Control{Role: "button", Name: "Confirm password to continue"},
		wrong:    ErrWrongPassword,
	}

	// pageForms is the order in which they are looked for.
	pageForms = []*pageForm{signInForm, passwordForm, codeForm, emailForm, keyForm}
)

// otherWays are the links (at sign-in) and buttons (at an escalation) that lead
// from one check to another (A.3.1, A.3.3, A.4). The way to a recovery code is
// not among them: those are never used.
var otherWays = []struct {
	to       *pageForm
	controls []browser.Control
}{
	{codeForm, []browser.Control{
		{Role: "link", Name: "Enter two-factor authentication code"},
		{Role: "button", Name: "Enter two-factor authentication code"},
	}},
	{keyForm, []browser.Control{
		{Role: "link", Name: "Use your security key"},
		{Role: "button", Name: "Use your security key"},
	}},
	{passwordForm, []browser.Control{{Role: "button", Name: "Use password"}}},
}

// allowButtons let a sign-in that was asked for pass. No source shows npm
// asking so; if it does, then at the address that the registry gave.
var (
	allowPaths   = []string{"/login/cli/", "/auth/cli/"}
	allowButtons = []browser.Control{
		{Role: "button", Name: "Allow"},
		{Role: "button", Name: "Authorize"},
		{Role: "button", Name: "Approve"},
		{Role: "button", Name: "Confirm"},
		{Role: "button", Name: "Continue"},
	}
)

// succeeded is the renderer of the page behind the last check (KB, A.3.3). Its
// wording is not known; successWords are what such a page would say.
const succeeded = "auth/authentication-successful"

var successWords = []string{
	"authentication successful", "successfully authenticated", "you are authenticated",
	"login successful", "successfully logged in", "you are now logged in",
	"you may close this", "you can close this", "you may now close this", "you can now close this",
	"return to the command line", "return to your terminal",
}

// challengeWords are those of bot checks (SD, A.8). npm's own banners say none
// of them.
var challengeWords = []string{
	"just a moment", "checking if the site connection is secure",
	"checking your browser before accessing", "verify you are human",
	"verifying you are human", "additional verification required",
	"enable javascript and cookies to continue",
}

// faultWords are those of npm's own failures that come with status 200
// (A.3.1).
var faultWords = []string{"something unexpected occurred"}

// glance is what a page shows at a moment, apart from its controls.
type glance struct {
	Document  float64 `json:"document"` // tells one document from the next
	Ready     bool    `json:"ready"`
	Origin    string  `json:"origin"`
	Path      string  `json:"path"`
	Failed    bool    `json:"failed"` // the browser's own page for a server that is not there
	Title     string  `json:"title"`
	Renderer  string  `json:"renderer"`
	FormName  string  `json:"formName"`
	Errors    int     `json:"errors"` // errorCount
	Alert     string  `json:"alert"`
	User      string  `json:"user"`  // who is signed in; empty: nobody
	Props     bool    `json:"props"` // the page told so
	Email     string  `json:"email"` // where a code was sent, masked by npm
	Text      string  `json:"text"`
	Challenge bool    `json:"challenge"`

	answer browser.Answer
}

// readGlance is the script behind a glance. The props stand in context or, as
// some scripts found them, at the top (A.1). A page whose scripts are still to
// run is not ready, unless something in it has been loading for too long.
const readGlance = `(function() {
	const top = window.__context__ || {}, props = top.context || {};
	const text = e => e ? e.innerText.replace(/\s+/g, " ").trim() : "";
	const alerts = where => [...document.querySelectorAll(where + "[role=alert]")].map(text).filter(t => t)[0] || "";
	return {
		document: performance.timeOrigin,
		ready: document.readyState === "complete" || document.readyState === "interactive" && performance.now() > 3000,
		origin: location.origin,
		path: location.pathname,
		failed: location.protocol === "chrome-error:",
		title: document.title,
		renderer: String(top.name || ""),
		formName: document.querySelector("form input[type=hidden][name=formName]")?.value || "",
		errors: Number(props.errorCount ?? top.errorCount ?? 0) || 0,
		alert: alerts("main ") || alerts(""),
		user: String((props.user ?? top.user)?.name ?? ""),
		props: "user" in props || "user" in top,
		email: String(props.email ?? ""),
		text: text(document.body).slice(0, 4000).toLowerCase(),
		challenge: !!document.querySelector(".cf-browser-verification, [id^=cf-challenge], [class^=cf-challenge], [id^=cf-chl-], [class^=cf-chl-]")
			|| typeof window._cf_chl_opt !== "undefined",
	};
})()`

// successful reports whether the page is the one behind the last check. Words
// count only where no form is.
func (g *glance) successful() bool {
	if r := g.answer.Header.Get("renderername"); r != "" {
		return r == succeeded
	}
	return g.Renderer == succeeded
}

func (g *glance) soundsSuccessful() bool { return g.says(successWords) }

// botCheck reports a page that wants to see a person.
func (g *glance) botCheck() bool {
	return g.answer.Header.Get("cf-mitigated") == "challenge" || g.Challenge || g.says(challengeWords)
}

func (g *glance) says(words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool {
		return strings.Contains(g.Text, w) || strings.Contains(strings.ToLower(g.Title), w)
	})
}
