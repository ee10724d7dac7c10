package npm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

const sessionToken = "session-token-EXAMPLE"

// tokenValue is no npm_ token: a stand-in may have its own kind.
const tokenValue = "eyJhbGciOiJ-EXAMPLE.payload_of/it+.sig="

// standin is a registry of which a test writes the handlers; the ones that are
// missing answer 404. Its token list is what "list" holds.
func standin(t *testing.T, routes map[string]http.HandlerFunc) *world {
	mux := http.NewServeMux()
	defaults := map[string]http.HandlerFunc{
		"GET /-/whoami": func(w http.ResponseWriter, r *http.Request) {
			switch bearer(r) {
			case sessionToken, tokenValue:
				answerJSON(w, 200, map[string]any{"username": user})
			default:
				answerJSON(w, 401, map[string]any{"error": "Unauthorized"})
			}
		},
		"PUT /-/user/{user}": func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 201, map[string]any{"token": sessionToken})
		},
		"POST /-/npm/v1/tokens": func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 200, map[string]any{"token": tokenValue, "key": "k1"})
		},
		"GET /-/npm/v1/tokens": func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 200, map[string]any{"objects": []any{map[string]any{"key": "k1"}}})
		},
	}
	for pattern, h := range routes {
		defaults[pattern] = h
	}
	for pattern, h := range defaults {
		if h != nil {
			mux.HandleFunc(pattern, h)
		}
	}
	w := around(t, mux.ServeHTTP)
	w.secrets = append(w.secrets, sessionToken, tokenValue)
	w.keep[store.KindPassword] = secret.New(password)
	return w
}

func bearer(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("authorization"), "Bearer ")
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}
}

// TestMinimalRegistry knows the legacy login only, has no second factor and
// tells nothing of its tokens.
func TestMinimalRegistry(t *testing.T) {
	w := standin(t, nil)
	a := w.account()
	tok, err := a.Create(context.Background(), "t", publish)
	w.must(err)
	w.must(a.Verify(context.Background(), tok, publish))
	if tok.Key != "k1" || tok.Value.Reveal() != tokenValue || !tok.Expires.IsZero() {
		t.Errorf("created %+v", tok)
	}
	for _, what := range []string{"permission", "bypass-2fa flag", "expiry"} {
		if !strings.Contains(w.text(), what) {
			t.Errorf("nobody is told that npm does not tell the %s", what)
		}
	}
}

// TestVerdaccioLike answers as Verdaccio 6.8 was seen to: bodies of the classic
// kind, no name, expiry or permission, urls.next "", whoami a 200 for anybody,
// a sign-in only by the user's record, which it does not show.
func TestVerdaccioLike(t *testing.T) {
	var made []map[string]any
	var live atomic.Bool
	w := standin(t, map[string]http.HandlerFunc{
		"GET /-/whoami": func(w http.ResponseWriter, r *http.Request) {
			if bearer(r) == sessionToken || bearer(r) == tokenValue && live.Load() {
				answerJSON(w, 200, map[string]any{"username": user})
				return
			}
			answerJSON(w, 200, map[string]any{}) // a 200 for anybody
		},
		"PUT /-/user/{user}": func(w http.ResponseWriter, r *http.Request) {
			answerJSON(w, 409, map[string]any{"error": "username is already registered"})
		},
		"GET /-/user/{user}": func(w http.ResponseWriter, r *http.Request) {
			answerJSON(w, 200, map[string]any{"ok": "you are authenticated as 'undefined'"})
		},
		"PUT /-/user/{user}/-rev/{rev}": func(w http.ResponseWriter, r *http.Request) {
			name, pw, _ := r.BasicAuth()
			if name != user || pw != password {
				answerJSON(w, 409, map[string]any{"error": "username is already registered"})
				return
			}
			answerJSON(w, 201, map[string]any{"ok": "you are authenticated as 'ada'", "token": sessionToken})
		},
		"POST /-/npm/v1/tokens": func(w http.ResponseWriter, r *http.Request) {
			var body map[string]any
			_ = json.NewDecoder(r.Body).Decode(&body)
			_, flag := body["readonly"].(bool)
			_, list := body["cidr_whitelist"].([]any)
			if !flag || !list {
				answerJSON(w, 422, map[string]any{"error": "the parameters are not valid"})
				return
			}
			live.Store(true)
			made = append(made, map[string]any{"cidr": body["cidr_whitelist"], "created": int64(1795435205000), "key": "d41d8cd98f00b204", "readonly": body["readonly"], "token": "eyJh...", "user": user})
			answerJSON(w, 200, map[string]any{"token": tokenValue, "user": user, "key": "d41d8cd98f00b204", "cidr": []any{}, "readonly": body["readonly"], "created": int64(1795435205000)})
		},
		"GET /-/npm/v1/tokens": func(w http.ResponseWriter, r *http.Request) {
			objects := made
			if !live.Load() {
				objects = []map[string]any{}
			}
			answerJSON(w, 200, map[string]any{"objects": objects, "urls": map[string]any{"next": ""}})
		},
		"DELETE /-/npm/v1/tokens/token/{key}": func(w http.ResponseWriter, r *http.Request) {
			live.Store(false)
			made = nil
			answerJSON(w, 200, map[string]any{})
		},
	})
	forbidden := func(context.Context, string, *Credentials) error { return errors.New("no page is to be opened") }
	rotation(w, w.account(with(pages(forbidden))), "t", publish)
	rotation(w, w.account(with(pages(forbidden))), "t", install)

	wrong := func(c *Config) { c.Password = secret.New("wrong-EXAMPLE") }
	w.fails(w.account(wrong).SignIn(context.Background()), ErrWrongPassword)
}

