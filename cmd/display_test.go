package cmd_test

import (
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/rogpeppe/go-internal/testscript"

	"rotd/daemon/browser/xvfb"
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

// actAtDisplay is `person PASSWORD SECRET`: ada, with her authenticator app,
// does what the pages of a window want until it is gone.
func actAtDisplay(ts *testscript.TestScript, neg bool, args []string) {
	d, seen := worldOf(ts).display, false
	done := func() bool { return seen && len(d.Windows("npm")) == 0 }
	d.Enter(done,
		xvfb.Page{Title: "Sign In", Text: func() string { seen = true; return "ada\t" + args[0] + "\n" }},
		xvfb.Page{Title: "Enter a One-time", Text: func() string {
			seen = true
			code, err := totp.GenerateCode(args[1], time.Now())
			ts.Check(err)
			return code + "\n"
		}})
}

// closeWindow is `closes TITLE`: the person closes a window as soon as it is
// there.
func closeWindow(ts *testscript.TestScript, neg bool, args []string) {
	d := worldOf(ts).display
	d.Window(args[0])
	d.Key("ctrl+w")
	d.Gone(args[0])
}
