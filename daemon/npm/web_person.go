package npm

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"rotd/daemon/browser"
)

// checkPaths begin the addresses of checks, and checkTitles are in the titles
// of those that come at another page's address (A.4).
var (
	checkPaths  = []string{"/login", "/escalate"}
	checkTitles = []string{"one-time password", "security key", "confirm password", "sign in", "just a moment"}
)

func atCheck(path string) bool {
	return slices.ContainsFunc(checkPaths, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") })
}

// glimpseTick is how often a page that was let go of is looked for.
const glimpseTick = 250 * time.Millisecond

// passHere is what a person is asked at a check that comes in our own window.
var passHere = errand{
	doing: passing, told: "pass npm's check in the browser window; rotd goes on by itself",
	undone: "nobody passed the check", before: "the check was passed",
	outcome: "nothing was changed", again: "pass the check in the window; rotd goes on by itself",
}

// byHand lets go of the page until the person has passed its check. All that is
// looked at meanwhile is the tab's address and title.
func (w *Web) byHand(ctx context.Context, s *sight) error {
	w.v.page.Note("let go of the page for " + s.name())
	if err := w.v.page.Release(); err != nil {
		return err
	}
	w.letGo = true
	w.sayWhose()
	w.a.tell("window", passHere.told)
	if err := (&Window{Time: w.cfg.Time, Gone: w.cfg.Gone}).wait(ctx, passHere, w.moved); err != nil {
		return err
	}
	w.v.page.Note("take the page back")
	if err := w.v.page.Attach(ctx); err != nil {
		return err
	}
	w.letGo = false
	w.sayWhose()
	w.v.last = nil // what the person was told is not about us
	return w.v.useKey(ctx)
}

// sayWhose has the log say whose a window is.
func (w *Web) sayWhose() {
	if w.cfg.Display == nil {
		return
	}
	if w.letGo || w.v == nil {
		w.a.cfg.Log.Debug("the window is the person's")
	} else {
		w.a.cfg.Log.Debug("the window is driven")
	}
}

// moved waits until the tab shows something else than a check, at two looks in
// a row: between two pages there may be a third. It is false when the person
// has closed the tab.
func (w *Web) moved(ctx context.Context) (bool, error) {
	var first browser.Tab
	for moved := 0; moved < 2; {
		t, open, err := w.v.page.Glimpse(ctx)
		switch {
		case err != nil || !open:
			return false, err
		case t.Attached:
			return false, &Error{Kind: browser.ErrFailed, Message: w.v.doing + ": something else is attached to the page on which the check is to be passed", Hint: "end what drives or inspects the browser, and try again"}
		case first.ID == "":
			first = t
		}
		if moved++; t == first || isCheck(t.URL, t.Title) {
			moved = 0
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(glimpseTick):
		}
	}
	return true, nil
}

// isCheck reports whether a tab of this address and title shows a check, or a
// page that is still on its way.
func isCheck(address, title string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || atCheck(u.Path) {
		return true
	}
	shown := strings.ToLower(title)
	onTheWay := strings.HasSuffix(strings.ToLower(strings.TrimSuffix(address, "/")), strings.TrimSuffix(shown, "/"))
	return onTheWay || // an address is the title until there is one
		slices.ContainsFunc(checkTitles, func(t string) bool { return strings.Contains(shown, t) })
}
