package sandbox

import (
	"encoding/json"
	"mime"
	"net/http"
	"time"
)

// The website's cookies (A.2).
const (
	cookieCSRF    = "cs"
	cookieSession = "wub"
)

// webSession is a browser's session on the website. Before the second factor
// it is there already, not signed in.
type webSession struct {
	Created  time.Time `json:"created"`
	SignedIn time.Time `json:"signed_in"` // zero: the second factor is missing
	// Challenge is what the security key has to sign next; used once.
	Challenge string `json:"challenge,omitempty"`
	Errors    int    `json:"errors"` // wrong answers to the present check
	// Creation is what a new security key has to sign; drawn where the list of
	// keys is shown, used once.
	Creation string `json:"creation,omitempty"`

	Seen     time.Time  `json:"seen"`     // the last request
	Settings escalation `json:"settings"` // of the settings pages

	// What the next settings page shows, once.
	NewToken   string                     `json:"new_token,omitempty"`
	Notices    []notice                   `json:"notices,omitempty"`
	FormErrors map[string]string          `json:"form_errors,omitempty"`
	FormData   map[string]json.RawMessage `json:"form_data,omitempty"`
}

// web finds the session of the request's cookie, signed in or not.
func (s *Sandbox) web(r *http.Request) *webSession {
	c, err := r.Cookie(cookieSession)
	if err != nil {
		return nil
	}
	web, now := s.state.WebSessions[c.Value], s.now()
	if web == nil || now.After(web.Created.Add(seconds(s.switches.WebSessionLife))) {
		return nil
	}
	if idle := s.switches.WebSessionIdle; idle > 0 && now.After(web.Seen.Add(seconds(idle))) {
		return nil
	}
	web.Seen = now
	return web
}

func (s *Sandbox) signedIn(r *http.Request) *webSession {
	if web := s.web(r); web != nil && !web.SignedIn.IsZero() {
		return web
	}
	return nil
}

// beginWeb starts a session whose second factor is to come.
func (s *Sandbox) beginWeb(w http.ResponseWriter) {
	id := randomText(40, base62)
	s.state.WebSessions[id] = &webSession{Created: s.now(), Seen: s.now()}
	s.setCookie(w, cookieSession, id, true)
}

func (s *Sandbox) endWeb(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(cookieSession); err == nil {
		delete(s.state.WebSessions, c.Value)
	}
	http.SetCookie(w, &http.Cookie{Name: cookieSession, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (s *Sandbox) setCookie(w http.ResponseWriter, name, value string, httpOnly bool) {
	c := &http.Cookie{
		Name: name, Value: value, Path: "/", HttpOnly: httpOnly,
		Secure: s.switches.CookieSecure, SameSite: http.SameSiteLaxMode,
	}
	if s.switches.CookiePersistent {
		// By the browser's clock, not by the moved one.
		c.Expires = s.cfg.Now().Add(seconds(s.switches.WebSessionLife))
	}
	http.SetCookie(w, c)
}

// csrf is the token of this browser; one is set where there is none.
func (s *Sandbox) csrf(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(cookieCSRF); err == nil && c.Value != "" {
		return c.Value
	}
	return s.newCSRF(w, r)
}

func (s *Sandbox) newCSRF(w http.ResponseWriter, r *http.Request) string {
	value := randomText(32, base62)
	s.setCookie(w, cookieCSRF, value, !s.switches.CSRFReadable)
	r.AddCookie(&http.Cookie{Name: cookieCSRF, Value: value}) // for what renders later in this request
	return value
}

// form is what a form or a spiferack post sent.
type form struct {
	values map[string]string          // as text, what is not text as JSON
	raw    map[string]json.RawMessage // of a post in JSON
}

func (f form) get(name string) string { return f.values[name] }

// formOf reads the fields of a post in JSON.
func formOf(raw map[string]json.RawMessage) form {
	f := form{values: map[string]string{}, raw: raw}
	for k, v := range raw {
		var text string
		if json.Unmarshal(v, &text) != nil {
			text = string(v)
		}
		f.values[k] = text
	}
	return f
}

// readForm reads a post in any of the three encodings that npm's pages use,
// and checks its csrftoken against the cookie. It answers when that is wrong.
func (s *Sandbox) readForm(w http.ResponseWriter, r *http.Request) (form, bool) {
	f := form{values: map[string]string{}}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "application/json" {
		var raw map[string]json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&raw) // an empty form fails the csrf check
		f = formOf(raw)
	} else {
		_ = r.ParseMultipartForm(1 << 20) // reads both form encodings
		for k := range r.Form {
			f.values[s.fieldName(k)] = r.PostFormValue(k)
		}
	}
	c, err := r.Cookie(cookieCSRF)
	if err != nil || c.Value == "" || f.get("csrftoken") != c.Value {
		refuseMessage(w, http.StatusForbidden, "Invalid CSRF token")
		return f, false
	}
	return f, true
}
