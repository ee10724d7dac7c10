package npm

import (
	"encoding/base32"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"rotd/ipc/secret"
)

// totpKey computes the one-time codes of an authenticator app. npm's are of
// SHA-1, 6 digits and 30 seconds (PLAID, A.3.1).
type totpKey struct {
	secret string // base32, upper case, no padding
	opts   totp.ValidateOpts
}

// parseTOTP takes what people have at hand: base32 with spaces, dashes or in
// lower case, or the otpauth:// URI of a QR code. Its errors never quote it.
func parseTOTP(t secret.Text) (*totpKey, error) {
	bad := func(why string) error {
		return &Error{Kind: ErrWrongCode, Message: "the TOTP secret " + why,
			Hint: "give the secret that was shown when the authenticator app was set up: 16 or more of A-Z and 2-7, or its otpauth:// address"}
	}
	raw := strings.TrimSpace(t.Reveal())
	k := &totpKey{opts: totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}}
	if len(raw) > 10 && strings.EqualFold(raw[:10], "otpauth://") {
		u, err := url.Parse(raw)
		if err != nil || !strings.EqualFold(u.Host, "totp") {
			return nil, bad("is not an otpauth://totp/ address")
		}
		key, err := otp.NewKeyFromURL(raw)
		if err != nil {
			return nil, bad("is not an otpauth://totp/ address")
		}
		raw = key.Secret()
		k.opts = totp.ValidateOpts{Period: uint(key.Period()), Digits: key.Digits(), Algorithm: key.Algorithm()}
		if k.opts.Period < 1 || k.opts.Period > 300 || k.opts.Digits < 6 || k.opts.Digits > 8 {
			return nil, bad("asks for a period or a number of digits that makes no sense")
		}
	}
	k.secret = strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "\t", "", "\n", "", "\r", "", "=", "").Replace(raw))
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(k.secret)
	switch {
	case err != nil:
		return nil, bad("is not base32 text")
	case len(b) < 5:
		return nil, bad("is too short: is it a one-time code?")
	}
	return k, nil
}

func (k *totpKey) period() time.Duration { return time.Duration(k.opts.Period) * time.Second }

// window is the number of the period that t is in.
func (k *totpKey) window(t time.Time) int64 { return t.Unix() / int64(k.opts.Period) }

// start is when a window begins.
func (k *totpKey) start(window int64) time.Time {
	return time.Unix(window*int64(k.opts.Period), 0)
}

// code is the code of a window.
func (k *totpKey) code(window int64) (secret.Text, error) {
	c, err := totp.GenerateCodeCustom(k.secret, k.start(window), k.opts)
	if err != nil { // parseTOTP has tried the secret; the cause might quote it
		return secret.Text{}, &Error{Kind: ErrWrongCode, Message: "no code can be computed from the TOTP secret"}
	}
	return secret.New(c), nil
}
