package npm

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"rotd/daemon/browser"
)

// This file is what AddKey knows of npm's settings of second factors (A.5). Of
// their looks no source tells more than the address: the key is known by the
// name that was typed, wherever the page comes to show it.

var (
	keysPath     = regexp.MustCompile(`^/settings/[^/]+/tfa(/|$)`)
	settingsPath = regexp.MustCompile(`^/settings/[^/]+/`)
)

// checkEnds end the titles of checks, in lower case: those of npm's settings may
// have the same words in them.
var checkEnds = []string{"one-time password", "confirm password to continue", "security key", "sign in"}

// inSettings reports whether the tab shows a page of the settings, by its
// address, and none of the checks that npm shows in their place (A.4). While the
// tab is on its way there, and may end elsewhere, its title is the address.
func (v *keyVisit) inSettings(t browser.Tab, path *regexp.Regexp) bool {
	u, err := url.Parse(t.URL)
	if err != nil || siteOf(t.URL) != v.site || !path.MatchString(u.Path) || strings.HasSuffix(t.URL, t.Title) {
		return false
	}
	for _, title := range checkEnds {
		if strings.HasSuffix(strings.ToLower(t.Title), title) {
			return false
		}
	}
	return true
}

// settingsGlance is what the settings show at a moment.
type settingsGlance struct {
	Check  bool     `json:"check"` // a check is on the page (A.4)
	User   string   `json:"user"`
	Alerts []string `json:"alerts"`
	Fields []string `json:"fields"` // what stands in the text fields: the name of the key
	Lines  []string `json:"lines"`
	Codes  bool     `json:"codes"` // recovery codes, which the person has to put down
}

const readSettings = `(function() {
	const top = window.__context__ || {}, props = top.context || {};
	const body = document.body ? document.body.innerText : "";
	return {
		check: !!(props.escalateType || top.escalateType || document.querySelector("#login_otp, #login_password, #escalate_escalated_password")),
		user: String((props.user || top.user || {}).name || ""),
		alerts: ` + readAlerts + `,
		fields: [...document.querySelectorAll("input[type=text], input:not([type])")].map(e => e.value.trim()).filter(t => t),
		lines: body.split("\n").map(l => l.replace(/\s+/g, " ").trim()).filter(l => l).slice(0, 2000),
		codes: /\b[0-9a-f]{16,}\b/i.test(body),
	};
})()`

// watch looks at the settings, and for the key. It reports whether they show it.
func (v *keyVisit) watch(ctx context.Context, t browser.Tab) (shown bool, err error) {
	var g settingsGlance
	if err := v.page.Read(ctx, readSettings, &g); err != nil {
		return false, err
	}
	switch {
	case g.Check:
		v.passed = t
		v.letGo()
		return false, nil
	case g.User != "" && !strings.EqualFold(g.User, v.user):
		return false, &Error{Kind: ErrRefused, Message: fmt.Sprintf("%s: this is the account of %s, not of %s", v.doing(), cut(g.User, 60), v.user),
			Hint: "sign in as " + v.user + " in the window, or add the key to the passcard of that account"}
	}
	if err := v.collect(ctx); err != nil {
		return false, err
	}
	if v.key == nil {
		v.note(&g)
		return false, nil
	}
	told := v.told
	if key, _ := v.page.MadePasskey(); key == nil && told == nil { // the tab has been elsewhere since
		told = &browser.Answer{Document: true}
	}
	if told == nil {
		v.names = append(v.names, g.Fields...) // as they stood when it was made
	}
	return v.judge(ctx, told, &g)
}

// note remembers what the page shows without a key.
func (v *keyVisit) note(g *settingsGlance) {
	v.names, v.alerts = append([]string{KeyName}, g.Fields...), g.Alerts
	now := make(map[string]int)
	for _, line := range g.Lines {
		now[line]++
		v.before[line] = max(v.before[line], now[line])
	}
}

// wrong is what the page says since there is a key, unless that it is well.
func (v *keyVisit) wrong(g *settingsGlance) string {
	for _, said := range g.Alerts {
		if !slices.Contains(v.alerts, said) && (!goodWords.MatchString(said) || badWords.MatchString(said)) {
			return said
		}
	}
	return ""
}

var (
	goodWords = regexp.MustCompile(`(?i)success|added|enabled|saved|registered`)
	badWords  = regexp.MustCompile(`(?i)\bnot\b|unable|fail|error|invalid|already`)
)

// shows reports whether the page has a line with the key's name that it did not
// have before, and that does not say what is wrong.
func (v *keyVisit) shows(g *settingsGlance) bool {
	now := make(map[string]int)
	for _, line := range g.Lines {
		now[line]++
		for _, name := range v.names {
			if len(name) > 2 && strings.Contains(" "+line+" ", " "+name+" ") && now[line] > v.before[line] && !slices.Contains(g.Alerts, strings.TrimSuffix(line, " ×")) {
				return true
			}
		}
	}
	return false
}
