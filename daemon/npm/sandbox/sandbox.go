// Package sandbox is a stand-in for npm: its registry, the pages of its website
// that a person is sent to, and the settings pages on which tokens are listed,
// made and deleted, on one loopback address, for one account.
//
// It promises to answer the npm client, a browser and rotd as npm does as far
// as that is publicly known: paths, field names, statuses, error texts, ids
// and labels. What is not known is a switch (see Switches), whose default is
// the documented or the likelier behaviour. Time is its own: it can be moved
// (Advance), so that tokens expire and sessions end without waiting.
//
// It does not know npm's real wordings and markup where no source gives them,
// and keeps no second account. Its pages are written on the server and brought
// to life by scripts of its own, not by React. It protects nothing: it
// listens on loopback only, its control paths (/-/sandbox/) ask for no
// password, and its state file, mode 0600, holds every secret in plain text.
// Give it no real secret.
package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/pquerna/otp/totp"
)

// maxBody bounds what one request may send: a package's tarball in base64.
const maxBody = 64 << 20

// Config says which account the sandbox plays.
type Config struct {
	User     string
	Password string

	// The second factor: an authenticator app with this base32 secret, a
	// security key (made on first use, see SecurityKey), or both. With neither
	// the account has no second factor, and codes go out by mail (see Mail).
	TOTPSecret  string
	SecurityKey bool
	// NoFactor says so explicitly; with a factor beside it, New refuses.
	NoFactor bool

	// Orgs are the organizations that the account belongs to; nil means "acme".
	Orgs []string

	// Site is the address that handed-out URLs begin with, without a trailing
	// slash. Empty: http://localhost and the port of the request.
	Site string

	Now       func() time.Time // nil: time.Now
	StateFile string           // empty: in memory only
	Log       *slog.Logger     // nil: no log
}

// Sandbox is an http.Handler that plays npm. It is safe for concurrent use.
type Sandbox struct {
	cfg Config
	mux *http.ServeMux

	mu       sync.Mutex // guards everything below
	state    state
	switches Switches
	requests []Request

	pages        int    // that were shown
	pageRequests uint64 // that came, the bot check's included
}

// New makes a sandbox, from its state file if there is one.
func New(cfg Config) (*Sandbox, error) {
	if cfg.User == "" || cfg.Password == "" {
		return nil, errors.New("the account needs a user name and a password")
	}
	if cfg.NoFactor && (cfg.TOTPSecret != "" || cfg.SecurityKey) {
		return nil, errors.New("an account without a second factor can have neither an authenticator app nor a security key")
	}
	if cfg.TOTPSecret != "" {
		if _, err := totp.GenerateCode(cfg.TOTPSecret, time.Unix(0, 0)); err != nil {
			return nil, errors.New("the TOTP secret is not base32")
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Orgs == nil {
		cfg.Orgs = []string{"acme"}
	}
	cfg.Site = strings.TrimSuffix(cfg.Site, "/")
	s := &Sandbox{cfg: cfg, switches: DefaultSwitches()}
	if err := s.load(); err != nil {
		return nil, err
	}
	s.mux = s.routes()
	return s, nil
}

// hasFactor reports whether the account has two-factor authentication.
func (s *Sandbox) hasFactor() bool { return s.cfg.TOTPSecret != "" || s.hasKey() }

func (s *Sandbox) hasKey() bool { return len(s.state.Keys) > 0 }

// now is the sandbox's clock: Config.Now and what Advance added.
func (s *Sandbox) now() time.Time {
	return s.cfg.Now().Add(s.state.ClockOffset).UTC().Truncate(time.Millisecond)
}

// Advance moves the sandbox's clock. One-time codes of an authenticator app
// stay on Config.Now: the app's clock does not move with npm's.
func (s *Sandbox) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.ClockOffset += d
	s.save()
}

// site is what handed-out URLs begin with.
func (s *Sandbox) site(r *http.Request) string {
	if s.cfg.Site != "" {
		return s.cfg.Site
	}
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		return "http://localhost:" + port
	}
	return "http://localhost"
}

// ServeHTTP answers one request. Handlers run one at a time and write to a
// buffer, so that a fault can spoil an answer after it took effect and a slow
// reader holds nobody up.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !loopbackHost(r.Host) {
		http.Error(w, "the sandbox answers to localhost only", http.StatusMisdirectedRequest)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body could not be read", http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))

	fault := s.takeFault(r)
	if !fault.wait(r.Context()) {
		return
	}
	out := &answerBuffer{header: http.Header{}}
	if !fault.answers(out) {
		s.handle(out, r)
	}
	s.record(r, out.code())
	if fault.Kind == FaultHold {
		fault.pause(r.Context())
	}
	fault.deliver(w, out)
}

func (s *Sandbox) handle(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.challenged(w, r) {
		return
	}
	s.mux.ServeHTTP(w, r)
	if r.Method != http.MethodGet || !isControl(r) {
		s.save()
	}
}

func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}

// answerBuffer is an answer before it is sent.
type answerBuffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *answerBuffer) Header() http.Header { return b.header }

func (b *answerBuffer) WriteHeader(status int) {
	if b.status == 0 {
		b.status = status
	}
}

func (b *answerBuffer) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return b.body.Write(p)
}

func (b *answerBuffer) code() int {
	if b.status == 0 {
		return http.StatusOK
	}
	return b.status
}

// Server is a sandbox that listens.
type Server struct {
	// URL is the address of site and registry: http://localhost:PORT.
	URL  string
	http *http.Server
	done chan struct{}
}

// Listen serves the sandbox on a loopback address until Close; port 0 picks
// one. Nothing else than loopback is listened on.
func (s *Sandbox) Listen(addr string) (*Server, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", addr, err)
	}
	if !loopbackHost(host) {
		return nil, fmt.Errorf("listen on %q: the sandbox protects nothing and listens on loopback only (127.0.0.1, ::1, localhost)", addr)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", addr, err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	srv := &Server{
		URL:  "http://localhost:" + port,
		http: &http.Server{Handler: s, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelWarn)},
		done: make(chan struct{}),
	}
	go func() {
		defer close(srv.done)
		_ = srv.http.Serve(ln) // always ErrServerClosed: Close is the only way out
	}()
	return srv, nil
}

// Close stops listening and cuts every connection, then waits for the accept
// loop to end.
func (srv *Server) Close() error {
	err := srv.http.Close()
	<-srv.done
	return err
}
