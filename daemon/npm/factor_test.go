package npm

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"rotd/daemon/npm/sandbox"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// TestCodesThatCountOnce: a registry that takes each code a single time costs
// a wait for the next window, once learnt without a refused try.
func TestCodesThatCountOnce(t *testing.T) {
	w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
	w.set(`{"refuse_reused_totp":true}`)
	a := w.account(knowingPassword, knowingTOTP)
	w.must(a.SignIn(context.Background())) // 12:00:05
	rotation(w, a, "t", publish)           // create, revoke, revoke
	waits := w.clock.waits()
	if len(waits) != 3 || waits[0] != 25*time.Second || waits[1] != 30*time.Second {
		t.Errorf("waited %v", waits)
	}
	refused := 0
	for _, r := range w.box.Requests() {
		if r.OTP && r.Status == http.StatusUnauthorized {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("%d codes were refused", refused)
	}
}

// TestUsedCodeIsABare401: the registry does not say that the code is at fault.
func TestUsedCodeIsABare401(t *testing.T) {
	used := map[string]bool{}
	takes := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if code := r.Header.Get("npm-otp"); used[code] {
				answerJSON(w, 401, map[string]any{"error": "Unauthorized"})
				return
			} else {
				used[code] = true
			}
			says(status, body)(w, r)
		}
	}
	w := standin(t, map[string]http.HandlerFunc{
		"PUT /-/user/{user}":                  takes(201, `{"token":"`+sessionToken+`"}`),
		"POST /-/npm/v1/tokens":               takes(201, `{"token":"`+tokenValue+`","key":"k1"}`),
		"DELETE /-/npm/v1/tokens/token/{key}": takes(204, ""),
	})
	a := w.account(knowingTOTP)
	tok, err := a.Create(context.Background(), "t", publish)
	w.must(err)
	w.must(a.Revoke(context.Background(), tok.Key))
	if n := len(w.clock.waits()); n != 2 {
		t.Errorf("waited %d times", n)
	}
}

func TestWrongTOTPSecret(t *testing.T) {
	w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
	other := func(c *Config) { c.TOTPSecret = secret.New("MFRGGZDFMZTWQ2LK") }
	e := w.fails(w.account(knowingPassword, other).SignIn(context.Background()), ErrWrongCode)
	if !strings.Contains(e.Hint, "clock") {
		t.Error(e.Hint)
	}
	if n := len(w.clock.waits()); n != 1 {
		t.Errorf("waited %d times", n)
	}
	if !strings.Contains(e.Hint, "differs from the registry's by") { // the server's Date is the real one
		t.Error(e.Hint)
	}

	w.must(w.account(knowingPassword, knowingTOTP).SignIn(context.Background()))
	_, err := w.account(knowingPassword, other).Create(context.Background(), "t", publish)
	w.fails(err, ErrWrongCode)
	w.notCreated(err, true)
}

// TestCodeOfThePage: the 16 characters of npm's page serve until they are
// refused.
func TestCodeOfThePage(t *testing.T) {
	ctx := context.Background()
	for switches, want := range map[string]int{
		`{}`:                             2, // signing in, and one code for all
		`{"refuse_reused_web_otp":true}`: 4, // one for each of create, revoke, revoke
		`{"web_otp_life":-1}`:            0, // none is ever good
	} {
		w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
		w.set(switches)
		p := w.person()
		a := w.account(knowingPassword, with(p), func(c *Config) { c.Passkey = &ipc.Passkey{RPID: "localhost"} })
		w.must(a.SignIn(ctx))
		if want == 0 {
			_, err := a.Create(ctx, "t", publish)
			w.fails(err, ErrWrongCode)
			w.notCreated(err, true)
			continue
		}
		rotation(w, a, "t", publish)
		if p.passes != want {
			t.Errorf("%s: %d pages passed, want %d", switches, p.passes, want)
		}
	}
}

