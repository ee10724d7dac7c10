package daemon

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"rotd/daemon/browser"
	"rotd/daemon/browser/xvfb"
	"rotd/daemon/npm"
	"rotd/daemon/npm/sandbox"
	"rotd/ipc"
	"rotd/ipc/secret"
)

// The second factors of the matrix.
const (
	byTOTP     = "TOTP"
	byEmail    = "email code"
	byOwnKey   = "the person's security key"
	byPasskey  = "software passkey"
	byPassword = "password prompt"
	byChain    = "password, then key"
)

var (
	matrixFactors     = []string{byTOTP, byEmail, byOwnKey, byPasskey, byPassword, byChain}
	matrixEscalations = []string{"never", "on-open", "on-submit"}
)

// cell is one combination of what an account and npm's site may be like.
type cell struct {
	via, factor, escalation string
	form                    int // the generation of the token form
}

func (c cell) String() string {
	return fmt.Sprintf("%s/%s/form %d/%s", c.via, c.factor, c.form, c.escalation)
}

// unattended reports whether rotations of the cell need nobody. The other ones
// are to end as needs approval: the person has the factor, and nobody is asked.
func (c cell) unattended() bool {
	switch c.factor {
	case byEmail, byOwnKey:
		// The registry wants a code for every token; the website may not.
		return c.via == ipc.ViaWebsite && c.escalation == "never"
	}
	return true
}

// TestMatrix rotates twice in every cell, in a real Chromium where one is
// needed, with nobody there where the passcard can do by itself, and with the
// person where it cannot. Run it with -v for the counts.
func TestMatrix(t *testing.T) {
	count := map[string]int{}
	began := time.Now()
	d := xvfb.Start(t)
	for _, via := range []string{ipc.ViaRegistry, ipc.ViaWebsite} {
		for _, factor := range matrixFactors {
			for _, form := range []int{1, 2} {
				for _, escalation := range matrixEscalations {
					c := cell{via: via, factor: factor, form: form, escalation: escalation}
					outcome := "failed"
					t.Run(c.String(), func(t *testing.T) { outcome = c.run(t, d) })
					count[via+": "+outcome]++
				}
			}
		}
	}
	t.Logf("the matrix took %s", time.Since(began).Round(time.Second))
	for outcome, n := range count {
		t.Logf("%3d cells by the %s", n, outcome)
	}
}

// run plays one cell and says how it ended.
func (c cell) run(t *testing.T, d *xvfb.Display) (outcome string) {
	r := c.rig(t)
	watch := startWatch(t, r)
	p := &person{r: r, cell: c, display: r.chromium(d)}
	passcard := p.connect()
	if c.unattended() {
		rot := r.rotates(passcard, "", publish)
		first := r.serves(rot)
		r.rotates(passcard, rot, nil)
		if r.serves(rot).Value == first.Value || r.accepts(first) {
			t.Error("the second rotation left the first token in use")
		}
		outcome = "rotated twice, unattended"
	} else {
		rot := p.waits(passcard, "", publish)
		first := r.serves(rot)
		p.waits(passcard, rot, nil)
		if r.serves(rot).Value == first.Value || r.accepts(first) {
			t.Error("the second approval left the first token in use")
		}
		outcome = "needs approval, rotated twice by the person"
	}
	r.npmHolds(1)
	watch.end(p.secrets(passcard))
	if t.Failed() {
		return "failed"
	}
	return outcome
}

// rig is a daemon, and an npm with the cell's account.
func (c cell) rig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	cfg := sandbox.Config{User: user, Password: password, Now: r.clock}
	switch c.factor {
	case byTOTP:
		cfg.TOTPSecret = totpSeed
	case byEmail:
		cfg.NoFactor = true
	default:
		cfg.SecurityKey = true
	}
	var err error
	if r.npm, err = sandbox.New(cfg); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(r.npm)
	t.Cleanup(srv.Close)
	r.url = "http://localhost:" + srv.URL[len("http://127.0.0.1:"):]
	checks := map[string]string{byPassword: `["password"]`, byChain: `["password","webauthn"]`}[c.factor]
	if checks == "" {
		checks = `[]`
	}
	r.switches(fmt.Sprintf(`{"escalation":%s,"form_generation":%d,"settings_escalation":%q}`, checks, c.form, c.escalation))
	r.d.cfg.Browser, r.d.cfg.BrowserNoSandbox = "", os.Getuid() == 0
	return r
}

// rotates rotates unattended: a passcard's first ROT, or rot.
func (r *rig) rotates(passcard, rot string, shape *ipc.Shape) string {
	r.t.Helper()
	of := rot
	if of == "" {
		of = passcard
	}
	res, werr := r.stream(ipc.Path(ipc.PathRotate, of), ipc.Rotate{Shape: shape})
	if werr != nil {
		r.t.Fatalf("rotate: %s (%s)", werr.Message, werr.Hint)
	}
	if n := len(res.Rotations); n != 1 || res.Rotations[0].Error != nil || !res.Rotations[0].RevokedOld {
		r.t.Fatalf("rotate: %+v", res.Rotations)
	}
	return bare(res.Rotations[0].ROT)
}

