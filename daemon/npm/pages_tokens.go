package npm

import (
	"encoding/json"
	"fmt"

	"rotd/daemon/browser"
	"rotd/ipc"
)

// This file is all that rotd knows of the looks of npm's pages about tokens
// (npm-facts A.6, A.7). Where a control is seen in several shapes, each is
// listed, and one of them must be there. What looks otherwise is not touched.

// The addresses of the pages, below the site; %s is the user's name.
const (
	tokensPage  = "/settings/%s/tokens"
	newPage     = "/settings/%s/tokens/granular-access-tokens/new"
	detailsPage = "/settings/%s/tokens/granular-access-tokens/" // and the token's id
	// homePage tells who is signed in, and nothing asks for a check before it.
	// nowherePage is none: a script's request for it is told the same (A.1).
	homePage    = "/"
	nowherePage = "/-/whoami"
)

// The list of tokens (A.6).
var (
	// listMarks: each of them is on the list, and together on no other page.
	listMarks = []browser.Control{{Role: "link", Name: "Generate New Token"}}

	deleteSelected = browser.Control{Role: "button", Name: "Delete Selected Tokens"}
	// confirmDelete are the buttons of a question in the page.
	confirmDelete = []browser.Control{
		{Role: "button", Name: "Delete tokens"}, {Role: "button", Name: "Delete token"}, {Role: "button", Name: "Delete"},
		{Role: "button", Name: "Yes, delete"}, {Role: "button", Name: "Confirm"},
	}
	// deleteWords: the browser's own question is agreed to if it holds one.
	deleteWords = []string{"delete", "revoke", "remove"}
)

// deleteButtons are what a token's row may have to delete it with.
func deleteButtons(key, name string) []browser.Control {
	var all []browser.Control
	for _, word := range []string{"×", "x", "Delete", "Remove", "Delete " + name, "Delete token " + name, "Delete: " + name} {
		all = append(all, browser.Control{Role: "button", Name: word, Row: key})
	}
	return all
}

// tickBox is the one to select a token's row with.
func tickBox(key string) browser.Control { return browser.Control{Role: "checkbox", Row: key} }

// The form for a new token (A.7), in the order in which it is filled in: the
// permissions set the expiration anew.
var (
	nameField        = browser.Control{Role: "textbox", Name: "Token name", Field: "tokenName", ID: "create-gat_tokenName"}
	descriptionField = browser.Control{Role: "textbox", Name: "Description (optional)", Field: "tokenDescription", ID: "create-gat_tokenDescription"}
	bypassBox        = browser.Control{Role: "checkbox", Name: "Bypass two-factor authentication (2FA)", Field: "bypass2FA", ID: "create-gat_bypass2FA"}
	addRange         = browser.Control{Role: "button", Name: "Add IP Range"}
	generateButton   = browser.Control{Role: "button", Name: "Generate token"}

	packagesTitle = "Packages and scopes"
	orgsTitle     = "Organizations"

	allPackages  = browser.Control{Role: "radio", Name: "All packages", Field: "selectedPackagesAndScopes", Value: "packagesAll", ID: "packagesAll"}
	somePackages = browser.Control{Role: "radio", Name: "Only select packages and scopes", Field: "selectedPackagesAndScopes", Value: "packagesAndScopesSome", ID: "packagesAndScopesSome"}
	pickerMenu   = browser.Control{Menu: true, Name: "Select packages and scopes"}
	pickerFilter = browser.Control{Role: "combobox", Name: "Filter packages and scopes..."}
	orgsMenu     = browser.Control{Menu: true, Name: "Select organizations"}

	// expirationMenus open the choice of days. Which of the two is its title is
	// not known.
	expirationMenus = []browser.Control{{Menu: true, Under: "Expiration Date"}, {Menu: true, Under: "Expiration"}}
	customDate      = browser.Control{Role: "menuitemradio", Name: "Custom..."}
	dateField       = browser.Control{Role: "Date", Name: "Expiration Date", Field: "expirationDateInput"}
)

// formMarks are how the form is recognised.
var formMarks = []browser.Control{nameField, generateButton}

func rangeField(i int) browser.Control {
	name := fmt.Sprintf("create-gat_allowedIPRanges_%d", i)
	return browser.Control{Role: "textbox", Name: fmt.Sprintf("Input Range %d", i+1), Field: name, ID: name}
}

// permissionWords are the names of a permission, one of which the form offers.
// The second generation of the form tells two kinds of writing apart.
var permissionWords = map[string][]string{
	ipc.PermissionNone:  {"No access"},
	ipc.PermissionRead:  {"Read only"},
	ipc.PermissionWrite: {"Read and write", "Read and write (publish and stage)"},
	ipc.PermissionStage: {"Read and write (stage only)"},
}