// TestInsaneAnswersToCreate: a token may have been made, so nothing may say
// that none was, and nothing insane is handed on.
func TestInsaneAnswersToCreate(t *testing.T) {
	for name, body := range map[string]string{
		"no token":          `{"key":"k1"}`,
		"null":              `null`,
		"empty":             `{"token":"","key":"k1"}`,
		"number":            `{"token":7,"key":"k1"}`,
		"short":             `{"token":"npm_1","key":"k1"}`,
		"two lines":         `{"token":"npm_abcdefghijkl\nmnop","key":"k1"}`,
		"blank":             `{"token":"npm_abcdefghijkl mnop","key":"k1"}`,
		"quote":             `{"token":"npm_abcdefghijkl\"mnop","key":"k1"}`,
		"variable":          `{"token":"${NPM_TOKEN_EXAMPLE}","key":"k1"}`,
		"redacted":          `{"token":"npm_aBcD...7890","key":"k1"}`,
		"huge":              `{"token":"` + strings.Repeat("a", 5000) + `","key":"k1"}`,
		"no JSON":           `<html>created</html>`,
		"cut off":           `{"token":"npm_abcdefghi`,
		"no body":           ``,
		"endless":           `{"x":"` + strings.Repeat("a", 2<<20) + `"}`,
		"array":             `[]`,
		"key a path":        `{"token":"` + tokenValue + `","key":"../../x"}`,
		"key missing":       `{"token":"` + tokenValue + `"}`,
		"key half a number": `{"token":"` + tokenValue + `","key":7.5}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := standin(t, map[string]http.HandlerFunc{"POST /-/npm/v1/tokens": says(201, body)})
			_, err := w.account().Create(context.Background(), "t", publish)
			w.fails(err, ErrGarbled)
			w.notCreated(err, false)
		})
	}
}

func TestKeyIsFoundByName(t *testing.T) {
	w := standin(t, map[string]http.HandlerFunc{
		"POST /-/npm/v1/tokens": says(201, `{"token":"`+tokenValue+`"}`),
		"GET /-/npm/v1/tokens":  says(200, `{"objects":[{"key":"k8","name":"other"},{"id":"k9","name":"t","revoked":null}]}`),
	})
	tok, err := w.account().Create(context.Background(), "t", publish)
	w.must(err)
	if tok.Key != "k9" {
		t.Errorf("key %q", tok.Key)
	}
}

func TestRegistryRefusals(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		kind   error
		none   bool // nothing was created, for certain
		says   string
	}{
		{"400", says(400, `{"error":"Read-write tokens cannot have expiration longer than 90 days"}`), ErrRefused, true, "90 days"},
		{"400 duplicate", says(400, `{"error":"Duplicate token names are not allowed"}`), ErrRefused, true, "Duplicate"},
		{"400 in HTML", says(400, `<html>npm_abcdefghijklmnop</html>`), ErrRefused, true, "400"},
		{"400 long", says(400, `{"error":"`+strings.Repeat("é\\n", 5000)+`"}`), ErrRefused, true, "é é"},
		{"400 with secrets", says(400, `{"message":"`+password+` and npm_abcdefghijklmnop and `+sessionToken+` in\u202e"}`), ErrRefused, true, "[redacted] and [redacted] and [redacted] in"},
		{"403 bypass", says(403, `{"success":false,"error":"Granular access tokens that bypass two-factor authentication may not perform this action."}`), ErrRefused, true, "may not"},
		{"404", says(404, `{}`), ErrRefused, true, "404"},
		{"408", says(408, `{}`), ErrRefused, false, "408"},
		{"500", says(500, `{"error":"boom"}`), ErrServer, false, "boom"},
		{"503 text", says(503, `unavailable`), ErrServer, false, "503"},
		{"302", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/x", http.StatusFound)
		}, ErrGarbled, false, "points elsewhere"},
		{"bot check", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("cf-mitigated", "challenge")
			w.WriteHeader(403)
		}, ErrBotCheck, true, "bot check"},
		{"cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ErrUnreachable, false, "broke"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := standin(t, map[string]http.HandlerFunc{
				"POST /-/npm/v1/tokens":               c.answer,
				"GET /-/npm/v1/tokens":                c.answer,
				"DELETE /-/npm/v1/tokens/token/{key}": c.answer,
			})
			_, err := w.account().Create(ctx, "t", publish)
			e := w.fails(err, c.kind)
			w.notCreated(err, c.none)
			if !strings.Contains(e.Message, c.says) || len([]rune(e.Message)) > 300 {
				t.Errorf("message %q lacks %q, or is long", e.Message, c.says)
			}
			_, err = w.account().List(ctx)
			w.fails(err, c.kind)
			err = w.account().Revoke(ctx, "k2")
			switch {
			case c.name == "404":
				w.must(err)
			default:
				w.fails(err, c.kind)
			}
		})
	}
}

func TestAcceptsBelievesOnlyPlainWords(t *testing.T) {
	ctx := context.Background()
	value := secret.New(tokenValue)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		kind   error
		yes    bool
	}{
		"200":             {says(200, `{"username":"ada"}`), nil, true},
		"401":             {says(401, `{"error":"Unauthorized"}`), nil, false},
		"401 in HTML":     {says(401, `<html>`), nil, false},
		"200 of nobody":   {says(200, `{}`), nil, false}, // Verdaccio's 401
		"200 of somebody": {says(200, `{"username":"a\nb"}`), ErrGarbled, false},
		"200 of an array": {says(200, `[]`), ErrGarbled, false},
		"200 null":        {says(200, `null`), ErrGarbled, false},
		"200 of a portal": {says(200, `<html>sign in to the wifi</html>`), ErrGarbled, false},
		"200 cut":         {says(200, `{"username":"a`), ErrGarbled, false},
		"403":             {says(403, `{"error":"Forbidden"}`), ErrRefused, false},
		"404":             {says(404, `{"error":"not found"}`), ErrRefused, false},
		"500":             {says(500, ``), ErrServer, false},
		"401 elsewhere": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("www-authenticate", "Bearer, IPAddress")
			w.WriteHeader(401)
		}, ErrRefused, false},
		"redirect to sign": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/login", http.StatusFound)
		}, ErrGarbled, false},
	} {
		w := standin(t, map[string]http.HandlerFunc{"GET /-/whoami": c.answer})
		ok, err := w.account().Accepts(ctx, value)
		if ok != c.yes || !errors.Is(err, c.kind) {
			t.Errorf("%s: accepted %v, %v", name, ok, err)
			continue
		}
		if c.kind == nil {
			w.must(err)
		} else {
			w.fails(err, c.kind)
		}
	}
	w := standin(t, nil)
	_, err := w.account().Accepts(ctx, secret.New("two\nlines"))
	w.fails(err, ErrGarbled)
}

