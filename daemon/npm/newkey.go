package npm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"

	"rotd/daemon/browser"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// KeyName is what a person is told to call rotd's security key on npm's page.
const KeyName = "rotd"

// KeysPage is the page of the account's second factors (A.5).
func KeysPage(site, username string) string { return site + "/settings/" + username + "/tfa" }

var addKeyErrand = errand{
	doing:  "add a security key",
	told:   "sign in to npm in the browser window, and pass its checks; its settings of two-factor authentication open then",
	undone: "nobody added one", before: "npm had taken one",
	outcome: "nothing was kept", again: "add the key in the window; it closes by itself",
}

// AddKey has the person add a security key of ours on npm's settings page of
// second factors, and keeps it. Signing in, and every check that npm puts before
// that page, is done with nothing attached to it; only while the tab stands in
// the settings the browser has a software key, whose touch is given by itself.
//
// What is kept npm has taken: the key counts once npm's server has answered its
// registration well, and the window closes when the page shows it. Otherwise
// the key that was kept before, if any, stays. Errors are those of Pass, and
// ErrRefused where npm did not take the key or the account is another one.
func (w *Window) AddKey(ctx context.Context, site, username string) error {
	former, err := w.Keep.Secret(ctx, store.KindPasskey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%s: %w", addKeyErrand.doing, err)
	}
	return w.open(ctx, addKeyErrand, KeysPage(site, "~"), func(ctx context.Context, win *browser.Window) (bool, error) {
		v := &keyVisit{Window: w, win: win, site: siteOf(site), user: username, former: former, before: map[string]int{}}
		return v.run(ctx)
	})
}

// keyVisit is one AddKey.
type keyVisit struct {
	*Window
	win        *browser.Window
	site, user string
	former     secret.Text // the key that was kept before

	page   *browser.Page // of the tab that is attached to; nil: none
	detach func()
	tab    browser.Tab
	passed browser.Tab // a tab that was let go of, as a check was on it

	key     *ipc.Passkey
	told    *browser.Answer // what npm said first after the key was made; nil: nothing yet
	taken   bool            // npm answered the key's registration well, and it is kept
	refused string          // how npm answered instead
	alert   string          // what the page says is wrong, at the last look
	names   []string
	alerts  []string       // that the page showed without a key
	before  map[string]int // the lines that the page showed without a key, and how often
}

// run has the key made and kept. A key that npm took is kept however the window
// was closed: recovery codes may have had to be put down before.
func (v *keyVisit) run(ctx context.Context) (done bool, err error) {
	shown := false
	_, ended := v.win.Watch(ctx, func(tabs []browser.Tab) bool {
		shown, err = v.look(ctx, tabs)
		var own *Error
		if err != nil && !errors.As(err, &own) { // the tab, or all of it, goes away under us
			v.log().Debug("npm's settings", "err", err)
			err = v.leave(ctx)
		}
		return shown || err != nil
	})
	err = cmp.Or(err, v.leave(context.WithoutCancel(ctx)))
	switch {
	case shown, err == nil && v.taken && v.alert == "":
		return true, nil
	case v.taken:
		v.refused = notTaken(v.alert)
	}
	if err := v.forget(context.WithoutCancel(ctx)); err != nil {
		v.log().Error("a security key that npm may not know is kept", "err", err)
	}
	if err == nil && v.refused != "" && ended == nil {
		err = &Error{Kind: ErrRefused, Message: v.doing() + ": " + v.refused + "; nothing was kept",
			Hint: "run the command again; if npm shows the key " + KeyName + " nevertheless, delete it there"}
	}
	return false, cmp.Or(err, ended)
}

func notTaken(why string) string { return "npm did not take it: " + cut(browser.Redact(why), 100) }

func (v *keyVisit) doing() string { return addKeyErrand.doing }

func (v *keyVisit) tell(name, text string) {
	if v.Tell != nil {
		v.Tell(name, text)
	}
}

func (v *keyVisit) log() *slog.Logger {
	if v.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return v.Log
}

// look attaches to a tab in the settings, or lets go of one that has left them.
// It reports whether the page shows the key.
func (v *keyVisit) look(ctx context.Context, tabs []browser.Tab) (shown bool, err error) {
	if v.page == nil {
		for _, t := range tabs {
			if v.inSettings(t, keysPath) && (t.URL != v.passed.URL || t.Title != v.passed.Title) {
				return false, v.attach(ctx, t)
			}
		}
		return false, nil
	}
	for _, t := range tabs {
		if t.ID == v.tab.ID && v.inSettings(t, settingsPath) {
			return v.watch(ctx, t)
		}
	}
	// It may be on its way from where the key was made to where npm shows it.
	return false, v.leave(ctx)
}

