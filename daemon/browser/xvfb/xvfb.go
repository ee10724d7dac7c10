// Package xvfb is a display and a person's hands, for tests of what happens in
// a window: an X server without a screen, and xdotool at its keyboard.
package xvfb

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// patience bounds how long a window is waited for.
const patience = 30 * time.Second

// T is the test: a *testing.T, or a script's.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Display is an X server that ends with the test.
type Display struct {
	t    T
	Name string // ":7"
	// Asked is what the site behind the windows knows: how many forms it has been
	// sent, and whether the page that it showed last wants another one. nil:
	// nobody knows.
	Asked func() (sent int, asks bool)
	// Log is what rotd has logged so far: it says when a window is the person's,
	// who types nothing before. nil: always.
	Log func() string
}

// Start starts an X server. It fails the test where Xvfb or xdotool is missing.
func Start(t T) *Display {
	t.Helper()
	for _, tool := range []string{"Xvfb", "xdotool"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is not installed: run .ci/tools.sh test", tool)
		}
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatalf("start Xvfb: %v", err)
	}
	defer out.Close()
	// It would begin anew whenever xdotool, its only client, has left.
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-noreset", "-screen", "0", "1280x1000x24", "-nolisten", "tcp")
	cmd.ExtraFiles = []*os.File{in}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start Xvfb: %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	_ = in.Close()
	number, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb did not start: %v", err)
	}
	return &Display{t: t, Name: ":" + strings.TrimSpace(number)}
}

// Env are the variables that name the display.
func (d *Display) Env() []string { return []string{"DISPLAY=" + d.Name} }

// Window waits for a window whose title holds text, gives it the keyboard and
// returns its id.
func (d *Display) Window(title string) (id string) {
	d.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if all := d.Windows(title); len(all) > 0 {
			id = all[len(all)-1]
			break
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("no window %q within %s; there are %q", title, patience, d.titles())
		}
	}
	d.do(nil, "windowfocus", "--sync", id)
	return id
}

// Windows are those now on the display whose title holds text.
func (d *Display) Windows(title string) []string {
	out, _ := d.command("search", "--onlyvisible", "--name", title).Output() // 1 where there is none
	return strings.Fields(string(out))
}

func (d *Display) titles() (all []string) {
	for _, id := range d.Windows(".") {
		out, _ := d.command("getwindowname", id).Output()
		all = append(all, strings.TrimSpace(string(out)))
	}
	return all
}

// Gone waits until no window has text in its title.
func (d *Display) Gone(title string) {
	d.t.Helper()
	if !d.leaves(title, patience) {
		d.t.Fatalf("the window %q is still there after %s", title, patience)
	}
}

// Type types text into what has the keyboard. The text is in no command line.
func (d *Display) Type(text string) {
	d.t.Helper()
	d.do([]byte(text), "type", "--file", "-")
}

// Page is one that the person knows: part of its title, and what to type; "" is
// nothing for now.
type Page struct {
	Title string
	Text  func() string
}

// How long a person waits for something to come of what was typed: where the
// site has not been sent it, where it has, and where it has answered with another
// page that wants something.
const (
	typedTime = 15 * time.Second
	sentTime  = 20 * time.Second
	askedTime = 1500 * time.Millisecond
)

// Enter types into the pages, whichever is there, until done. What is typed
// before a page is ready is lost, and typed again: but not before it is clear that
// it was lost. On a busy machine it may only be late, and what is typed twice
// meets the page behind.
func (d *Display) Enter(done func() bool, pages ...Page) {
	d.t.Helper()
	for deadline := time.Now().Add(3 * patience); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("the pages come to no end; there are %q", d.titles())
		}
		for _, p := range pages {
			if !d.ours() {
				break
			}
			if ids := d.Windows(p.Title); len(ids) > 0 && d.command("windowfocus", ids[0]).Run() == nil {
				before, _ := d.asked()
				d.Key("ctrl+a")
				if text := p.Text(); text != "" {
					d.Type(text)
					d.settles(p.Title, before, done)
				} else {
					d.leaves(p.Title, time.Second)
				}
			}
		}
	}
}

// settles waits until something has come of what was typed: the page of the title
// has left, all is done, or the time is up after which it is lost, or the page is
// another one of the same title. Before is the number of forms sent until then.
func (d *Display) settles(title string, before int, done func() bool) {
	typed := time.Now()
	var sent, asked time.Time
	for len(d.Windows(title)) > 0 && !done() {
		now := time.Now()
		if n, asks := d.asked(); n > before {
			if sent.IsZero() {
				sent = now
			}
			if asks && asked.IsZero() {
				asked = now
			}
		}
		switch {
		case !asked.IsZero() && now.Sub(asked) > askedTime, !sent.IsZero() && now.Sub(sent) > sentTime,
			sent.IsZero() && now.Sub(typed) > typedTime:
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// ours reports whether no window is driven.
func (d *Display) ours() bool {
	if d.Log == nil {
		return true
	}
	log := d.Log()
	return strings.LastIndex(log, "the window is driven") <= strings.LastIndex(log, "the window is the person's")
}

func (d *Display) asked() (sent int, asks bool) {
	if d.Asked == nil {
		return 0, false
	}
	return d.Asked()
}

// leaves reports whether the title goes away within a time.
func (d *Display) leaves(title string, within time.Duration) bool {
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if len(d.Windows(title)) == 0 {
			return true
		}
	}
	return false
}

// Key presses keys by their X names, such as Return and ctrl+w.
func (d *Display) Key(names ...string) {
	d.t.Helper()
	d.do(nil, append([]string{"key"}, names...)...)
}

// Find has Chromium find text on its page. The keyboard then goes to a link in
// it, or by Tab to what comes after it.
func (d *Display) Find(text string) {
	d.t.Helper()
	d.Key("ctrl+f")
	d.Type(text)
	d.Key("Return", "Escape")
}

func (d *Display) do(stdin []byte, args ...string) {
	d.t.Helper()
	cmd := d.command(args...)
	cmd.Stdin = bytes.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("xdotool %s: %v: %s", args[0], err, out)
	}
}

func (d *Display) command(args ...string) *exec.Cmd {
	cmd := exec.Command("xdotool", args...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("DISPLAY=%s", d.Name))
	return cmd
}
