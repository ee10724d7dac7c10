package sandbox

import (
	"bytes"
	"embed"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

//go:embed pages
var pageFiles embed.FS

var pageTemplates = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

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
		"notifications": []any{}, "alertBanners": []any{},
	}
	if web := s.signedIn(r); web != nil {
		p.User = s.cfg.User
		props["user"] = map[string]string{"name": s.cfg.User}
	}
	if s.switches.AlertBanner {
		props["alertBanners"] = []map[string]string{{
			"id": "bypass2fa-gat-deprecation-2026", "level": "warning",
			"message": "Granular access tokens that bypass 2FA will lose direct publishing.",
		}}
	}
	maps.Copy(props, p.Props)
	p.Props, p.Hash = props, s.switches.ManifestHash

	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "x-spiferack")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("manifest-hash", p.Hash)
	h.Set("renderername", p.Renderer)
	if isSpiferack(r) {
		answerJSON(w, status, p.Props)
		return
	}
	var b bytes.Buffer
	if err := pageTemplates.ExecuteTemplate(&b, p.Template+".html", p); err != nil {
		s.cfg.Log.Error("a page did not render", "page", p.Template, "err", err)
		http.Error(w, "the sandbox could not render this page", http.StatusInternalServerError)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
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

// challenged answers a page request with the bot check while the switch says
// so (A.8). Passing it leaves a clearance cookie.
func (s *Sandbox) challenged(w http.ResponseWriter, r *http.Request) bool {
	if s.switches.BotChallenge == 0 || !isPage(r) || r.URL.Path == "/cdn-cgi/challenge-platform" {
		return false
	}
	if c, err := r.Cookie("cf_clearance"); err == nil && c.Value == "passed" {
		return false
	}
	if s.switches.BotChallenge > 0 {
		s.switches.BotChallenge--
	}
	h := w.Header()
	h.Set("cf-mitigated", "challenge")
	h.Set("Server", "cloudflare")
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusForbidden)
	_ = pageTemplates.ExecuteTemplate(w, "challenge.html", r.URL.RequestURI())
	return true
}

// isPage tells the website's paths from the registry's, which were not seen to
// be challenged.
func isPage(r *http.Request) bool {
	if r.URL.Path == "/" {
		return true
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch first {
	case "login", "logout", "escalate", "auth", "settings":
		return true
	}
	return false
}

// passChallenge is the person's click on the bot check's page.
func (s *Sandbox) passChallenge(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: "cf_clearance", Value: "passed", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	redirect(w, r, nextPath(r.URL.Query().Get("next")))
}
