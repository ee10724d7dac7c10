package browser

import (
	"path/filepath"
	"strings"

	"github.com/chromedp/chromedp"
)

// quiet are the features that would ask the internet for things by themselves,
// or put something in front of the page.
const quiet = "Translate,MediaRouter,DialMediaRouteProvider,OptimizationHints," +
	"AutofillServerCommunication,CertificateTransparencyComponentUpdater,NetworkTimeServiceQuerying"

// homes are where Chromium 156 calls in spite of every flag against it: to see
// who is signed in to the browser, and for updates. None of them is npm's.
var homes = []string{"accounts.google.com", "clients*.google.com", "update.googleapis.com",
	"safebrowsing.googleapis.com", "optimizationguide-pa.googleapis.com", "content-autofill.googleapis.com",
	"android.clients.google.com", "mtalk.google.com"}

// flags are what Chromium is started with. No secret is ever among them: a
// command line can be read by every user of the machine.
func flags(c Config, profileDir string) []chromedp.ExecAllocatorOption {
	on := []string{
		"no-first-run", "no-default-browser-check", "disable-search-engine-choice-screen",
		"disable-background-networking", "disable-component-update", "disable-sync", "disable-quic",
		"disable-domain-reliability", "disable-client-side-phishing-detection",
		"safebrowsing-disable-auto-update", "metrics-recording-only", "no-pings",
		"disable-breakpad", "disable-default-apps", "disable-extensions",
		"disable-dev-shm-usage", "disable-hang-monitor", "disable-prompt-on-repost",
		"use-mock-keychain", // macOS: never ask for the login keychain
	}
	opts := []chromedp.ExecAllocatorOption{
		chromedp.UserDataDir(profileDir),
		// chromedp adds it by itself for root, where it is not said.
		chromedp.Flag("no-sandbox", c.NoSandbox),
		// The profile lives for one run and is sealed by the passcard.
		chromedp.Flag("password-store", "basic"),
		chromedp.Flag("disable-features", quiet),
		chromedp.Flag("host-resolver-rules", "MAP "+strings.Join(homes, " ~NOTFOUND, MAP ")+" ~NOTFOUND"),
		chromedp.WindowSize(1280, 900),
	}
	if c.Visible {
		// A person is there and does it all: the page is told so, and the
		// browser offers to keep nothing and warns of none of the flags here.
		on = append(on, "disable-save-password-bubble", "test-type")
		opts = append(opts, chromedp.Flag("disable-blink-features", "AutomationControlled"))
	} else {
		on = append(on, "hide-scrollbars", "mute-audio")
		opts = append(opts, chromedp.Flag("headless", "new"))
	}
	for _, name := range on {
		opts = append(opts, chromedp.Flag(name, true))
	}
	return opts
}

// passed are the names of the variables that the browser gets from the
// environment; passedVisible those it gets for a window.
var (
	passed = []string{"PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ",
		"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"}
	passedVisible = []string{"DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "XDG_SESSION_TYPE"}
)

// environment is what Chromium gets of env: nothing but the names above. What
// it keeps or throws away it does inside the profile.
func environment(c Config, env []string, p *profile) []string {
	names := passed
	if c.Visible {
		names = append(names[:len(names):len(names)], passedVisible...)
	}
	have := make(map[string]string)
	read := func(env []string) {
		for _, kv := range env {
			if k, v, ok := strings.Cut(kv, "="); ok {
				have[k] = v
			}
		}
	}
	read(env)
	if c.Display != nil { // not a mixture of two displays
		for _, k := range passedVisible {
			delete(have, k)
		}
		read(c.Display)
	}
	if have["DISPLAY"] != "" && have["XAUTHORITY"] == "" && have["HOME"] != "" {
		have["XAUTHORITY"] = filepath.Join(have["HOME"], ".Xauthority") // it moves with HOME otherwise
	}
	out := []string{"HOME=" + p.dir, "TMPDIR=" + p.tmp}
	for _, k := range names {
		if v := have[k]; v != "" {
			out = append(out, k+"="+v)
		}
	}
	return out
}