// TestTooManyRequests: a few seconds are waited, more is handed up.
func TestTooManyRequests(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		retryAfter string
		count      int
		waits      time.Duration
		told       time.Duration
	}{
		{"2", 1, 2 * time.Second, 0},
		{"2", 2, 4 * time.Second, 0},
		{"2", 9, 4 * time.Second, 2 * time.Second},
		{"60", 9, 0, time.Minute},
		{"Mon, 23 Nov 2026 12:02:05 GMT", 9, 0, 2 * time.Minute},
		{"Mon, 23 Nov 2026 11:00:00 GMT", 9, 0, 0},
		{"soon", 9, 0, 0},
		{"-4", 9, 0, 0},
		{"1e300", 9, 0, 0},
		{"", 9, 0, 0},
	} {
		var n atomic.Int64
		w := standin(t, map[string]http.HandlerFunc{"POST /-/npm/v1/tokens": func(w http.ResponseWriter, _ *http.Request) {
			if n.Add(1) <= int64(c.count) {
				w.Header().Set("retry-after", c.retryAfter)
				answerJSON(w, 429, map[string]any{"error": "Too Many Requests"})
				return
			}
			answerJSON(w, 201, map[string]any{"token": tokenValue, "key": "k1"})
		}})
		_, err := w.account().Create(ctx, "t", publish)
		var waited time.Duration
		for _, d := range w.clock.waits() {
			waited += d
		}
		if waited != c.waits {
			t.Errorf("%q: waited %v", c.retryAfter, waited)
		}
		if c.count < 9 {
			w.must(err)
			continue
		}
		e := w.fails(err, ErrRateLimited)
		w.notCreated(err, true)
		if e.RetryAfter != c.told {
			t.Errorf("%q: told %v", c.retryAfter, e.RetryAfter)
		}
	}
}

