package npm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
)

// challenge is what a 401 asks for beyond the session (npm-facts B.2, B.4).
type challenge struct {
	page, done string    // authUrl and doneUrl; empty where npm offers no page
	email      bool      // npm has sent a code by e-mail
	date       time.Time // the registry's clock; zero: it does not say
}

var (
	aboutCodes = regexp.MustCompile(`(?i)one[- ]time pass|\botp\b|two-factor|\b2fa\b`)
	aboutEmail = regexp.MustCompile(`(?i)by e-?mail`)
)

// challengeOf reports whether a 401 is about the second factor.
func challengeOf(a answer) (challenge, bool) {
	var body struct {
		AuthURL string `json:"authUrl"`
		DoneURL string `json:"doneUrl"`
	}
	_ = json.Unmarshal(a.body, &body) // an older registry's text is no JSON
	ch := challenge{page: body.AuthURL, done: body.DoneURL, email: aboutEmail.Match(a.body)}
	if ch.page == "" || ch.done == "" {
		ch.page, ch.done = "", ""
	}
	ch.date, _ = http.ParseTime(a.header.Get("date"))
	named := slices.ContainsFunc(strings.Split(a.header.Get("www-authenticate"), ","), func(s string) bool {
		return strings.EqualFold(strings.TrimSpace(s), "otp")
	})
	return ch, named || ch.page != "" || aboutCodes.Match(a.body)
}

// factor is what one run knows of the second factor. The zero value knows
// nothing.
type factor struct {
	key *totpKey
	// held is a code that a page or a person gave. npm takes one for several
	// calls (B.5), so it is sent until it is refused.
	held secret.Text
	// sent is the last window whose code was sent, and once says that the
	// registry takes each code a single time.
	sent int64
	once bool
}

// attempts is what one call has tried.
type attempts struct {
	codes int  // of the TOTP secret
	fresh bool // the last of them had not been sent before
	asked bool // a page or a person gave a code
}

// challenged sends c and passes the second factor where the registry asks for
// it. The answer is any other than a challenge; the zero answer comes with an
// error of the second factor itself.
func (a *Account) challenged(ctx context.Context, c call) (answer, error) {
	var tried attempts
	var err error
	if c.otp, err = a.firstCode(ctx, c.method, &tried); err != nil {
		return answer{}, err
	}
	for {
		ans, err := a.reg.do(ctx, c)
		if err != nil || ans.status != http.StatusUnauthorized {
			return ans, err
		}
		ch, ok := challengeOf(ans)
		if !ok {
			return ans, nil
		}
		if c.otp, err = a.nextCode(ctx, c, ch, &tried); err != nil {
			return answer{}, err
		}
	}
}

// firstCode is what to send before being asked: the code that is at hand. With
// a GET none is made, as few registries want one and some take each once only.
func (a *Account) firstCode(ctx context.Context, method string, tried *attempts) (secret.Text, error) {
	if !a.factor.held.IsZero() {
		return a.factor.held, nil
	}
	if a.factor.key == nil || method == http.MethodGet {
		return secret.Text{}, nil
	}
	return a.totpCode(ctx, tried)
}

// nextCode answers a challenge that came to c.
func (a *Account) nextCode(ctx context.Context, c call, ch challenge, tried *attempts) (secret.Text, error) {
	wrong := &Error{Kind: ErrWrongCode, Message: c.doing + ": npm refused the one-time code"}
	held := !c.otp.IsZero() && c.otp.Equal(a.factor.held)
	if held {
		a.factor.held = secret.Text{}
	}
	switch {
	case held && !tried.asked:
		// It was good for an earlier call. A call without any code tells which
		// one is wanted, and makes npm offer its page or send its mail.
		return secret.Text{}, nil
	case a.factor.key != nil && !ch.email:
		if tried.codes > 0 && !tried.fresh {
			a.factor.once = true
		}
		if tried.codes >= 2 {
			wrong.Hint = "check this machine's clock; if it is right, connect again with the present TOTP secret"
			if off := a.cfg.Now().Sub(ch.date).Round(time.Second); !ch.date.IsZero() && off.Abs() > 30*time.Second {
				wrong.Hint = fmt.Sprintf("this machine's clock differs from the registry's by %s: set it, and try again", off.Abs())
			}
			return secret.Text{}, wrong
		}
		if tried.codes == 1 {
			return a.nextTOTPCode(ctx, tried)
		}
		return a.totpCode(ctx, tried)
	case tried.asked:
		wrong.Hint = "try again with a new code"
		return secret.Text{}, wrong
	}
	tried.asked = true
	code, err := a.codeByPerson(ctx, c, ch)
	if err != nil {
		return secret.Text{}, err
	}
	a.factor.held = code
	a.know(code)
	return code, nil
}

