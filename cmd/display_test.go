package cmd_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/rogpeppe/go-internal/testscript"

	"rotd/daemon/browser/xvfb"
	"rotd/daemon/npm/sandbox"
)

// scriptT is a script as a test.
type scriptT struct {
	*testscript.TestScript
	w *world
}

func (scriptT) Helper()            {}
func (t scriptT) Cleanup(f func()) { t.w.cleanups = append(t.w.cleanups, f) }

// startDisplay is `display`: what the script runs from here on has one. The
// daemon has not.
func startDisplay(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	w.display = xvfb.Start(scriptT{ts, w})
	ts.Setenv("DISPLAY", w.display.Name)
}

// actAtDisplay is `person PASSWORD SECRET [key]`: the person signs in, if npm
// asks, and passes the check with the code of an authenticator that has the
// secret, until the window closes by itself. With key, he adds rotd's security
// key in npm's settings.
func actAtDisplay(ts *testscript.TestScript, neg bool, args []string) {
	d, seen := worldOf(ts).display, false
	attached := func() int { return strings.Count(ts.ReadFile("rotd.log"), "attached to npm's settings") }
	before := attached()
	d.Asked = func() (int, bool) { return sandbox.Asked(requests(ts)) }
	d.Log = func() string { return ts.ReadFile("rotd.log") }
	// A page on its way has its address for a title: so any window counts.
	done := func() bool { return seen && len(d.Windows(".")) == 0 }
	pages := []xvfb.Page{
		{Title: "Sign In", Text: func() string { seen = true; return "ada\t" + args[0] + "\n" }},
		{Title: "Enter a One-time", Text: func() string {
			seen = true
			code, err := totp.GenerateCode(args[1], time.Now())
			ts.Check(err)
			return code + "\n"
		}},
	}
	if len(args) > 2 {
		pages = append(pages,
			xvfb.Page{Title: "Two-Factor Auth", Text: func() string { d.Find("Manage Security Keys"); return "\n" }},
			xvfb.Page{Title: "Security Keys", Text: func() string {
				for deadline := time.Now().Add(30 * time.Second); attached() == before && time.Now().Before(deadline); {
					time.Sleep(50 * time.Millisecond)
				}
				d.Find("Security key name")
				d.Key("Tab")
				d.Type("rotd")
				time.Sleep(600 * time.Millisecond) // few hands are faster
				return "\n"
			}})
	}
	d.Enter(done, pages...)
}

// requests are those that the sandbox has had.
func requests(ts *testscript.TestScript) (all []sandbox.Request) {
	resp, err := http.Get(ts.Getenv("REGISTRY") + "/-/sandbox/requests")
	ts.Check(err)
	defer resp.Body.Close()
	ts.Check(json.NewDecoder(resp.Body).Decode(&all))
	return all
}

// closeWindow is `closes TITLE`: the person closes a window as soon as it is
// there.
func closeWindow(ts *testscript.TestScript, neg bool, args []string) {
	d := worldOf(ts).display
	d.Window(args[0])
	d.Key("ctrl+w")
	d.Gone(args[0])
}