func TestUnreachable(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	w := newWorld(t)
	w.registry = srv.URL
	srv.Close()
	w.keep[store.KindPassword] = secret.New(password)
	w.keep[store.KindSession] = secret.New(sessionToken)
	_, err := w.account().Create(context.Background(), "t", publish)
	e := w.fails(err, ErrUnreachable)
	w.notCreated(err, true) // no connection, no request
	if !strings.Contains(e.Hint, strings.TrimPrefix(srv.URL, "http://")) {
		t.Errorf("hint %q does not name the host", e.Hint)
	}
	w.fails(w.account().SignIn(context.Background()), ErrUnreachable)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = w.account().List(ctx)
	w.fails(err, context.Canceled)
}

// TestNothingGoesElsewhere: no secret follows a redirect or a link to another
// origin.
func TestNothingGoesElsewhere(t *testing.T) {
	var seen atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("authorization") != "" || r.Header.Get("npm-otp") != "" || r.ContentLength > 0 {
			seen.Add(1)
		}
		answerJSON(w, 200, map[string]any{"username": user, "objects": []any{}, "token": sessionToken})
	}))
	defer other.Close()
	away := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}
	ctx := context.Background()
	w := standin(t, map[string]http.HandlerFunc{"POST /-/npm/v1/tokens": away, "GET /-/npm/v1/tokens": away, "DELETE /-/npm/v1/tokens/token/{key}": away})
	_, err := w.account(knowingTOTP).Create(ctx, "t", publish)
	w.fails(err, ErrGarbled)
	_, err = w.account().List(ctx)
	w.fails(err, ErrGarbled)
	w.fails(w.account(knowingTOTP).Revoke(ctx, "k1"), ErrGarbled)

	var queries []string
	w = standin(t, map[string]http.HandlerFunc{"GET /-/npm/v1/tokens": func(w http.ResponseWriter, r *http.Request) {
		queries = append(queries, r.URL.RawQuery)
		next := ""
		if len(queries) == 1 {
			next = other.URL + "/-/npm/v1/tokens?page=1"
		}
		answerJSON(w, 200, map[string]any{"objects": []any{map[string]any{"key": fmt.Sprint("k", len(queries))}}, "urls": map[string]any{"next": next}})
	}})
	listed, err := w.account().List(ctx)
	w.must(err)
	if len(listed) != 2 || len(queries) != 2 || queries[1] != "page=1" {
		t.Errorf("listed %v by %q", listed, queries)
	}
	if seen.Load() > 0 {
		t.Error("a secret went elsewhere")
	}
}

// TestRedirectWithinTheRegistry of a GET is followed.
func TestRedirectWithinTheRegistry(t *testing.T) {
	w := standin(t, map[string]http.HandlerFunc{
		"GET /-/npm/v1/tokens": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/there", http.StatusFound) },
		"GET /there":           says(200, `{"objects":[{"key":"k1"}],"urls":{}}`),
	})
	listed, err := w.account().List(context.Background())
	w.must(err)
	if !holds(listed, "k1") {
		t.Error("not listed")
	}
}