func (v *keyVisit) attach(ctx context.Context, t browser.Tab) error {
	page, detach, err := v.win.Attach(ctx, t)
	if err != nil {
		return err
	}
	v.page, v.detach, v.tab = page, detach, t
	if err := page.NewPasskey(ctx); err != nil {
		return err
	}
	v.log().Debug("attached to npm's settings")
	v.tell("settings", "add a security key there, and call it "+KeyName+": rotd is the key, and touches itself; the window closes when npm has taken it")
	return nil
}

func (v *keyVisit) letGo() {
	if v.page != nil {
		v.detach()
		v.page = nil
		v.log().Debug("let go of npm's settings")
	}
}

// leave lets go of the page, with what has become of the key until then.
func (v *keyVisit) leave(ctx context.Context) error {
	defer v.letGo()
	err := v.collect(ctx)
	if err == nil && v.key != nil && !v.taken {
		_, err = v.judge(ctx, v.told, &settingsGlance{})
	}
	return err
}

// collect takes over the key that the page has had made, if any, and npm's
// answer to it: both are lost when the page is let go of.
func (v *keyVisit) collect(ctx context.Context) error {
	if v.page == nil {
		return nil
	}
	key, told := v.page.MadePasskey()
	if key == nil {
		return nil
	}
	v.told = told
	return v.made(ctx, key)
}

// made notes the key that the page has had made, in place of an earlier one.
func (v *keyVisit) made(ctx context.Context, key *ipc.Passkey) error {
	if v.key != nil && v.key.CredentialID == key.CredentialID {
		if v.taken && v.key.SignCount < key.SignCount {
			v.key = key
			return v.seal(ctx)
		}
		return nil
	}
	if err := v.fits(key); err != nil {
		return err
	}
	if err := v.forget(ctx); err != nil {
		return err
	}
	v.key, v.refused = key, ""
	return nil
}

// judge keeps the key as soon as npm's server has answered its registration
// well, and the page says nothing else, or as soon as the page shows it.
func (v *keyVisit) judge(ctx context.Context, told *browser.Answer, g *settingsGlance) (shown bool, err error) {
	shown = v.shows(g)
	if told == nil || v.refused != "" && !shown {
		return false, nil
	}
	v.alert = v.wrong(g)
	no := !told.Document && (told.Failure != "" || told.Status >= 400)
	switch {
	case v.taken:
	case shown || !no && !told.Document && v.alert == "":
		if err := v.seal(ctx); err != nil {
			return false, err
		}
		v.taken, v.refused = true, ""
		v.tell("kept", "npm has taken the key; if it shows recovery codes, put them down and close the window")
	case no || v.alert != "":
		v.refused = notTaken(cmp.Or(v.alert, told.Failure, strconv.Itoa(told.Status)))
		v.log().Debug("npm did not take the key", "status", told.Status)
		v.tell("refused", v.refused+"; try again in the window, or close it")
	}
	return v.taken && shown && !g.Codes, nil
}

// fits checks that the key is npm's: of its site, or of a domain above it.
func (v *keyVisit) fits(k *ipc.Passkey) error {
	u, err := url.Parse(v.site)
	if err != nil || k.RPID != u.Hostname() && !strings.HasSuffix(u.Hostname(), "."+k.RPID) {
		return &Error{Kind: ErrRefused, Message: v.doing() + ": the page made a key for another site; nothing was kept", Hint: "run the command again"}
	}
	return nil
}

func (v *keyVisit) seal(ctx context.Context) error {
	raw, err := json.Marshal(v.key)
	if err == nil {
		err = v.Keep.PutSecret(ctx, store.KindPasskey, secret.New(string(raw)))
	}
	if err != nil {
		return &Error{Kind: err, Message: v.doing() + ": it could not be kept: " + err.Error(), Hint: "delete the key that npm shows as " + KeyName + ", and run the command again"}
	}
	return nil
}

// forget puts back what was kept before.
func (v *keyVisit) forget(ctx context.Context) error {
	if !v.taken {
		return nil
	}
	v.taken = false
	return v.Keep.PutSecret(ctx, store.KindPasskey, v.former)
}