// codeByPerson gets a code that cannot be computed: from npm's page where a
// browser can open it, else from whoever is there.
func (a *Account) codeByPerson(ctx context.Context, c call, ch challenge) (secret.Text, error) {
	if ch.page != "" && !a.typesCodes() {
		a.tell("second factor", "passing the security check on npm's page")
		code, err := a.passPage(ctx, c, ch.page, ch.done)
		switch {
		case err == nil && !sane(code.Reveal(), 4, 256):
			return code, a.reg.garbled(c.doing, "holds a one-time code that is none")
		case !noBrowser(err) || a.cfg.Ask == nil && a.passkey != nil:
			return code, err
		} // without a browser it takes a person, there or not
	}
	kind, text := ipc.AskOTP, "one-time code of the authenticator app"
	if ch.email {
		kind, text = ipc.AskEmailOTP, "one-time code that npm has sent by e-mail"
	}
	code, err := a.ask(ctx, c.doing, kind, text)
	if err != nil {
		return secret.Text{}, err
	}
	digits := strings.Join(strings.Fields(code.Reveal()), "")
	if !sane(digits, 4, 256) {
		return secret.Text{}, &Error{Kind: ErrWrongCode, Message: c.doing + ": what was entered is no one-time code", Hint: "try again"}
	}
	return secret.New(digits), nil
}

// totpCode computes the code of now, or of the next window where the registry
// takes each only once and has had this one.
func (a *Account) totpCode(ctx context.Context, tried *attempts) (secret.Text, error) {
	if a.factor.once && a.factor.key.window(a.cfg.Now()) <= a.factor.sent {
		return a.nextTOTPCode(ctx, tried)
	}
	return a.codeOf(a.factor.key.window(a.cfg.Now()), tried)
}

// nextTOTPCode waits for the window after the last that was sent: its code had
// been used, or the two clocks are on different sides of an edge.
func (a *Account) nextTOTPCode(ctx context.Context, tried *attempts) (secret.Text, error) {
	key := a.factor.key
	next := max(a.factor.sent+1, key.window(a.cfg.Now()))
	if wait := key.start(next).Sub(a.cfg.Now()); wait > 0 {
		a.tell("second factor", fmt.Sprintf("waiting %d s for the next one-time code", int(wait.Round(time.Second).Seconds())))
		if err := a.cfg.Sleep(ctx, min(wait, key.period())); err != nil {
			return secret.Text{}, a.stopped(ctx, "wait for the next one-time code", err)
		}
	}
	return a.codeOf(next, tried)
}

func (a *Account) codeOf(window int64, tried *attempts) (secret.Text, error) {
	code, err := a.factor.key.code(window)
	tried.codes++
	tried.fresh = window > a.factor.sent
	a.factor.sent = max(a.factor.sent, window)
	a.know(code)
	return code, err
}

// stopped is the error of something that ended with its context.
func (a *Account) stopped(ctx context.Context, doing string, err error) error {
	if cause := ctx.Err(); cause != nil {
		err = cause
	}
	return &Error{Kind: err, Message: doing + ": stopped"}
}

// ask puts a question to the person, if one is there.
func (a *Account) ask(ctx context.Context, doing, kind, text string) (secret.Text, error) {
	if a.cfg.Ask == nil {
		return secret.Text{}, &Error{Kind: ErrNeedsPerson, Message: doing + ": npm wants the " + text + ", and nobody is there to give it", Hint: hintToRemember(kind)}
	}
	v, err := a.cfg.Ask(ctx, kind, text)
	switch {
	case ctx.Err() != nil:
		return secret.Text{}, a.stopped(ctx, doing, err)
	case err != nil:
		var known *Error
		if errors.As(err, &known) {
			return secret.Text{}, err
		}
		return secret.Text{}, fmt.Errorf("%s: ask for the %s: %w", doing, text, err)
	case strings.TrimSpace(v.Reveal()) == "":
		return secret.Text{}, &Error{Kind: ErrNeedsPerson, Message: doing + ": the question for the " + text + " was left unanswered", Hint: hintToRemember(kind)}
	}
	a.know(v)
	return v, nil
}

func hintToRemember(kind string) string {
	const there = "run the command again in a terminal and answer there"
	switch kind {
	case ipc.AskPassword:
		return there + ", or let rotd keep the password: `rot connect npm --remember password`"
	case ipc.AskOTP:
		return there + ", or let rotd keep the TOTP secret: `rot connect npm --remember totp`"
	}
	return there
}
