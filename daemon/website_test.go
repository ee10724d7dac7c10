package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"rotd/daemon/npm"
	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// fakeSite plays npm's website, and the browsers that visit it, to the daemon of
// a rig. npm.Web against npm-sandbox is tested in package npm, and both with the
// daemon in cmd.
type fakeSite struct {
	r *rig

	mu      sync.Mutex
	cookie  string // of the session that is good; empty: none is
	made    int    // sessions, so far
	tokens  map[string]*rotate.Token
	away    error // what every call comes back with; nil: none
	open    int   // browsers, now
	most    int   // and at most
	checks  int
	signIns int
	out     int // sign-outs
	sites   []string
	shown   int // accounts opened with a display
}

func atSite(t *testing.T) (*rig, *fakeSite) {
	t.Helper()
	r := newRig(t)
	s := &fakeSite{r: r, tokens: map[string]*rotate.Token{}}
	r.d.newWebsite = func(c npm.WebConfig) (website, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sites = append(s.sites, c.Site)
		if c.Display != nil {
			s.shown++
		}
		return &fakeWeb{s: s, c: c}, nil
	}
	return r, s
}

// end ends the session, as npm may at any time.
func (s *fakeSite) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cookie = ""
}

func (s *fakeSite) count(n *int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *n
}

func (s *fakeSite) leave(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = err
}

// fakeWeb is one run's use of it.
type fakeWeb struct {
	s      *fakeSite
	c      npm.WebConfig
	opened bool
	cookie string
}

