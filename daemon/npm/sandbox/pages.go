package sandbox

import (
	"embed"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

//go:embed pages
var pageFiles embed.FS

var (
	pageTemplates    = parsePages(func(source string) string { return source })
	changedTemplates = parsePages(changeTemplate)
)

// page is one page of the website: server-rendered HTML for a browser, the
// bare props for a request with x-spiferack (A.1).
type page struct {
	Renderer string // "auth/otp"
	Template string // of pages/, without .html
	Title    string
	Props    map[string]any
	User     string // signed in as; empty: signed out
	Liminal  bool   // the layout of auth pages: no site navigation
	Hash     string // the manifest's
	Look     any    // what the page shows beside its props
	Distort  distortion
}

// Context is window.__context__. Some scripts read user and csrftoken from its
// top, some from context.context: both are there (A.1).
func (p page) Context() map[string]any {
	return map[string]any{
		"chunks": map[string]any{}, "publicPath": "/static/", "containerId": "app",
		"headerName": "x-spiferack", "hash": p.Hash, "context": p.Props, "name": p.Renderer,
		"user": p.Props["user"], "csrftoken": p.Props["csrftoken"],
	}
}

// show renders a page. The props that every page has are added here.
func (s *Sandbox) show(w http.ResponseWriter, r *http.Request, status int, p page) {
	props := map[string]any{
		"csrftoken": s.csrf(w, r), "user": nil, "formData": map[string]any{},
		"notifications": []notice{}, "alertBanners": []any{},
	}
	if web := s.signedIn(r); web != nil {
		p.User = s.cfg.User
		props["user"] = map[string]string{"name": s.cfg.User}
	}
	if s.switches.AlertBanner {
		props["alertBanners"] = []map[string]string{{
			"id": "bypass2fa-gat-deprecation-2026", "level": "warning",
			"message": s.changedText("Granular access tokens that bypass 2FA will lose direct publishing."),
		}}
	}
	maps.Copy(props, p.Props)
	props["notifications"] = s.notices(props)
	p.Props, p.Title = props, s.changedText(p.Title)
	s.pages++
	p.Hash, p.Distort = s.manifestHash(), s.distortion()

	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "x-spiferack")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("manifest-hash", p.Hash)
	h.Set("renderername", p.Renderer)
	if isSpiferack(r) && r.Header.Get(renderHeader) == "" {
		answerJSON(w, status, p.Props)
		return
	}
	html, err := s.render(p)
	if err != nil {
		s.cfg.Log.Error("a page did not render", "page", p.Template, "err", err)
		http.Error(w, "the sandbox could not render this page", http.StatusInternalServerError)
		return
	}
	if isSpiferack(r) {
		p.Props["sandboxPage"] = html
		answerJSON(w, status, p.Props)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(html))
}

// renderHeader asks for the page's HTML beside its props. npm's client renders
// the props itself; the sandbox's has no second renderer.
const renderHeader = "x-sandbox-render"

func (s *Sandbox) render(p page) (string, error) {
	templates := pageTemplates
	if s.switches.ChangedWords {
		templates = changedTemplates
	}
	var b strings.Builder
	if err := templates.ExecuteTemplate(&b, p.Template+".html", p); err != nil {
		return "", err
	}
	return p.Distort.apply(b.String()), nil
}

// notices completes a page's notifications: with the error of a form that says
// it there, and one that has nothing to do with the page.
func (s *Sandbox) notices(props map[string]any) []notice {
	all, _ := props["notifications"].([]notice)
	for i := range all {
		all[i].Message = s.changedText(all[i].Message)
	}
	if text, _ := props["error"].(string); text != "" {
		props["error"] = s.changedText(text)
		if s.switches.PageErrorPlace == "notification" {
			all = append(all, notice{Level: "error", Message: s.changedText(text)})
			props["error"], props["errorField"] = "", ""
		}
	}
	if s.switches.Notification {
		all = append(all, notice{Level: "info", Message: s.changedText("A newer version of the npm client is available.")})
	}
	return append([]notice{}, all...)
}

// manifestHash is the hash of this page load.
func (s *Sandbox) manifestHash() string {
	if every := s.switches.ManifestEvery; every > 0 {
		return fmt.Sprintf("%s-%d", s.switches.ManifestHash, s.pages/every)
	}
	return s.switches.ManifestHash
}

func isSpiferack(r *http.Request) bool { return r.Header.Get("x-spiferack") != "" }

// redirect sends the browser on; a spiferack request is told to load the page
// by itself.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-store")
	if isSpiferack(r) {
		answerJSON(w, http.StatusOK, map[string]any{"x-spiferack-redirect": true})
		return
	}
	w.WriteHeader(http.StatusFound)
}

// nextPath is where to go after a check: a path of this site, "/" otherwise.
func nextPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(next, "//") || strings.HasPrefix(next, "/\\") {
		return "/"
	}
	return next
}

func withNext(path, next string) string { return path + "?next=" + url.QueryEscape(next) }

// staticFile serves the pages' script and style sheet.
func staticFile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	if !strings.HasSuffix(name, ".js") && !strings.HasSuffix(name, ".css") {
		notFound(w)
		return
	}
	http.ServeFileFS(w, r, pageFiles, "pages/"+name)
}

func (s *Sandbox) landingPage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, page{Renderer: "homepage/homepage", Template: "landing", Title: "npm | Home"})
}

// nothingHere is the answer to a route that npm does not have either, or that
// the sandbox does not play.
func (s *Sandbox) nothingHere(w http.ResponseWriter, r *http.Request) {
	switch {
	case isSpiferack(r):
		var user any
		if s.signedIn(r) != nil {
			user = map[string]string{"name": s.cfg.User}
		}
		answerJSON(w, http.StatusNotFound, map[string]any{"message": "Route not found!", "user": user})
	case strings.Contains(r.Header.Get("Accept"), "text/html"):
		s.show(w, r, http.StatusNotFound, page{Renderer: "errors/not-found", Template: "not-found", Title: "npm | 404"})
	default:
		notFound(w)
	}
}
