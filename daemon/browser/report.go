package browser

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"

	"rotd/ipc/secret"
)

// reportsKept is how many reports a directory holds; older ones are removed.
const reportsKept = 10

// stepsKept is how many of the last steps a report tells.
const stepsKept = 200

// blot takes the place of a secret.
const blot = "[redacted]"

// secretShapes are what is taken out of a report though nobody named it: npm's
// tokens, the identifiers in the addresses of a sign-in, mail addresses, and
// long runs of letters and digits, as keys and signatures are.
var secretShapes = []string{
	`npm_[A-Za-z0-9]+`,
	`[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`,
	`[\w.+*-]+@[\w*-]+(?:\.[\w*-]+)+`,
	`[A-Za-z0-9_+/=-]{32,}`,
}

var shapes = regexp.MustCompile(strings.Join(secretShapes, "|"))

// Report keeps the page as it is, for a person who has to find out what rotd
// did not recognise: a picture, the HTML without scripts, the text, and what was
// done before, in a new directory below dir, whose path it returns. Input fields are emptied, and
// the secrets given, the cookies and whatever has the shape of a secret are
// blotted out, in the picture too. The page is of no use afterwards.
func (p *Page) Report(ctx context.Context, dir string, secrets ...secret.Text) (string, error) {
	known, err := p.b.knownSecrets(ctx, secrets)
	if err != nil {
		return "", err
	}
	var content struct{ URL, Title, Text, HTML string }
	if err := p.Read(ctx, blotPage(known), &content); err != nil {
		return "", err
	}
	var picture []byte
	if err := p.do(ctx, "take a picture of the page", func(ctx context.Context) error {
		res, err := cdp.Call(ctx, p.target, page.CaptureScreenshot, page.CaptureScreenshotParams{})
		picture = res.Data
		return err
	}); err != nil {
		return "", err
	}
	clean := func(s string) []byte { return []byte(redact(s, known)) }
	address := func(s string) string { // a long path is no secret, what is in it may be
		parts := strings.Split(without(known, s), "/")
		for i := range parts {
			parts[i] = Redact(parts[i])
		}
		return strings.Join(parts, "/")
	}
	var steps strings.Builder
	for _, step := range p.steps {
		fmt.Fprintln(&steps, address(step))
	}
	return keepReport(dir, map[string][]byte{
		"page.png":  picture,
		"page.html": clean(content.HTML),
		"steps.txt": []byte(steps.String()),
		"page.txt":  slices.Concat([]byte(address(content.URL)), clean("\n"+content.Title+"\n\n"+content.Text+"\n")),
	})
}

// Note adds a line to what a report tells of the steps before it. The Page notes
// by itself which pages it opens and which controls it uses.
func (p *Page) Note(step string) {
	if len(p.steps) == stepsKept {
		p.steps = p.steps[1:]
	}
	p.steps = append(p.steps, step)
}

// knownSecrets are the secrets given and the values of the cookies, the
// longest first, so that none hides the rest of another.
func (b *Browser) knownSecrets(ctx context.Context, secrets []secret.Text) ([]string, error) {
	session, err := b.Cookies(ctx)
	if err != nil {
		return nil, err
	}
	var cookies []cookie
	if err := json.Unmarshal(session, &cookies); err != nil {
		return nil, fmt.Errorf("read the browser's cookies: %w", err)
	}
	var known []string
	for _, s := range secrets {
		known = append(known, s.Reveal())
	}
	for _, c := range cookies {
		if len(c.Value) >= 6 { // shorter ones are settings
			known = append(known, c.Value)
		}
	}
	known = slices.DeleteFunc(known, func(s string) bool { return s == "" })
	slices.SortFunc(known, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return known, nil
}

// blotPage is the script that empties and blots the page itself.
func blotPage(known []string) string {
	list, _ := json.Marshal(known) // strings always marshal
	shape, _ := json.Marshal(strings.Join(secretShapes, "|"))
	return `(function(known, shape) {
		const clean = s => known.reduce((s, k) => s.split(k).join("` + blot + `"), s).replace(shape, "` + blot + `");
		for (const e of document.querySelectorAll("script, noscript, iframe, object, embed, img, canvas, video")) e.remove();
		const sheet = new CSSStyleSheet(); // outlives a script that draws the page anew
		sheet.replaceSync("input, textarea, select { color: transparent !important; -webkit-text-fill-color: transparent !important }");
		document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
		for (const e of document.querySelectorAll("*")) {
			if ("value" in e && typeof e.value === "string") { e.value = ""; e.removeAttribute("value"); if (e.matches("textarea")) e.textContent = ""; }
			for (const a of e.attributes) { const c = clean(a.value); if (c !== a.value) a.value = c; }
		}
		const texts = document.createTreeWalker(document, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_COMMENT);
		while (texts.nextNode()) {
			const n = texts.currentNode, c = clean(n.data);
			if (c !== n.data) n.data = c;
		}
		return {url: location.origin + location.pathname, title: document.title,
			text: document.body ? document.body.innerText : "", html: document.documentElement.outerHTML};
	})(` + string(list) + `, new RegExp(` + string(shape) + `, "g"))`
}

// redact blots the known secrets, and everything that has the shape of one.
func redact(s string, known []string) string {
	return shapes.ReplaceAllString(without(known, s), blot)
}

// without blots the known secrets, as they are and as HTML and addresses spell
// them.
func without(known []string, s string) string {
	for _, k := range known {
		for _, spelt := range []string{k, html.EscapeString(k), url.QueryEscape(k), url.PathEscape(k)} {
			s = strings.ReplaceAll(s, spelt, blot)
		}
	}
	return s
}

// Redact takes out of a text what has the shape of a secret, so that it can
// stand in an error or a log.
func Redact(s string) string { return redact(s, nil) }

// keepReport writes the files into a new private directory below dir, and
// removes the oldest reports there beyond reportsKept.
func keepReport(dir string, files map[string][]byte) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("keep the report: %w", err)
	}
	report, err := os.MkdirTemp(dir, "page-")
	if err != nil {
		return "", fmt.Errorf("keep the report: %w", err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(report, name), content, 0o600); err != nil {
			return "", fmt.Errorf("keep the report: %w", err)
		}
	}
	return report, pruneReports(dir)
}

func pruneReports(dir string) error {
	reports, err := filepath.Glob(filepath.Join(dir, "page-*"))
	if err != nil {
		return fmt.Errorf("remove old reports: %w", err)
	}
	age := make(map[string]fs.FileInfo)
	for _, r := range reports {
		if age[r], err = os.Lstat(r); err != nil {
			return fmt.Errorf("remove old reports: %w", err)
		}
	}
	slices.SortFunc(reports, func(a, b string) int { return age[b].ModTime().Compare(age[a].ModTime()) })
	var errs []error
	for _, r := range reports[min(len(reports), reportsKept):] {
		errs = append(errs, os.RemoveAll(r))
	}
	return errors.Join(errs...)
}