// visit opens the browser and says whether somebody is signed in.
func (w *fakeWeb) visit(ctx context.Context) (in bool, err error) {
	kept, err := w.c.Keep.Secret(ctx, store.KindCookies)
	if err != nil {
		return false, err
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if !w.opened {
		w.opened = true
		w.s.open++
		w.s.most = max(w.s.most, w.s.open)
		w.cookie = kept.Reveal()
	}
	return w.cookie != "" && w.cookie == w.s.cookie, w.s.away
}

func (w *fakeWeb) signedOut() error {
	return &npm.Error{Kind: npm.ErrNeedsSignIn, Message: "npm has ended the website session", Hint: "sign in"}
}

func (w *fakeWeb) SignIn(ctx context.Context) error {
	in, err := w.visit(ctx)
	if in || err != nil {
		return err
	}
	word := w.c.Password
	if word.IsZero() {
		word, _ = w.c.Keep.Secret(ctx, store.KindPassword)
	}
	if word.IsZero() && w.c.Ask == nil && w.c.Display == nil {
		return w.signedOut()
	}
	if err := w.c.MaySignIn(); err != nil {
		return err
	}
	w.s.mu.Lock()
	w.s.signIns++
	w.s.mu.Unlock()
	if word.IsZero() && w.c.Display == nil {
		if word, err = w.c.Ask(ctx, ipc.AskPassword, "npm password of "+w.c.Username); err != nil {
			return err
		}
	}
	if w.c.Display == nil && word.Reveal() != password {
		return &npm.Error{Kind: npm.ErrWrongPassword, Message: "npm refused the password", Hint: "check it"}
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.made++
	w.s.cookie = fmt.Sprintf("session-%d-EXAMPLE", w.s.made)
	w.cookie = w.s.cookie
	return nil
}

func (w *fakeWeb) Check(ctx context.Context) error {
	w.s.mu.Lock()
	w.s.checks++
	w.s.mu.Unlock()
	in, err := w.visit(ctx)
	if err == nil && !in {
		err = w.signedOut()
	}
	return err
}

func (w *fakeWeb) Close(ctx context.Context) error {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if !w.opened {
		return nil
	}
	w.opened = false
	w.s.open--
	return w.c.Keep.PutSecret(ctx, store.KindCookies, secret.New(w.cookie))
}

func (w *fakeWeb) SignOut(ctx context.Context) error {
	in, err := w.visit(ctx)
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if in && err == nil {
		w.s.out++
		w.s.cookie = ""
	}
	return err
}

func (w *fakeWeb) Username() string { return user }

func (w *fakeWeb) Create(ctx context.Context, name string, want store.Shape) (rotate.Token, error) {
	if err := w.SignIn(ctx); err != nil {
		return rotate.Token{}, fmt.Errorf("%w: %w", rotate.ErrNotCreated, err)
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	now := w.s.r.clock()
	tk := &rotate.Token{Key: name, Name: name, Value: secret.New("npm_EXAMPLE" + name), Created: now, Expires: now.Add(90 * day)}
	w.s.tokens[name] = tk
	return *tk, nil
}

func (w *fakeWeb) List(ctx context.Context) (all []rotate.Token, err error) {
	if err := w.SignIn(ctx); err != nil {
		return nil, err
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for _, tk := range w.s.tokens {
		all = append(all, rotate.Token{Key: tk.Key, Name: tk.Name})
	}
	return all, nil
}

func (w *fakeWeb) Revoke(ctx context.Context, key string) error {
	if err := w.SignIn(ctx); err != nil {
		return err
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	delete(w.s.tokens, key)
	return nil
}

func (w *fakeWeb) Verify(context.Context, rotate.Token, store.Shape) error { return nil }

func (w *fakeWeb) Accepts(_ context.Context, value secret.Text) (bool, error) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	_, ok := w.s.tokens[strings.TrimPrefix(value.Reveal(), "npm_EXAMPLE")]
	return ok, nil
}

// bySite is a connection by the website, from a script.
func (r *rig) bySite() ipc.Connect {
	return ipc.Connect{Registry: r.url, Username: user, Via: ipc.ViaWebsite, AcceptTerms: true, Password: secret.NewWire(password)}
}

// firstAtSite connects by the website and makes ROTs of these names.
func firstAtSite(t *testing.T, names ...string) (r *rig, s *fakeSite, passcard string, rots []string) {
	t.Helper()
	r, s = atSite(t)
	res, werr := r.stream(ipc.PathPasscards, r.bySite())
	if werr != nil {
		t.Fatal(werr)
	}
	passcard = bare(res.Passcard)
	for _, name := range names {
		res, werr := r.stream(ipc.Path(ipc.PathRotate, passcard), ipc.Rotate{Name: name, Shape: publish})
		if werr != nil {
			t.Fatal(werr)
		}
		rots = append(rots, bare(res.Rotations[0].ROT))
	}
	return r, s, passcard, rots
}

// holds are the kinds of secrets of a passcard.
func (r *rig) holds(passcard string) string {
	r.t.Helper()
	kinds, err := r.d.store.Load().Kinds(r.t.Context(), passcard)
	if err != nil {
		r.t.Fatal(err)
	}
	var words []string
	for _, k := range kinds {
		words = append(words, string(k))
	}
	return strings.Join(words, " ")
}

func (r *rig) passcard(id string) ipc.Passcard {
	r.t.Helper()
	var st ipc.Status
	if err := r.call("GET", "/v1/status", nil, &st); err != nil {
		r.t.Fatal(err)
	}
	i := slices.IndexFunc(st.Passcards, func(p ipc.Passcard) bool { return p.Ref == passcardRef(id) })
	if i < 0 {
		r.t.Fatalf("no %s in %+v", id, st.Passcards)
	}
	return st.Passcards[i]
}

func TestConnectByTheWebsite(t *testing.T) {
	r, s := atSite(t)
	req := r.bySite()
	req.AcceptTerms = false
	if _, werr := r.stream(ipc.PathPasscards, req); werr == nil || werr.Code != ipc.CodeBadRequest || !strings.Contains(werr.Hint, "--accept-terms") {
		t.Errorf("without a word on the terms, in a script: %+v", werr)
	}
	req.Interactive, req.Password = true, secret.Wire{}
	word := map[string]func() string{ipc.AskTerms: func() string { return "no" }}
	if _, werr, asked := r.answers(ipc.PathPasscards, req, word); werr == nil || werr.Code != ipc.CodeCancelled || !slices.Equal(asked, []string{ipc.AskTerms}) {
		t.Errorf("said no: %+v, asked %q", werr, asked)
	}
	if s.signIns != 0 {
		t.Error("npm was visited without the user's word")
	}
	word[ipc.AskTerms] = func() string { return "yes" }
	word[ipc.AskPassword] = func() string { return password }
	res, werr, asked := r.answers(ipc.PathPasscards, req, word)
	if werr != nil || !slices.Equal(asked, []string{ipc.AskTerms, ipc.AskPassword}) {
		t.Fatalf("%+v, asked %q", werr, asked)
	}
	passcard := bare(res.Passcard)
	if got := r.holds(passcard); got != "cookies" {
		t.Errorf("keeps %s, want the session alone", got)
	}
	if p := r.passcard(passcard); p.Via != ipc.ViaWebsite || p.Site != r.url || p.Username != user {
		t.Errorf("%+v", p)
	}
	agreed := r.kept(passcard).Terms
	if !agreed.Equal(r.clock().Truncate(1000)) {
		t.Errorf("the word is of %v", agreed)
	}
	// Once is enough, and the way is known, by the user name or without it.
	for _, username := range []string{user, ""} {
		r.advance(day)
		again := ipc.Connect{Registry: r.url, Username: username, Interactive: true, Remember: []string{"password"}}
		word[ipc.AskUsername] = func() string { return user }
		if res, werr, asked = r.answers(ipc.PathPasscards, again, word); werr != nil || bare(res.Passcard) != passcard || slices.Contains(asked, ipc.AskTerms) {
			t.Errorf("again: %+v, %v, asked %q", res, werr, asked)
		}
	}
	if got := r.holds(passcard); got != "cookies password" || !r.kept(passcard).Terms.Equal(agreed) {
		t.Errorf("renewed, it keeps %s, agreed to on %v", got, r.kept(passcard).Terms)
	}
	if s.open != 0 {
		t.Errorf("%d browsers are open", s.open)
	}
}

func (r *rig) kept(passcard string) store.Passcard {
	r.t.Helper()
	p, err := r.d.store.Load().Passcard(r.t.Context(), passcard)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func TestWaysThatMakeNoSense(t *testing.T) {
	r, _ := atSite(t)
	for name, change := range map[string]func(*ipc.Connect){
		"no such way":                  func(c *ipc.Connect) { c.Via = "pigeon" },
		"a site of the registry way":   func(c *ipc.Connect) { c.Via, c.AcceptTerms, c.Site = ipc.ViaRegistry, false, "https://x.example" },
		"terms of the registry way":    func(c *ipc.Connect) { c.Via = "" },
		"a site that is no address":    func(c *ipc.Connect) { c.Site = "x" },
		"a site that anybody can read": func(c *ipc.Connect) { c.Site = "http://npm.example" },
		"nobody to give the user name": func(c *ipc.Connect) { c.Username = "" },
	} {
		req := r.bySite()
		change(&req)
		if _, werr := r.stream(ipc.PathPasscards, req); werr == nil || werr.Code != ipc.CodeBadRequest || werr.Hint == "" {
			t.Errorf("%s: %+v", name, werr)
		}
	}
}

// A wrong password keeps nothing, and another account is not renewed by mistake.
func TestAWebsiteThatRefuses(t *testing.T) {
	r, s := atSite(t)
	req := r.bySite()
	req.Password = secret.NewWire("wrong-EXAMPLE")
	if _, werr := r.stream(ipc.PathPasscards, req); werr == nil || werr.Code != ipc.CodeWrongPassword {
		t.Errorf("%+v", werr)
	}
	var st ipc.Status
	if werr := r.call("GET", "/v1/status", nil, &st); werr != nil || len(st.Passcards) != 0 || s.open != 0 {
		t.Errorf("kept %+v; %d browsers are open", st.Passcards, s.open)
	}
}

// The same account may go the other way from one day on; what only the first
// one needs is forgotten, and said to be.
func TestAChangeOfWay(t *testing.T) {
	r, _ := atSite(t)
	passcard := r.connect()
	if got := r.holds(passcard); got != "password session totp" {
		t.Fatalf("keeps %s", got)
	}
	res, werr := r.stream(ipc.PathPasscards, r.bySite())
	if werr != nil || bare(res.Passcard) != passcard || !slices.Equal(res.Forgotten, []string{"password"}) {
		t.Fatalf("%+v, %v", res, werr)
	}
	if got := r.holds(passcard); got != "cookies totp" || r.passcard(passcard).Via != ipc.ViaWebsite {
		t.Errorf("by the website it keeps %s", got)
	}
	back := ipc.Connect{Registry: r.url, Username: user, Via: ipc.ViaRegistry, Password: secret.NewWire(password), TOTPSecret: secret.NewWire(totpSeed), Remember: []string{"password"}, Terminal: true}
	if res, werr = r.stream(ipc.PathPasscards, back); werr != nil || len(res.Forgotten) != 0 {
		t.Fatalf("%+v, %v", res, werr)
	}
	p := r.passcard(passcard)
	if got := r.holds(passcard); got != "cookies password session totp" || p.Via != ipc.ViaRegistry || p.Site != "" {
		t.Errorf("by the registry again it keeps %s: %+v", got, p)
	}
	there := r.bySite()
	there.AcceptTerms, there.Remember = false, []string{"password"} // the word was given
	if res, werr = r.stream(ipc.PathPasscards, there); werr != nil || len(res.Forgotten) != 0 || r.holds(passcard) != "cookies password totp" {
		t.Errorf("%+v, %v; it keeps %s", res, werr, r.holds(passcard))
	}
}

// Everything that uses an account uses npm's pages, one browser at a time, which
// is gone when it is done.
func TestEverythingByTheWebsite(t *testing.T) {
	r, s, passcard, rots := firstAtSite(t, "one", "two")
	old := r.token(rots[0])
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if _, werr := r.stream(ipc.Path(ipc.PathRotate, passcard), ipc.Rotate{}); werr != nil {
				t.Error(werr)
			}
		})
	}
	all.Wait()
	r.advance(61 * day)
	r.await("the timer's rotations", func() bool { return r.token(rots[0]).Generation == 5 && r.token(rots[1]).Generation == 5 })
	r.await("the end of them", func() bool { return r.rot(rots[0]).Retiring+r.rot(rots[1]).Retiring == 0 })
	if len(s.tokens) != 2 || r.token(rots[0]).Value.Equal(old.Value.Text) {
		t.Errorf("npm holds %d tokens", len(s.tokens))
	}
	if res, werr := r.stream(ipc.Path(ipc.PathRevoke, rots[0]), ipc.Revoke{}); werr != nil || !res.Revocations[0].Confirmed || len(s.tokens) != 1 {
		t.Errorf("revoke: %+v, %v", res, werr)
	}
	if _, werr := r.stream(ipc.Path(ipc.PathRemove, passcard), ipc.Remove{Yes: true}); werr != nil || len(s.tokens) != 0 || s.out != 1 {
		t.Errorf("remove: %v; %d tokens, %d sign-outs", werr, len(s.tokens), s.out)
	}
	r.await("the end of the browsers", func() bool { return s.count(&s.open) == 0 })
	if s.most != 1 || s.signIns != 1 {
		t.Errorf("%d browsers at a time, %d sign-ins", s.most, s.signIns)
	}
}

// A site of its own is where its account goes from then on.
func TestASiteOfItsOwn(t *testing.T) {
	r, s := atSite(t)
	req := r.bySite()
	req.Site = "https://www.npm.example/"
	res, werr := r.stream(ipc.PathPasscards, req)
	if werr != nil || r.passcard(bare(res.Passcard)).Site != "https://www.npm.example" {
		t.Fatalf("%+v, %v", res, werr)
	}
	if _, werr = r.stream(ipc.Path(ipc.PathRotate, bare(res.Passcard)), ipc.Rotate{Shape: publish}); werr != nil {
		t.Fatal(werr)
	}
	again := r.bySite()
	if _, werr = r.stream(ipc.PathPasscards, again); werr != nil {
		t.Fatal(werr)
	}
	// Nor has it to be said again who that is.
	_, werr, _ = r.answers(ipc.PathPasscards, ipc.Connect{Registry: r.url, Interactive: true}, map[string]func() string{
		ipc.AskUsername: func() string { return user }, ipc.AskPassword: func() string { return password }})
	if werr != nil {
		t.Fatal(werr)
	}
	if want := slices.Repeat([]string{"https://www.npm.example"}, 4); !slices.Equal(s.sites, want) {
		t.Errorf("visited %q", s.sites)
	}
}
