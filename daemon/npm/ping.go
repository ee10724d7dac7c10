package npm

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"rotd/ipc/secret"
)

// Ping asks a registry for a sign of life, as npm ping does, and returns what
// its clock says, to the second: zero where it does not tell. It sends nothing
// that is an account's.
func Ping(ctx context.Context, registryURL string) (clock time.Time, err error) {
	r, err := plainRegistry(registryURL)
	if err != nil {
		return time.Time{}, err
	}
	ans, err := r.once(ctx, call{doing: "ask for a sign of life", method: http.MethodGet, path: "/-/ping"})
	if err != nil {
		return time.Time{}, err
	}
	if ans.status >= 500 {
		return time.Time{}, &Error{Kind: ErrServer, Message: fmt.Sprintf("the registry answers with status %d", ans.status),
			Hint: "wait; rotd tries again by itself when a rotation is due"}
	}
	clock, _ = http.ParseTime(ans.header.Get("date"))
	return clock, nil
}

// plainRegistry speaks to a registry for nobody's account. What it may not print
// is said.
func plainRegistry(registryURL string, secrets ...secret.Text) (*registry, error) {
	address, err := ParseRegistry(registryURL)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	client := *defaultClient
	client.CheckRedirect = sameOrigin
	return &registry{base: base, http: &client, agent: "rotd", sleep: sleep, now: time.Now, log: slog.New(slog.DiscardHandler),
		secrets: func() []secret.Text { return secrets }}, nil
}