// person is who the account belongs to.
type person struct {
	r       *rig
	cell    cell
	display *ipc.Display
	cookies secret.Text // of his own browser
}

// answers are what he types when he is asked.
func (p *person) answers() map[string]func() string {
	return map[string]func() string{
		ipc.AskPassword: func() string { return password },
		ipc.AskRecall:   func() string { return "yes" },
		ipc.AskOTP:      p.r.code,
		ipc.AskEmailOTP: func() string {
			box := p.r.npm.Mailbox()
			return box[len(box)-1].Code
		},
	}
}

// key is the account's security key; nil where it has none.
func (p *person) key() *ipc.Passkey {
	k, ok := p.r.npm.SecurityKey()
	if !ok {
		return nil
	}
	return &k
}

// connect makes the passcard, which keeps what the factor's name says.
func (p *person) connect() (passcard string) {
	p.r.t.Helper()
	c := ipc.Connect{Registry: p.r.url, Via: p.cell.via, AcceptTerms: p.cell.via == ipc.ViaWebsite, Username: user,
		Password: secret.NewWire(password), Remember: []string{"password"}, Interactive: true, Terminal: true}
	switch p.cell.factor {
	case byTOTP:
		c.TOTPSecret, c.Remember = secret.NewWire(totpSeed), append(c.Remember, "totp")
	case byPasskey, byChain:
		c.Passkey, c.Remember = p.key(), append(c.Remember, "passkey")
	case byOwnKey, byPassword: // to sign in with, this once
		c.Passkey = p.key()
	}
	res, werr, _ := p.r.answers(ipc.PathPasscards, c, p.answers())
	if werr != nil {
		p.r.t.Fatalf("connect: %s (%s)", werr.Message, werr.Hint)
	}
	return bare(res.Passcard)
}

// waits has a rotation end as needs approval, with nothing changed, and then
// the person approve it.
func (p *person) waits(passcard, rot string, shape *ipc.Shape) string {
	r := p.r
	r.t.Helper()
	of := rot
	if of == "" {
		of = passcard
	}
	before := len(r.liveNames())
	_, werr := r.stream(ipc.Path(ipc.PathRotate, of), ipc.Rotate{Shape: shape})
	if werr == nil || werr.Code != ipc.CodeNeedsApproval {
		r.t.Fatalf("a rotation with nobody there: %+v", werr)
	}
	if n := len(r.liveNames()); n != before {
		r.t.Fatalf("npm holds %d tokens afterwards, and %d before", n, before)
	}
	res, werr := p.approve(passcard)
	if werr != nil {
		r.t.Fatalf("approve: %s (%s)", werr.Message, werr.Hint)
	}
	if n := len(res.Rotations); n != 1 || res.Rotations[0].Error != nil {
		r.t.Fatalf("approve: %+v", res.Rotations)
	}
	return bare(res.Rotations[0].ROT)
}

// approve is rot approve with the person at it: he reads his mail, or passes
// npm's page with his own key.
func (p *person) approve(passcard string) (*ipc.Result, *ipc.Error) {
	if p.cell.factor != byOwnKey {
		res, werr, _ := p.r.answers(ipc.PathApprove, ipc.Approve{Ref: passcard, Interactive: true}, p.answers())
		return res, werr
	}
	ctx, cancel := context.WithCancel(p.r.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.passPages(ctx) }()
	defer func() { cancel(); <-done }()
	return p.r.stream(ipc.PathApprove, ipc.Approve{Ref: passcard, Display: p.display})
}

// passPages passes what npm has open for the account, with the key, in a
// browser of the person's own: no virtual key can be put into rotd's window,
// to which nothing is attached.
func (p *person) passPages(ctx context.Context) {
	site := &npm.Website{Browser: browser.Config{NoSandbox: os.Getuid() == 0, Dir: p.r.t.TempDir()}}
	for ctx.Err() == nil {
		for _, path := range p.r.npm.OpenPages() {
			err := site.Pass(ctx, p.r.url+path, &npm.Credentials{Username: user, Password: secret.New(password), Passkey: p.key()})
			if err != nil && ctx.Err() == nil {
				p.r.t.Errorf("the person passes npm's page: %v", err)
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// secrets are all that nobody may find.
func (p *person) secrets(passcard string) map[string]string {
	found := map[string]string{"password": password, "TOTP secret": totpSeed}
	if k := p.key(); k != nil {
		found["passkey"] = k.PrivateKey.Reveal()
	}
	for i, v := range p.r.npm.Values() {
		found[fmt.Sprintf("value %d of npm's", i)] = v
	}
	for name, v := range found {
		if len(strings.TrimSpace(v)) < 8 {
			p.r.t.Fatalf("the %s is too short to be looked for", name)
		}
	}
	return found
}