func TestStrangeListings(t *testing.T) {
	ctx := context.Background()
	for name, body := range map[string]string{
		"no objects": `{}`, "null objects": `{"objects":null}`, "no JSON": `<html>`, "cut": `{"objects":[{"key":`,
		"itself": `{"objects":[{"key":"k1"}],"urls":{"next":"/-/npm/v1/tokens"}}`,
	} {
		w := standin(t, map[string]http.HandlerFunc{"GET /-/npm/v1/tokens": says(200, body)})
		_, err := w.account().List(ctx)
		if !errors.Is(err, ErrGarbled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	n := 0
	endless := standin(t, map[string]http.HandlerFunc{"GET /-/npm/v1/tokens": func(w http.ResponseWriter, _ *http.Request) {
		n++
		answerJSON(w, 200, map[string]any{"objects": []any{map[string]any{"key": fmt.Sprint("k", n)}}, "urls": map[string]any{"next": fmt.Sprint("?page=", n)}})
	}})
	_, err := endless.account().List(ctx)
	endless.fails(err, ErrGarbled)

	w := standin(t, map[string]http.HandlerFunc{"GET /-/npm/v1/tokens": func(w http.ResponseWriter, r *http.Request) {
		body := `{"objects":[{"key":"k1","name":"a","created":"2026-11-01T00:00:00Z","expires":"2026-12-01"},7,null,{"key":"../k","name":"x"},{"key":"k2","revoked":"2026-11-02T00:00:00Z"},{"id":33,"name":5}],"total":5}`
		if r.URL.RawQuery == "page=1" {
			body = `{"objects":[{"key":"k4"}],"total":5}`
		}
		_, _ = fmt.Fprint(w, body)
	}})
	listed, err := w.account().List(ctx)
	w.must(err)
	if len(listed) != 4 || listed[1].Name != "x" || listed[1].Key != "" || !holds(listed, "k1") || !holds(listed, "33") || !holds(listed, "k4") || listed[0].Name != "a" || listed[0].Expires.IsZero() {
		t.Errorf("listed %+v", listed)
	}
}

// TestSessionThatNeverHolds: the registry forgets every session at once.
func TestSessionThatNeverHolds(t *testing.T) {
	logins := 0
	w := standin(t, map[string]http.HandlerFunc{
		"PUT /-/user/{user}": func(w http.ResponseWriter, _ *http.Request) {
			logins++
			answerJSON(w, 201, map[string]any{"token": fmt.Sprintf("%s-%d", sessionToken, logins)})
		},
		"GET /-/whoami": func() http.HandlerFunc {
			n := 0
			return func(w http.ResponseWriter, r *http.Request) {
				if n++; n%2 == 1 { // right after signing in only
					answerJSON(w, 200, map[string]any{"username": user})
					return
				}
				answerJSON(w, 401, map[string]any{"error": "Unauthorized"})
			}
		}(),
		"POST /-/npm/v1/tokens": says(401, `{"error":"Unauthorized"}`),
	})
	_, err := w.account().Create(context.Background(), "t", publish)
	w.fails(err, ErrSessionExpired)
	w.notCreated(err, true)
	if logins != 2 {
		t.Errorf("signed in %d times", logins)
	}
}

// TestStrictWebLogin knows the web login only, and gives relative addresses.
func TestStrictWebLogin(t *testing.T) {
	polls := 0
	w := standin(t, map[string]http.HandlerFunc{
		"PUT /-/user/{user}": says(410, `{"error":"legacy login is closed"}`),
		"POST /-/v1/login":   says(200, `{"loginUrl":"/login?x=1","doneUrl":"/done?id=2"}`),
		"GET /done": func(w http.ResponseWriter, _ *http.Request) {
			if polls++; polls < 4 {
				w.Header().Set("retry-after", "3")
				answerJSON(w, 202, map[string]any{})
				return
			}
			answerJSON(w, 200, map[string]any{"token": sessionToken})
		},
	})
	var opened string
	a := w.account(knowingTOTP, with(pages(func(ctx context.Context, url string, c *Credentials) error {
		opened = url
		if c.Username != user || c.Password.Reveal() != password || c.TOTP == nil {
			t.Error("the page driver lacks what is known")
		}
		<-ctx.Done() // a window stays open until it is closed
		return ctx.Err()
	})))
	w.must(a.SignIn(context.Background()))
	if opened != w.registry+"/login?x=1" {
		t.Errorf("opened %s", opened)
	}
	if fmt.Sprint(w.clock.waits()) != "[3s 3s 3s]" {
		t.Errorf("waited %v", w.clock.waits())
	}
}

func TestPagesThatFail(t *testing.T) {
	pending := func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 202, map[string]any{}) }
	waiting := pages(func(ctx context.Context, _ string, _ *Credentials) error { <-ctx.Done(); return ctx.Err() })
	passed := pages(func(context.Context, string, *Credentials) error { return nil })
	botCheck := &Error{Kind: ErrBotCheck, Message: "a bot check", Hint: "pass it"}
	for _, c := range []struct {
		name  string
		login string
		done  http.HandlerFunc
		pages pages
		kind  error
	}{
		{"page fails", "", pending, func(context.Context, string, *Credentials) error { return botCheck }, ErrBotCheck},
		{"passed and unknown", "", pending, passed, ErrPage},
		{"nobody comes", "", pending, waiting, ErrNeedsPerson},
		{"expired", "", says(404, `{}`), waiting, ErrRefused},
		{"done without token", "", says(200, `{}`), passed, ErrGarbled},
		{"done with an insane token", "", says(200, `{"token":"a b"}`), passed, ErrGarbled},
		{"done is down", "", says(503, ``), waiting, ErrServer},
		{"no addresses", `{}`, pending, waiting, ErrGarbled},
		{"plain http", `{"loginUrl":"http://npm.example/login","doneUrl":"/done"}`, pending, waiting, ErrGarbled},
		{"no page", `{"loginUrl":"javascript:alert(1)","doneUrl":"/done"}`, pending, waiting, ErrGarbled},
		{"cut", `{"loginUrl":"/lo`, pending, waiting, ErrGarbled},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.login == "" {
				c.login = `{"loginUrl":"/login","doneUrl":"/done"}`
			}
			w := standin(t, map[string]http.HandlerFunc{"POST /-/v1/login": says(200, c.login), "GET /done": c.done})
			answers := w.answering(nil)
			w.fails(w.account(answers, with(c.pages)).SignIn(context.Background()), c.kind)
		})
	}
	w := standin(t, map[string]http.HandlerFunc{"POST /-/v1/login": says(200, `{"loginUrl":"/login","doneUrl":"/done"}`), "GET /done": pending})
	ctx, cancel := context.WithCancel(context.Background())
	hangUp := pages(func(ctx context.Context, _ string, _ *Credentials) error { cancel(); <-ctx.Done(); return ctx.Err() })
	w.fails(w.account(w.answering(nil), with(hangUp)).SignIn(ctx), context.Canceled)
}

