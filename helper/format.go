package helper

import (
	"context"
	"io"
	"strconv"
	"strings"
	"time"

	"rotd/ipc"
	"rotd/ipc/fmt"
	"rotd/ipc/secret"
)

// The forms that other programs ask for credentials in. Docker and git call a
// helper with what they want done behind its own arguments, and the registry on
// its standard input: it answers for its own alone, as it may be asked for any.
const (
	formatNPM    = "npm-rfc850" // of npm/rfcs#850, a proposal; of the expiry's form it says nothing
	formatDocker = "docker"
	formatGit    = "git"
	formatPnpm   = "pnpm" // of its tokenHelper: one line, and no other on any stream
)

// npmCredential is formatNPM's.
type npmCredential struct {
	Token   secret.Wire `json:"_authToken"`
	Expires *time.Time  `json:"expiresAt,omitempty"`
}

type dockerCredential struct {
	ServerURL string
	Username  string
	Secret    secret.Wire
}

// getAs answers in a format. What the caller has no use for is done by doing
// nothing: there is nothing to store or erase.
func (c *call) getAs(ctx context.Context, ref, format, operation string) error {
	switch {
	case format != formatNPM && format != formatDocker && format != formatGit && format != formatPnpm:
		return c.usage(fmt.Sprintf("there is no format %q", format))
	case operation == "store" || operation == "erase":
		return nil
	case operation != "get" && operation != "" || operation != "" && (format == formatNPM || format == formatPnpm):
		return c.usage(fmt.Sprintf("%s asks for no %q", format, operation))
	}
	asked := map[string]string{}
	if operation == "get" {
		text, err := io.ReadAll(io.LimitReader(c.Stdin, maxValue))
		if err != nil {
			return local("", "read the standard input: %v", err)
		}
		asked["host"] = strings.TrimSpace(string(text)) // Docker's
		if format == formatGit {
			for line := range strings.Lines(string(text)) {
				k, v, _ := strings.Cut(strings.TrimRight(line, "\n"), "=")
				asked[k] = v
			}
		}
	}
	tok, err := c.token(ctx, ref)
	if err != nil {
		return err
	}
	ours := operation == "" || strings.EqualFold(hostOf(asked["host"]), hostOf(tok.Registry))
	switch {
	case format == formatPnpm:
		c.print("Bearer " + tok.Value.Reveal() + "\n")
	case format == formatNPM:
		return c.printJSON(npmCredential{tok.Value, tok.Expires})
	case format == formatDocker && ours:
		server := asked["host"]
		if server == "" {
			server = tok.Registry
		}
		return c.printJSON(dockerCredential{server, "<token>", tok.Value})
	case format == formatDocker:
		c.print("credentials not found in native keychain\n") // the words that Docker knows
		return exitStatus(ipc.ExitFailed)
	case ours:
		c.print(gitCredential(tok, asked["username"]))
	}
	return nil // git goes on to its next helper
}

// gitCredential keeps the user name that git knows.
func gitCredential(tok ipc.Token, username string) string {
	if username == "" {
		username = "token"
	}
	text := "username=" + username + "\npassword=" + tok.Value.Reveal() + "\n"
	if tok.Expires != nil {
		text += "password_expiry_utc=" + strconv.FormatInt(tok.Expires.Unix(), 10) + "\n"
	}
	return text
}

// hostOf is the host and port of an address, with or without its scheme.
func hostOf(address string) string {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	host, _, _ := strings.Cut(address, "/")
	return host
}
