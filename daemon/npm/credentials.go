package npm

import (
	"context"

	"rotd/ipc"
	"rotd/ipc/secret"
)

// Pages passes the pages that npm's registry sends a person to. *Website is
// one; it drives a browser.
type Pages interface {
	// Pass opens url and returns nil when its check has been passed. It ends
	// its work when ctx ends, and returns only when no browser is left.
	Pass(ctx context.Context, url string, c *Credentials) error
}

// Credentials is what may be entered on npm's pages. Every field may be empty:
// what is needed and not there is asked for.
type Credentials struct {
	Username string
	Password secret.Text
	// TOTP computes the one-time code of this moment; nil where the TOTP
	// secret is not known.
	TOTP    func(ctx context.Context) (secret.Text, error)
	Passkey *ipc.Passkey
	// Ask puts a question of an ipc.Ask… kind to the person; nil where nobody
	// is there.
	Ask func(ctx context.Context, kind, text string) (secret.Text, error)
}