// permissionMenu is the first generation's picker: a menu.
func permissionMenu(title string) browser.Control { return browser.Control{Menu: true, Under: title} }

// menuItem is one of the choices of an open menu.
func menuItem(word string) browser.Control {
	return browser.Control{Role: "menuitemradio", Name: word}
}

// permissionRadio is a choice of the second generation's picker.
func permissionRadio(title, word string) browser.Control {
	return browser.Control{Role: "radio", Name: word, Under: title}
}

func daysItem(days int) browser.Control { return menuItem(fmt.Sprintf("%d days", days)) }

// pickerItems are what a name is picked with from the open list.
func pickerItems(name string) []browser.Control {
	return []browser.Control{{Role: "button", Name: name}, {Role: "option", Name: name}, {Role: "menuitemcheckbox", Name: name}}
}

// orgBoxes are what an organization is chosen with.
func orgBoxes(org string) []browser.Control {
	return []browser.Control{
		{Role: "checkbox", Name: org, Under: orgsTitle, Field: org, ID: org},
		{Role: "menuitemcheckbox", Name: org, Under: orgsTitle},
	}
}

// readChosen reads the names that are chosen from the picker: each stands
// beside a button that takes it out again.
const readChosen = `[...document.querySelectorAll("button")]
	.filter(b => b.checkVisibility() && /^(cancel|remove)$|^(cancel|remove):? +@?[^ ]+$/i.test((b.getAttribute("aria-label") || b.innerText).trim()))
	.map(b => b.closest("li, [role=listitem]") || b.parentElement)
	.map(row => { const copy = row.cloneNode(true); for (const b of copy.querySelectorAll("button")) b.remove(); return copy.textContent.trim(); })
	.filter(name => name)`

// readTokens is what the page shows in full of tokens: in text, fields and code.
const readTokens = `[...new Set([document.body.innerText, ...[...document.querySelectorAll("input, textarea")].map(e => e.value),
	...[...document.querySelectorAll("code, pre")].map(e => e.textContent)].join("\n").match(/npm_[A-Za-z0-9]{36,}/g) || [])]`

// readList is the list as the page's props tell it or, where they do not, as
// its rows do: each has a link to the token's details.
const readList = `(function() {
	const top = window.__context__ || {}, list = (top.context || {}).list || top.list;
	if (list && Array.isArray(list.objects)) return {
		objects: list.objects.map(o => ({...o, token: undefined, hash: undefined})),
		total: Number(list.total) || 0, more: !!(list.urls && list.urls.next),
	};
	const rows = new Map();
	for (const a of document.querySelectorAll("a[href]")) {
		const m = /\/granular-access-tokens\/([a-f0-9-]{36})$/.exec(new URL(a.href).pathname);
		if (m && a.innerText.trim()) rows.set(m[1], {id: m[1], token_name: a.innerText.trim()});
	}
	return {objects: [...rows.values()], total: 0, more: !!document.querySelector("a[rel=next]")};
})()`

// rowShown is whether a row shows the token of this key or name.
func rowShown(key, name string) string {
	args, _ := json.Marshal([]string{key, name}) // strings always marshal
	return `(function(key, name) {
	return [...document.querySelectorAll("tr, li, [role=row], [role=listitem]")].some(row => [...row.querySelectorAll("*")]
		.some(e => (e.innerText || "").trim() === name || (e.getAttribute("href") || "").split("/").pop() === key));
})(...` + string(args) + `)`
}

// readDetails is what the page of one token tells in its props (PLAID, A.6).
const readDetails = `(function() {
	const top = window.__context__ || {};
	return (top.context || {}).tokenDetails || top.tokenDetails || {};
})()`

// detailsBypass is the box on that page.
var detailsBypass = browser.Control{Role: "checkbox", Name: "Bypass two-factor authentication (2FA)", ID: "gat-details_bypass2FA"}

// readAlerts are the errors that a page shows.
const readAlerts = `[...document.querySelectorAll("[role=alert]")].filter(e => e.checkVisibility()).map(e => e.innerText.replace(/\s+/g, " ").trim().replace(/ ×$/, "")).filter(t => t)`

// failedBanner says only that something else is wrong (A.7.1).
const failedBanner = "Token generation failed. Please review any errors and try again."

// duplicateWords are npm's for a name that is taken (A.7.1).
var duplicateWords = []string{"unique name", "duplicate token name"}

// countTicked counts the tick boxes that are on, in closed menus too.
const countTicked = `[...document.querySelectorAll("input[type=checkbox], [role=checkbox], [role=menuitemcheckbox]")]
	.filter(e => e.checked ?? e.getAttribute("aria-checked") === "true").length`
