package npm

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"rotd/ipc/secret"
)

const (
	maxAnswer     = 1 << 20          // bytes of an ordinary answer
	maxListAnswer = 8 << 20          // bytes of one page of the token list
	patience      = 5 * time.Second  // the longest wait that a 429 gets inside a call
	callTime      = 60 * time.Second // one request and its answer
)

// defaultClient serves every account, so that connections are reused. Like the
// npm client it takes a proxy from the environment; one is never used for this
// machine, and sees only TLS for all others (see ParseRegistry).
var defaultClient = &http.Client{Transport: defaultTransport(), Timeout: callTime}

func defaultTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	t.ResponseHeaderTimeout = 30 * time.Second
	t.MaxResponseHeaderBytes = 64 << 10
	return t
}

// registry speaks npm's registry API (npm-facts, part B): one request, one
// answer, no meaning beyond the status.
type registry struct {
	base  *url.URL
	http  *http.Client
	agent string
	sleep func(context.Context, time.Duration) error
	now   func() time.Time
	log   *slog.Logger
	// secrets lists what must not stand in an error.
	secrets func() []secret.Text
}

// call is one request.
type call struct {
	doing   string // "create a token": how errors begin
	method  string
	path    string // below the registry, or a whole address
	command string // npm-command, by which npm offers its pages (API, B.4)
	auth    string // npm-auth-type; empty: "web"
	bearer  secret.Text
	basic   *basicAuth
	otp     secret.Text
	body    any
	list    bool // a long answer is to be expected
	// password says that the body holds the account's password.
	password bool
}

type basicAuth struct {
	username string
	password secret.Text
}

// answer is what came back. The zero answer says that no request was sent.
type answer struct {
	sent   bool // the registry may have seen the request
	status int  // 0 where no answer came
	header http.Header
	body   []byte
}

// refused reports that the registry did not do what was asked, for certain.
// 408 is a proxy's word on a connection that was too slow.
func (a answer) refused() bool {
	return a.status >= 400 && a.status < 500 && a.status != http.StatusRequestTimeout
}

func (a answer) ok() bool { return a.status >= 200 && a.status < 300 }

// do sends c. The error is about the way there and back; whatever status came
// is an answer. A 429 that asks for a few seconds is waited for.
func (r *registry) do(ctx context.Context, c call) (answer, error) {
	for waited := time.Duration(0); ; {
		ans, err := r.once(ctx, c)
		if err != nil || ans.status != http.StatusTooManyRequests {
			return ans, err
		}
		d := r.retryAfter(ans)
		if d <= 0 || waited+d > patience {
			return ans, nil
		}
		waited += d
		r.log.Debug("the registry asks to wait", "doing", c.doing, "for", d)
		if err := r.sleep(ctx, d); err != nil {
			return ans, r.unreachable(ctx, c.doing, err)
		}
	}
}

func (r *registry) once(ctx context.Context, c call) (answer, error) {
	var ans answer
	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	req, err := r.request(httptrace.WithClientTrace(ctx, trace), c)
	if err != nil {
		return ans, err
	}
	resp, err := r.http.Do(req)
	ans.sent = connected.Load()
	if err != nil {
		return ans, r.unreachable(ctx, c.doing, err)
	}
	defer func() { _ = resp.Body.Close() }()
	ans.status, ans.header = resp.StatusCode, resp.Header
	limit := int64(maxAnswer)
	if c.list {
		limit = maxListAnswer
	}
	ans.body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	r.log.Debug("registry", "method", c.method, "doing", c.doing, "status", ans.status)
	switch {
	case !ans.ok():
		return ans, nil // the status says it all
	case ctx.Err() != nil:
		return ans, r.unreachable(ctx, c.doing, ctx.Err())
	case err != nil:
		return ans, r.garbled(c.doing, "was cut off")
	case int64(len(ans.body)) > limit:
		return ans, r.garbled(c.doing, "is far too long")
	}
	return ans, nil
}

func (r *registry) request(ctx context.Context, c call) (*http.Request, error) {
	var body io.Reader
	if c.body != nil {
		b, err := json.Marshal(c.body)
		if err != nil {
			return nil, &Error{Kind: ErrRefused, Message: c.doing + ": the request cannot be written as JSON"}
		}
		body = bytes.NewReader(b)
	}
	address := c.path
	if strings.HasPrefix(address, "/") {
		address = r.base.String() + address
	}
	req, err := http.NewRequestWithContext(ctx, c.method, address, body)
	if err != nil {
		return nil, r.garbled(c.doing, "names an address that is none")
	}
	set := func(name, value string) {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	set("accept", "application/json")
	set("user-agent", r.agent)
	set("npm-command", c.command)
	set("npm-otp", c.otp.Reveal())
	if c.auth == "" {
		c.auth = "web"
	}
	set("npm-auth-type", c.auth)
	if c.body != nil {
		set("content-type", "application/json")
	}
	if c.basic != nil {
		req.SetBasicAuth(c.basic.username, c.basic.password.Reveal())
	} else if !c.bearer.IsZero() {
		set("authorization", "Bearer "+c.bearer.Reveal())
	}
	return req, nil
}

// sameOrigin follows a redirect only of a GET and only within the registry:
// the token, the one-time code and the password go nowhere else.
func sameOrigin(req *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet || origin(first.URL) != origin(req.URL) || len(via) > 3 {
		return http.ErrUseLastResponse
	}
	return nil
}

// retryAfter reads retry-after, in seconds or as a date; 0 where it is absent
// or makes no sense.
func (r *registry) retryAfter(a answer) time.Duration {
	v := strings.TrimSpace(a.header.Get("retry-after"))
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		if s > 0 && s < 1e7 {
			return time.Duration(s * float64(time.Second))
		}
		return 0
	}
	t, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	return max(0, t.Sub(r.now()))
}

// unreachable tells what kept an answer from coming. Errors of net/http name
// the address, which may hold a one-time secret, so only their causes are told.
func (r *registry) unreachable(ctx context.Context, doing string, err error) error {
	if cause := ctx.Err(); cause != nil {
		return &Error{Kind: cause, Message: doing + ": stopped before the registry answered"}
	}
	why := "the connection broke"
	var (
		netErr net.Error
		dns    *net.DNSError
		cert   *tls.CertificateVerificationError
		op     *net.OpError
	)
	switch {
	case errors.As(err, &dns):
		why = "its name is not known"
	case errors.As(err, &cert):
		why = "its certificate is not trusted"
	case errors.As(err, &netErr) && netErr.Timeout():
		why = "it took too long"
	case errors.As(err, &op) && op.Op == "dial":
		why = "it does not take connections"
	}
	return &Error{Kind: ErrUnreachable, Message: doing + ": no answer from the registry: " + why,
		Hint: "check the network and that " + r.base.Host + " is up; rotd tries again by itself when a rotation is due"}
}

func (r *registry) garbled(doing, what string) error {
	return &Error{Kind: ErrGarbled, Message: doing + ": the registry's answer " + what,
		Hint: "check that " + r.base.String() + " is an npm registry and not a proxy's page"}
}

// decode reads the body of an answer as JSON.
func (r *registry) decode(doing string, a answer, into any) error {
	err := json.Unmarshal(a.body, into)
	if err == nil {
		return nil
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && len(a.body) > 0 && syntax.Offset >= int64(len(a.body)) {
		return r.garbled(doing, "was cut off")
	}
	return r.garbled(doing, "is not the JSON of npm's API")
}
