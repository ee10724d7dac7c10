package daemon

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
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

// The designed ends of a cell.
const (
	alone   = "rotated twice, unattended"
	person2 = "needs approval, rotated twice with the person"
	stays   = "needs approval, and the old token stays"
)

// end is how the cell is to end. The registry wants a code for every token, and
// only the person has that of an e-mail or of a key that was not remembered; to
// the website the account without a factor owes its password, which is kept. A
// check in rotd's own window cannot be passed by a virtual key: nothing is
// attached to it.
func (c cell) end() string {
	switch {
	case c.via == ipc.ViaRegistry && (c.factor == byEmail || c.factor == byOwnKey):
		return person2
	case c.factor == byOwnKey && c.escalation != "never":
		return stays
	}
	return alone
}

// TestMatrix rotates twice in every cell, in a real Chromium where one is
// needed, with nobody there where the passcard can do by itself, and with the
// person where it cannot. What runs meanwhile is watched. With -v it counts.
func TestMatrix(t *testing.T) {
	count := map[string]int{}
	began := time.Now()
	d := xvfb.Start(t)
	var mu sync.Mutex
	t.Run("of", func(t *testing.T) {
		for _, c := range cells() {
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				end := "FAILED"
				defer func() { mu.Lock(); count[c.via+": "+end]++; mu.Unlock() }()
				c.run(t, d)
				if !t.Failed() {
					end = c.end()
				}
			})
		}
	})
	t.Logf("the matrix took %s", time.Since(began).Round(time.Second))
	for _, of := range slices.Sorted(maps.Keys(count)) {
		t.Logf("%3d cells by the %s", count[of], of)
	}
}

func cells() (all []cell) {
	for _, via := range []string{ipc.ViaRegistry, ipc.ViaWebsite} {
		for _, factor := range matrixFactors {
			for _, form := range []int{1, 2} {
				for _, escalation := range matrixEscalations {
					all = append(all, cell{via: via, factor: factor, form: form, escalation: escalation})
				}
			}
		}
	}
	return all
}

// run plays one cell, which has ended as it should when the test has not failed.
func (c cell) run(t *testing.T, d *xvfb.Display) {
	p := c.person(t)
	r := p.r
	watch := startWatch(t, r)
	p.display = r.chromium(d)
	passcard := p.connect()
	if c.end() == stays {
		r.switches(`{"settings_escalation":"never"}`)
	}
	rotate := r.rotates
	if c.end() == person2 {
		rotate = p.waits
	}
	rot := rotate(passcard, "", publish)
	first := r.serves(rot)
	if c.end() == stays {
		r.switches(fmt.Sprintf(`{"settings_escalation":%q}`, c.escalation))
		p.refused(rot, nil)
		if !r.serves(rot).Value.Equal(first.Value.Text) || r.rot(rot).State != ipc.StateNeedsApproval {
			t.Errorf("the token changed, or the ROT is %q", r.rot(rot).State)
		}
	} else {
		rotate(passcard, rot, nil)
		if r.serves(rot).Value.Equal(first.Value.Text) || r.accepts(first) {
			t.Error("the second rotation left the first token in use")
		}
	}
	r.npmHolds(1)
	watch.end(p.secrets())
}

// person makes a daemon, and an npm with an account of the cell's kind. Its
// secrets are this cell's alone, so that they can be looked for.
func (c cell) person(t *testing.T) *person {
	t.Helper()
	r := newRig(t)
	p := &person{r: r, cell: c, password: "pw-" + rand.Text(), seed: rand.Text()[:16]}
	cfg := sandbox.Config{User: user, Password: p.password, Now: r.clock}
	switch c.factor {
	case byTOTP:
		cfg.TOTPSecret = p.seed
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
	r.d.cfg.Sleep = func(ctx context.Context, d time.Duration) error {
		if d < 5*time.Second { // between two looks at what a person does
			return sleep(ctx, d)
		}
		r.advance(d) // the next one-time code
		return ctx.Err()
	}
	return p
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
	r              *rig
	cell           cell
	password, seed string // of the authenticator, where there is one
	display        *ipc.Display
}

// answers are what he types when he is asked.
func (p *person) answers() map[string]func() string {
	return map[string]func() string{
		ipc.AskPassword: func() string { return p.password },
		ipc.AskRecall:   func() string { return "yes" },
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
		Password: secret.NewWire(p.password), Remember: []string{"password"}, Interactive: true, Terminal: true}
	switch p.cell.factor {
	case byTOTP:
		c.TOTPSecret, c.Remember = secret.NewWire(p.seed), append(c.Remember, "totp")
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
	p.refused(of, shape)
	res, werr := p.approve(passcard)
	if werr != nil {
		r.t.Fatalf("approve: %s (%s)", werr.Message, werr.Hint)
	}
	if n := len(res.Rotations); n != 1 || res.Rotations[0].Error != nil {
		r.t.Fatalf("approve: %+v", res.Rotations)
	}
	return bare(res.Rotations[0].ROT)
}

// refused has a rotation end as needs approval, with nothing changed at npm.
func (p *person) refused(of string, shape *ipc.Shape) {
	r := p.r
	r.t.Helper()
	before := r.liveNames()
	_, werr := r.stream(ipc.Path(ipc.PathRotate, of), ipc.Rotate{Shape: shape})
	if werr == nil || werr.Code != ipc.CodeNeedsApproval {
		r.t.Fatalf("a rotation with nobody there: %+v", werr)
	}
	if after := r.liveNames(); !slices.Equal(after, before) {
		r.t.Fatalf("npm holds %q afterwards, and %q before", after, before)
	}
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
			err := site.Pass(ctx, p.r.url+path, &npm.Credentials{Username: user, Password: secret.New(p.password), Passkey: p.key()})
			if err != nil && ctx.Err() == nil {
				p.r.t.Errorf("the person passes npm's page: %v", err)
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// secrets are all that nobody may find.
func (p *person) secrets() map[string]string {
	found := map[string]string{"password": p.password, "TOTP secret": p.seed}
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
