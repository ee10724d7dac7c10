package npm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode"

	"rotd/ipc/secret"
)

// maxWords bounds what of an answer gets into an error.
const maxWords = 200

// tokenLike finds what looks like one of npm's tokens (API, B.10).
var tokenLike = regexp.MustCompile(`npm_[A-Za-z0-9]{8,}`)

// failure turns an answer that is no success into an error.
func (r *registry) failure(doing string, a answer) error {
	e := &Error{RetryAfter: r.retryAfter(a)}
	words := r.words(a)
	said := ""
	if words != "" {
		said = ": " + words
	}
	switch {
	case strings.Contains(a.header.Get("cf-mitigated"), "challenge"):
		e.Kind = ErrBotCheck
		e.Message = doing + ": a bot check stands in front of the registry"
		e.Hint = "rotd does not go around it: open " + Site(r.base.String()) + " in your browser from this network, and try again later"
	case a.status == http.StatusTooManyRequests:
		e.Kind = ErrRateLimited
		e.Message = doing + ": the registry says that there were too many requests" + said
		e.Hint = "wait a while before you try again"
		if e.RetryAfter > 0 {
			e.Hint = fmt.Sprintf("try again in %s", e.RetryAfter)
		}
	case a.status >= 500:
		e.Kind = ErrServer
		e.Message = fmt.Sprintf("%s: the registry failed (%d)%s", doing, a.status, said)
		e.Hint = "the trouble is at " + r.base.Host + ": try again later"
	case a.status >= 400:
		e.Kind = ErrRefused
		e.Message = fmt.Sprintf("%s: the registry refused (%d)%s", doing, a.status, said)
		e.Hint = hintFor(a.status, words)
	case a.status >= 300:
		e.Kind = ErrGarbled
		e.Message = fmt.Sprintf("%s: the registry points elsewhere (%d)", doing, a.status)
		e.Hint = "connect with the address that it moved to; passwords and tokens are not sent after a redirect"
	default:
		e.Kind = ErrGarbled
		e.Message = fmt.Sprintf("%s: the registry answered %d, which rotd does not know", doing, a.status)
	}
	return e
}

// wrongPassword finds npm's words for it, which are not known (npm-facts E.2).
var wrongPassword = regexp.MustCompile(`(?i)(wrong|incorrect|invalid|bad)\b.*\bpassword|password\b.*\b(wrong|incorrect|invalid|not match|mismatch)`)

// hints are for refusals that are known (npm-facts B.5, B.8, C), found by
// npm's words as there are no codes.
var hints = []struct {
	words *regexp.Regexp
	hint  string
}{
	{regexp.MustCompile(`(?i)that bypass two-factor`), "npm manages tokens by a sign-in only, never by a bypass-2FA token: run `rot connect npm` again"},
	{regexp.MustCompile(`(?i)(longer than|up to) 90 days`), "npm caps tokens that can write at 90 days: ask for 90 or fewer, or for a read-only token"},
	{regexp.MustCompile(`(?i)unique name|duplicate|already exists`), "a token of that name is there already: rotate again, which takes a fresh name"},
	{regexp.MustCompile(`(?i)at least one|must select`), "say which packages, scopes or organizations the token is for"},
	{regexp.MustCompile(`(?i)no-access, read-only`), "this registry does not know that permission: choose another"},
	{regexp.MustCompile(`(?i)72.hour|read-only mode|temporarily (restricted|read-only)|recovery code`), "npm freezes the tokens of high-impact accounts for 72 hours after a change of e-mail or the use of a recovery code: wait it out"},
	{regexp.MustCompile(`(?i)(package|scope|organi[sz]ation)\b.*(not exist|not found|unknown)|(no such|unknown).*(package|scope|organi[sz]ation)`), "npm grants only what exists and is the account's: check the spelling, or publish the package once, with a token for all packages"},
	{regexp.MustCompile(`(?i)(token|limit).*(limit|maximum|too many)`), "an npm account holds 1000 tokens: delete some"},
	{regexp.MustCompile(`(?i)verif.*e-?mail|e-?mail.*verif`), "verify the account's e-mail address on npm's website"},
}

func hintFor(status int, words string) string {
	for _, h := range hints {
		if h.words.MatchString(words) {
			return h.hint
		}
	}
	switch status {
	case http.StatusUnauthorized:
		return "run `rot connect npm` again"
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return "this registry may lack npm's token API: check its address"
	case http.StatusForbidden:
		return "check on npm's website that the account may do this"
	}
	return "check what was asked for against npm's rules for tokens"
}

// words is npm's own short text in an answer, safe to show: one line, bounded,
// no secret that this run knows. Anything that is not JSON gives none.
func (r *registry) words(a answer) string {
	var body map[string]any
	if json.Unmarshal(a.body, &body) != nil {
		return ""
	}
	for _, name := range []string{"error", "message", "reason"} {
		if s, ok := body[name].(string); ok && s != "" {
			return r.clean(s)
		}
	}
	return ""
}

// clean makes a text of the registry's safe to show.
func (r *registry) clean(s string) string {
	for _, known := range r.secrets() {
		s = redact(s, known)
	}
	s = tokenLike.ReplaceAllString(s, "[redacted]")
	s = strings.Join(strings.FieldsFunc(s, func(c rune) bool { return c == ' ' || !unicode.IsPrint(c) }), " ")
	if runes := []rune(s); len(runes) > maxWords {
		s = string(runes[:maxWords]) + "…"
	}
	return strings.TrimSuffix(s, ".")
}

func redact(s string, known secret.Text) string {
	if known.IsZero() {
		return s
	}
	return strings.ReplaceAll(s, known.Reveal(), "[redacted]")
}
