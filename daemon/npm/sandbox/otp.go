package sandbox

import (
	"fmt"
	"net/http"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// webOTP is the one-time password that doneUrl gives: 16 characters, for the
// token that asked.
type webOTP struct {
	Asker   string    `json:"asker"`
	Created time.Time `json:"created"`
	Used    bool      `json:"used"`
}

func (s *Sandbox) newWebOTP(asker string) string {
	code := randomText(16, base62)
	s.state.WebOTPs[code] = &webOTP{Asker: asker, Created: s.now()}
	return code
}

// Where a code of the authenticator app is used: reuse is judged apart.
const (
	atRegistry = "registry"
	atWebsite  = "website"
)

// requireOTP reports whether the request carries a good one-time password, and
// answers if not (B.4). asker is the bearer token, empty at sign-in.
func (s *Sandbox) requireOTP(w http.ResponseWriter, r *http.Request, asker string) bool {
	code := r.Header.Get("npm-otp")
	if code == "" {
		s.askOTP(w, r, asker)
		return false
	}
	if s.goodOTP(code, asker) {
		return true
	}
	w.Header().Set("WWW-Authenticate", "OTP")
	refuse(w, http.StatusUnauthorized, s.switches.WrongOTPText)
	return false
}

func (s *Sandbox) goodOTP(code, asker string) bool {
	if w := s.state.WebOTPs[code]; w != nil {
		if w.Asker != asker || s.now().After(w.Created.Add(seconds(s.switches.WebOTPLife))) {
			return false
		}
		if w.Used && s.switches.RefuseReusedWebOTP {
			return false
		}
		w.Used = true
		return true
	}
	if !s.hasFactor() {
		return s.goodMailCode(code)
	}
	return s.goodTOTP(code, atRegistry, s.switches.RefuseReusedTOTP)
}

// goodTOTP checks a code of the authenticator app, one step of 30 seconds
// early or late included.
func (s *Sandbox) goodTOTP(code, where string, refuseReused bool) bool {
	if s.cfg.TOTPSecret == "" {
		return false
	}
	now := s.cfg.Now() // not the moved clock: see Advance
	ok, err := totp.ValidateCustom(code, s.cfg.TOTPSecret, now, totp.ValidateOpts{
		Period: 30, Skew: 1, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil || !ok {
		return false
	}
	use := where + " " + code
	last, used := s.state.UsedCodes[use]
	if used && refuseReused && now.Sub(last) < 90*time.Second {
		return false
	}
	s.state.UsedCodes[use] = now
	return true
}

// askOTP answers a guarded request that came without a one-time password.
func (s *Sandbox) askOTP(w http.ResponseWriter, r *http.Request, asker string) {
	w.Header().Set("WWW-Authenticate", "OTP")
	if !s.hasFactor() {
		s.mailCode()
		refuse(w, http.StatusUnauthorized, "A One Time Password (OTP) by email is required.")
		return
	}
	if r.Header.Get("npm-auth-type") == "web" && r.Header.Get("npm-command") != "" {
		f := s.newFlow(flowOTP, asker)
		answerJSON(w, http.StatusUnauthorized, map[string]string{
			"authUrl": s.site(r) + "/auth/cli/" + f.ID,
			"doneUrl": s.doneURL(r, f),
		})
		return
	}
	f := s.newFlow(flowShown, asker)
	w.Header().Set("npm-notice", fmt.Sprintf("Open %s/login/%s to use your security key for authentication", s.site(r), f.ID))
	refuse(w, http.StatusUnauthorized, "You must provide a one-time pass. Upgrade your client to npm@latest in order to use 2FA.")
}
