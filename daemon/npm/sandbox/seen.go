package sandbox

import (
	"net/http"
	"slices"
	"strings"
)

// OpenPages are the paths of the pages that a registry request waits for: what
// loginUrl and authUrl name, while nobody has been there.
func (s *Sandbox) OpenPages() (paths []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	prefix := map[string]string{flowLogin: "/login/cli/", flowOTP: "/auth/cli/"}
	for id, f := range s.state.Flows {
		if f.Result == "" && prefix[f.Kind] != "" && s.flow(id, f.Kind) != nil {
			paths = append(paths, prefix[f.Kind]+id)
		}
	}
	slices.Sort(paths)
	return paths
}

// Asked counts the forms of the website's pages that a browser has sent, those of
// the bot check included, and tells whether the page that it was shown last asks
// for another one: to sign in, for a second factor, or whether it is a bot.
func Asked(requests []Request) (sent int, asks bool) {
	for _, r := range requests {
		if !isPagePath(r.Path) && !strings.HasPrefix(r.Path, "/cdn-cgi/") {
			continue
		}
		if r.Method == http.MethodPost {
			sent++
		}
		shown := r.Status == http.StatusOK || r.Status == http.StatusForbidden
		first, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
		asks = shown && (r.Status == http.StatusForbidden || slices.Contains([]string{"login", "escalate", "auth"}, first))
	}
	return sent, asks
}

// Values are the secret texts that the account has, or had: tokens, session
// tokens, and the website's cookies. They are for a test that looks for them
// where they must not be.
func (s *Sandbox) Values() (values []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.state.Tokens {
		values = append(values, t.Value)
	}
	for _, t := range s.state.Sessions {
		values = append(values, t.Value)
	}
	for id := range s.state.WebSessions {
		values = append(values, id)
	}
	for code := range s.state.WebOTPs {
		values = append(values, code)
	}
	slices.Sort(values)
	return values
}