func TestTypedCodes(t *testing.T) {
	ctx := context.Background()
	w := inSandbox(t, sandbox.Config{TOTPSecret: totpSecret})
	codes := 0
	a := w.account(knowingPassword, w.answering(map[string]func() string{ipc.AskOTP: func() string { codes++; return w.code() }}))
	w.must(a.SignIn(ctx))
	rotation(w, a, "t", publish)
	if codes != 1 {
		t.Errorf("asked %d times within a window", codes)
	}
	w.clock.t = w.clock.t.Add(5 * time.Minute)
	rotation(w, a, "u", publish)
	if codes != 2 {
		t.Errorf("asked %d times", codes)
	}
	for _, answer := range []string{"000000", "a b c!", "12"} {
		bad := w.answering(map[string]func() string{ipc.AskOTP: func() string { return answer }})
		w.fails(w.account(knowingPassword, bad).SignIn(ctx), ErrWrongCode)
	}

	mail := inSandbox(t, sandbox.Config{NoFactor: true})
	a = mail.account(knowingPassword, mail.answering(map[string]func() string{ipc.AskEmailOTP: mail.mailed}))
	mail.must(a.SignIn(ctx))
	rotation(mail, a, "t", publish) // each code of a mail counts once
}

// TestListingWantsACode: the code is sent only when asked for.
func TestListingWantsACode(t *testing.T) {
	w := standin(t, map[string]http.HandlerFunc{"GET /-/npm/v1/tokens": func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header.Get("npm-otp")) != 6 {
			answerJSON(w, 401, map[string]any{"error": "You must provide a one-time pass."})
			return
		}
		_, _ = w.Write([]byte(`{"objects":[{"key":"k1"}]}`))
	}})
	listed, err := w.account(knowingTOTP).List(context.Background())
	w.must(err)
	if !holds(listed, "k1") {
		t.Error("not listed")
	}
}

func TestTOTPSecrets(t *testing.T) {
	at := time.Unix(1111111109, 0)
	const rfc = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // RFC 6238, appendix B
	for text, want := range map[string]string{
		rfc: "081804",
		"gezd gnbv gy3t qojq  gezd-gnbv-gy3t-qojq\n":                                         "081804",
		"otpauth://totp/npm:ada?secret=" + rfc + "&issuer=npm":                               "081804",
		"OTPAUTH://totp/npm:ada?secret=" + strings.ToLower(rfc) + "&digits=8&algorithm=SHA1": "07081804",
		"otpauth://totp/npm?secret=" + rfc + "&period=60":                                    "360094",
		"JBSWY3DPEHPK3PXP======":                                                             "",
	} {
		k, err := parseTOTP(secret.New(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		code, err := k.code(k.window(at))
		if err != nil || want != "" && code.Reveal() != want {
			t.Errorf("%q: %s, %v", text, code.Reveal(), err)
		}
	}
	for _, text := range []string{"", " ", "123456", "234567", "not base32!", "8181818181818181", "otpauth://hotp/npm?secret=" + rfc,
		"otpauth://totp/npm", "otpauth://totp/npm?secret=18", "otpauth://totp/%zz?secret=" + rfc, "otpauth://totp/npm?digits=99&secret=" + rfc, "otpauth://totp/npm?period=0&secret=" + rfc} {
		w := newWorld(t)
		_, err := parseTOTP(secret.New(text))
		w.secrets = append(w.secrets, strings.TrimSpace(text), rfc)
		w.fails(err, ErrWrongCode)
		_, err = NewAccount(Config{TOTPSecret: secret.New(text)})
		if text != "" && err == nil {
			t.Errorf("%q passed", text)
		}
	}
}

func TestKeptSecretsThatCannotBeRead(t *testing.T) {
	for kind, v := range map[store.Kind]string{store.KindTOTP: "not base32!", store.KindPasskey: "{not JSON"} {
		w := standin(t, nil)
		w.keep[kind] = secret.New(v)
		w.fails(w.account().SignIn(context.Background()), ErrWrongCode)
	}
}