func TestOddPeople(t *testing.T) {
	ctx := context.Background()
	w := standin(t, nil)
	delete(w.keep, store.KindPassword)
	broken := errors.New("the terminal is gone")
	err := w.account(func(c *Config) {
		c.Ask = func(context.Context, string, string) (secret.Text, error) { return secret.Text{}, broken }
	}).SignIn(ctx)
	if !errors.Is(err, broken) {
		t.Error(err)
	}
	blank := w.answering(map[string]func() string{ipc.AskPassword: func() string { return "" }})
	w.fails(w.account(blank).SignIn(ctx), ErrNeedsPerson)
	mail := w.answering(map[string]func() string{ipc.AskUsername: func() string { return "ada@example.test" }})
	w.fails(w.account(mail, func(c *Config) { c.Username = "" }).SignIn(ctx), ErrWrongPassword)
}

func TestRevokeOfWhatIsGone(t *testing.T) {
	ctx := context.Background()
	w := standin(t, map[string]http.HandlerFunc{"DELETE /-/npm/v1/tokens/token/{key}": says(400, `{"message":"invalid token"}`)})
	w.must(w.account().Revoke(ctx, "gone"))
	w.fails(w.account().Revoke(ctx, "k1"), ErrRefused) // listed: it is not gone
	for _, key := range []string{"", "..", "a/b", "a?b", strings.Repeat("k", 200)} {
		w.fails(w.account().Revoke(ctx, key), ErrRefused)
	}
}

func TestVerifyFindsAnotherUser(t *testing.T) {
	w := standin(t, map[string]http.HandlerFunc{"GET /-/whoami": func(w http.ResponseWriter, r *http.Request) {
		name := user
		if bearer(r) == tokenValue {
			name = "mallory"
		}
		answerJSON(w, 200, map[string]any{"username": name})
	}})
	err := w.account().Verify(context.Background(), rotate.Token{Key: "k1", Name: "t", Value: secret.New(tokenValue)}, publish)
	var mismatch *rotate.MismatchError
	if !errors.As(err, &mismatch) {
		t.Error(err)
	}
}
