package sandbox

import (
	"net/http"
	"net/url"
	"strings"
)

// The settings pages that the escalation policy tells apart.
const (
	settingsList    = "list"
	settingsDetails = "details"
	settingsForm    = "form"
)

// settingsRoutes are the pages behind the account's menu that are played: the
// tokens (A.6, A.7) and the second factors (A.5).
func (s *Sandbox) settingsRoutes(mux *http.ServeMux) {
	const tokens = "/settings/{user}/tokens"
	mux.HandleFunc("GET "+tokens, s.settings(s.tokensPage))
	mux.HandleFunc("GET "+tokens+"/granular-access-tokens/new", s.settings(s.tokenFormPage))
	mux.HandleFunc("GET "+tokens+"/granular-access-tokens/{id}", s.settings(s.tokenDetailsPage))
	mux.HandleFunc("POST "+tokens+"/new-gat", s.settings(s.postTokenForm))
	mux.HandleFunc("POST "+tokens+"/delete", s.settings(s.postDeleteTokens))

	const tfa = "/settings/{user}/tfa"
	mux.HandleFunc("GET "+tfa, s.settings(s.tfaPage))
	mux.HandleFunc("GET "+tfa+"/list", s.settings(s.keysPage))
	mux.HandleFunc("POST "+tfa+"/webauthn", s.settings(s.postAddKey))
	mux.HandleFunc("POST "+tfa+"/remove", s.settings(s.postRemoveKey))
}

// settings lets only the account's owner through. "~" stands for the name.
func (s *Sandbox) settings(h func(http.ResponseWriter, *http.Request, *webSession)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		web := s.signedIn(r)
		user := r.PathValue("user")
		switch {
		case web == nil:
			signInWall(w, r)
		case user == "~" && r.Method == http.MethodGet:
			redirect(w, r, "/settings/"+s.cfg.User+strings.TrimPrefix(r.URL.RequestURI(), "/settings/~"))
		case user != "~" && user != s.cfg.User:
			s.nothingHere(w, r)
		default:
			h(w, r, web)
		}
	}
}

// signInWall is what a signed-out browser meets: a redirect, and for its
// scripts an answer with status 200 (SD, A.3).
func signInWall(w http.ResponseWriter, r *http.Request) {
	if !isSpiferack(r) {
		redirect(w, r, withNext("/login", r.URL.RequestURI()))
		return
	}
	answerJSON(w, http.StatusOK, map[string]any{"context": map[string]string{"title": "Sign in to npm"}, "user": nil})
}

func (s *Sandbox) tokensPath() string { return "/settings/" + s.cfg.User + "/tokens" }

func (s *Sandbox) tokenPath(key string) string {
	return s.tokensPath() + "/granular-access-tokens/" + key
}

func (s *Sandbox) tfaPath() string { return "/settings/" + s.cfg.User + "/tfa" }

// isSettings reports whether a path of this site is a settings page.
func isSettings(path string) bool {
	u, err := url.Parse(path)
	return err == nil && strings.HasPrefix(u.Path, "/settings/")
}

// notice is a prop of every page: something that is said at its top.
type notice struct {
	Level    string `json:"level"` // "error", "success" or "info"
	Message  string `json:"message"`
	Duration int    `json:"duration"` // ms
	Link     any    `json:"link"`
}

func errorNotice(text string) []notice { return []notice{{Level: "error", Message: text}} }
