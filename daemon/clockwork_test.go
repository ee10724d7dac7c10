package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"rotd/daemon/npm"
	"rotd/daemon/npm/sandbox"
	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// clockwork is a daemon whose timer a test turns by hand, and an npm in memory:
// years of it pass in seconds.
type clockwork struct {
	t    testing.TB
	d    *Daemon
	st   *store.Store
	npm  time.Time     // the true time
	skew time.Duration // of the daemon's clock
	last time.Time     // when the timer last looked, by the daemon's clock
	rnd  *rand.Rand

	known bool // rots and live are what the store holds
	rots  []store.ROT
	live  map[string][]store.Generation

	tokens    map[string]*clockworkToken // by key
	opened    int                        // how often an account was opened
	down      bool
	failEvery int                    // one call in so many fails; 0: none does
	current   map[string]int         // the generation of each ROT at the last look
	made      map[string][]time.Time // when each of them became current
}

type clockworkToken struct {
	rotate.Token
	deleted bool
}

func newClockwork(t testing.TB) *clockwork {
	t.Helper()
	w := &clockwork{
		t: t, npm: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), rnd: rand.New(rand.NewPCG(11, 23)),
		tokens: map[string]*clockworkToken{}, made: map[string][]time.Time{}, current: map[string]int{},
	}
	// In memory where that can be had: thousands of rotations are written.
	dir, err := os.MkdirTemp(map[bool]string{true: "/dev/shm"}[isDir("/dev/shm")], "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	key, err := store.ParseKeySource("file:" + filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	w.d = &Daemon{
		cfg:        Config{StateDir: filepath.Join(dir, "state"), Key: key, Now: w.now, Log: quiet},
		wake:       make(chan struct{}, 1),
		stop:       t.Context(),
		unattended: func(context.Context, *store.Store, string) (npmAccount, error) { w.opened++; return w, nil },
	}
	if w.st, err = w.d.openStore(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.st.Close() })
	w.d.store.Store(w.st)
	w.d.leases = newLeases(filepath.Join(dir, "leases"), 1, quiet, func(string) {})
	w.d.engine = &rotate.Engine{
		Journal: w.st, Now: w.now, Jitter: w.rnd.Float64, Log: quiet,
		Sleep:      func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Readers:    func(string, int) int { return 0 },
		ReaderTime: func() time.Duration { return 0 },
	}
	return w
}

func (w *clockwork) now() time.Time { return w.npm.Add(w.skew) }

func (w *clockwork) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *clockwork) passcard(n int) string {
	w.t.Helper()
	p, err := w.st.AddPasscard(w.t.Context(), store.Passcard{Registry: "http://localhost:1", Username: fmt.Sprintf("u%d", n), Via: "registry"})
	w.must(err)
	return p.ID
}

// rot makes a ROT and its first token.
func (w *clockwork) rot(passcard string, days int) string {
	w.t.Helper()
	r, err := w.st.AddROT(w.t.Context(), store.ROT{Passcard: passcard, Shape: store.Shape{PackagesAll: true, ExpiresDays: days}})
	w.must(err)
	w.rotate(r.ID)
	return r.ID
}

func (w *clockwork) rotate(rot string) {
	w.t.Helper()
	if done := w.d.rotateEach(w.t.Context(), w.st, w, []string{rot}, nil, func(string, string, string) {}); done[0].Error != nil {
		w.t.Fatal(done[0].Error)
	}
	w.made[rot], w.current[rot] = append(w.made[rot], w.npm), 1
}

// turn is one look of the timer, whose work it does, and returns when the next
// is due.
func (w *clockwork) turn() (next time.Time) {
	w.t.Helper()
	now := w.d.cfg.Now()
	work, next, err := w.d.due(w.t.Context(), w.last)
	w.must(err)
	w.last = now
	passcards, err := w.st.Passcards(w.t.Context())
	w.must(err)
	for _, p := range passcards { // in their order: a seed makes the same year again
		if duty := work[p.ID]; duty != nil {
			w.d.perform(w.t.Context(), p.ID, duty)
		}
	}
	if len(work) > 0 {
		w.known = false
		for rot, n := range w.generations() {
			if n > w.current[rot] {
				w.made[rot] = append(w.made[rot], w.npm)
				w.current[rot] = n
			}
		}
		return w.npm // whoever has done something makes the timer look again
	}
	return next
}

func (w *clockwork) generations() map[string]int {
	w.t.Helper()
	rots, err := w.st.ROTs(w.t.Context())
	w.must(err)
	all := make(map[string]int)
	for _, r := range rots {
		all[r.ID] = r.Current
	}
	return all
}

// served checks that npm takes what each ROT serves, and that the daemon knows.
func (w *clockwork) served(when string) {
	w.t.Helper()
	if !w.known { // nothing else writes
		var err error
		w.rots, err = w.st.ROTs(w.t.Context())
		w.must(err)
		w.live, err = w.st.Live(w.t.Context())
		w.must(err)
		w.known = true
	}
	for _, r := range w.rots {
		g := served(r, w.live[r.ID])
		if tk := w.tokens[g.Key]; tk == nil || tk.deleted || !w.npm.Before(tk.Expires) {
			w.t.Fatalf("%s, %v: %s of %d days serves generation %d, which npm refuses: made %v ago, expired %v ago; next %v, %d failures, %+v",
				when, w.npm, r.ID, r.Shape.ExpiresDays, g.N, w.npm.Sub(g.Created), w.npm.Sub(g.Expires), r.Next.Sub(w.npm), r.Failures, r.Trouble)
		}
		if v := w.d.rotView(r, store.Passcard{}, w.live[r.ID], nil); v.State == ipc.StateExpired {
			w.t.Fatalf("%s: %s counts as expired: %v", when, r.ID, *v.Expires)
		}
	}
}

// fails decides whether a call is lost.
func (w *clockwork) fails() error {
	if w.down || w.failEvery > 0 && w.rnd.IntN(w.failEvery) == 0 {
		return &npm.Error{Kind: npm.ErrUnreachable, Message: "no answer"}
	}
	return nil
}

func (w *clockwork) Create(_ context.Context, name string, want store.Shape) (rotate.Token, error) {
	if err := w.fails(); err != nil {
		return rotate.Token{}, err
	}
	tk := rotate.Token{
		Key: name, Name: name, Value: secret.New("npm_EXAMPLE" + name),
		Created: w.npm, Expires: w.npm.Add(time.Duration(want.ExpiresDays) * day),
	}
	w.tokens[tk.Key] = &clockworkToken{Token: tk}
	if err := w.fails(); err != nil {
		return rotate.Token{}, err // npm made it, and nobody heard
	}
	return tk, nil
}

func (w *clockwork) List(context.Context) ([]rotate.Token, error) {
	if err := w.fails(); err != nil {
		return nil, err
	}
	var all []rotate.Token
	for key, tk := range w.tokens {
		if w.npm.Sub(tk.Expires) > day {
			delete(w.tokens, key)
		} else if !tk.deleted {
			all = append(all, rotate.Token{Key: tk.Key, Name: tk.Name})
		}
	}
	return all, nil
}

func (w *clockwork) Verify(context.Context, rotate.Token, store.Shape) error { return w.fails() }

func (w *clockwork) Accepts(_ context.Context, value secret.Text) (bool, error) {
	tk := w.tokens[value.Reveal()[len("npm_EXAMPLE"):]]
	return tk != nil && !tk.deleted && w.npm.Before(tk.Expires), w.fails()
}

func (w *clockwork) SignIn(context.Context) error  { return nil }
func (w *clockwork) SignOut(context.Context) error { return nil }
func (w *clockwork) Close(context.Context) error   { return nil }

func (w *clockwork) Revoke(_ context.Context, key string) error {
	if err := w.fails(); err != nil {
		return err
	}
	if tk := w.tokens[key]; tk != nil {
		tk.deleted = true
	}
	return nil
}

// A year of 50 ROTs whose tokens live from a day to a year, on a laptop that
// sleeps eight hours a night, with an npm that loses one call in thirty and is
// away for an hour now and then: at no time is an expired token served, and none
// is replaced twice.
func TestAYear(t *testing.T) {
	w := newClockwork(t)
	lives := make(map[string]time.Duration)
	short, long := []int{1, 2, 3, 7, 14, 30, 30, 60, 90, 365}, []int{5, 7, 10, 14, 30, 30, 45, 60, 90, 365}
	for n, days := range [][]int{short, long, long, long, long} {
		p := w.passcard(n)
		for _, life := range days {
			w.npm = w.npm.Add(7 * time.Minute)
			lives[w.rot(p, life)] = time.Duration(life) * day
		}
	}
	w.failEvery = 30
	end := w.npm.Add(365 * day)
	bed := w.npm.Truncate(day).Add(day)
	outage := w.npm.Add(10 * day)
	for w.npm.Before(end) {
		w.served("before the look")
		next := w.turn()
		if w.npm = w.npm.Add(tickingNap); next.After(w.npm) {
			w.npm = next // there is nothing to see until then
		}
		if !w.npm.Before(bed) { // the lid is closed
			w.npm = bed.Add(8 * time.Hour)
			bed = bed.Add(day)
		}
		if w.down = w.npm.After(outage) && w.npm.Sub(outage) < time.Hour; w.npm.Sub(outage) > time.Hour {
			outage = w.npm.Add(time.Duration(w.rnd.Int64N(int64(20 * day))))
		}
	}
	total := 0
	for rot, made := range w.made {
		total += len(made)
		for i := 1; i < len(made); i++ {
			if pause := made[i].Sub(made[i-1]); pause < lives[rot]/2 {
				t.Errorf("a token of %v is replaced after %v", lives[rot], pause)
			}
		}
	}
	w.failEvery, w.down = 0, false
	for range 5 {
		w.npm = w.npm.Add(20 * time.Minute)
		w.turn()
	}
	alive := 0
	for _, tk := range w.tokens {
		if !tk.deleted && w.npm.Before(tk.Expires) {
			alive++
		}
	}
	if alive != len(lives) {
		t.Errorf("%d tokens are left on npm, of %d ROTs", alive, len(lives))
	}
	t.Logf("%d rotations of %d ROTs in a year, 0 expired tokens served", total, len(lives))
}

func TestAClockSetBack(t *testing.T) {
	for _, back := range []time.Duration{time.Hour, day, 40 * day} {
		w := newClockwork(t)
		rot := w.rot(w.passcard(0), 90)
		w.npm = w.npm.Add(61 * day)
		w.turn()
		w.skew = -back
		for range 100 {
			w.turn()
			w.served("after the clock was set back")
			w.npm = w.npm.Add(time.Hour)
		}
		if n := w.generations()[rot]; n != 2 {
			t.Errorf("set back by %v: generation %d, want 2", back, n)
		}
	}
}

func TestAClockFarAhead(t *testing.T) {
	for _, c := range []struct {
		name          string
		days          int
		schedule      store.Schedule
		ahead, beyond time.Duration // the next rotation is this long after the clock is right again, at most
	}{
		{"which has expired by it", 30, store.Schedule{}, 40 * day, 20 * day},
		{"which is due by it", 50, store.Schedule{}, 40 * day, 34 * day},
		{"often", 90, store.Schedule{Every: 2 * day}, 40 * day, 2 * day},
	} {
		w := newClockwork(t)
		rot := w.rot(w.passcard(0), c.days)
		w.must(w.st.SetSchedule(t.Context(), rot, c.schedule, w.npm.Add(day)))
		w.skew = c.ahead
		for range 20 {
			w.turn()
			w.served(c.name + ", while the clock is ahead")
			w.npm = w.npm.Add(time.Hour)
		}
		if n := w.generations()[rot]; n != 2 {
			t.Fatalf("%s: generation %d while the clock is ahead, want 2", c.name, n)
		}
		w.skew = 0
		w.turn()
		w.served(c.name + ", when it is right again")
		r, err := w.st.ROT(t.Context(), rot)
		w.must(err)
		if r.Current != 2 || r.Next.Sub(w.npm) > c.beyond || !r.Next.After(w.npm) {
			t.Errorf("%s: generation %d, the next one in %v", c.name, r.Current, r.Next.Sub(w.npm))
		}
		next := r.Next
		w.npm = w.npm.Add(time.Hour)
		w.turn()
		if r, err = w.st.ROT(t.Context(), rot); err != nil || !r.Next.Equal(next) {
			t.Errorf("%s: the next rotation is drawn again and again: %v, %v", c.name, next, r.Next)
		}
		w.npm = r.Next
		w.turn()
		if n := w.generations()[rot]; n != 3 {
			t.Errorf("%s: it is not rotated when it is due", c.name)
		}
		w.served(c.name + ", after that")
	}
}

func TestAClockThatWasAheadAtAFailure(t *testing.T) {
	w := newClockwork(t)
	rot := w.rot(w.passcard(0), 90)
	w.npm = w.npm.Add(61 * day)
	w.skew, w.down = day, true
	w.turn()
	w.skew, w.down = 0, false
	w.turn() // the wait is drawn anew
	w.npm = w.npm.Add(3 * time.Minute)
	w.turn()
	if n := w.generations()[rot]; n < 2 {
		t.Errorf("generation %d: the next try waits for a time that is a day away", n)
	}
}

func TestWhatIsDueGoesTogether(t *testing.T) {
	w := newClockwork(t)
	p, other := w.passcard(0), w.passcard(1)
	now := w.npm.Add(50 * day)
	due, soonDue, late, failing := w.rot(p, 90), w.rot(p, 90), w.rot(p, 90), w.rot(p, 90)
	elsewhere := w.rot(other, 90)
	for rot, next := range map[string]time.Time{due: now, soonDue: now.Add(50 * time.Minute), late: now.Add(2 * time.Hour), elsewhere: now.Add(time.Minute)} {
		w.must(w.st.SetNext(t.Context(), rot, next))
	}
	w.must(w.st.SetTrouble(t.Context(), failing, store.Trouble{Code: "rate_limited", Message: "later"}, 1, now.Add(time.Minute)))
	w.npm, w.opened = now, 0
	w.turn()
	got := w.generations()
	want := map[string]int{due: 2, soonDue: 2, late: 1, failing: 1, elsewhere: 1}
	for rot, n := range want {
		if got[rot] != n {
			t.Errorf("generation %d, want %d", got[rot], n)
		}
	}
	if w.opened != 1 {
		t.Errorf("%d sign-ins", w.opened)
	}
}

func TestASignInThatComesTooSoon(t *testing.T) {
	var s signIns
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	begin := func(user string, in time.Duration, person bool) error { return s.begin("r", user, now.Add(in), person) }
	for _, c := range []struct {
		user   string
		in     time.Duration
		person bool
		soon   bool
	}{
		{"ada", 0, false, false},
		{"bob", time.Second, false, false},
		{"ada", 40 * time.Second, false, true},
		{"ada", 50 * time.Second, true, false}, // and it counts
		{"ada", 70 * time.Second, false, true},
		{"ada", 110 * time.Second, false, false},
		{"ada", -time.Hour, false, false}, // the clock was set back
	} {
		err := begin(c.user, c.in, c.person)
		if errors.Is(err, errSignInTooSoon) != c.soon {
			t.Errorf("%+v: %v", c, err)
		}
		if wait := retryAfter(err); c.soon && (wait <= 0 || wait > signInPause) {
			t.Errorf("%+v: to be tried again in %v", c, wait)
		}
	}
}

// A rotation that would need a second sign-in within the minute is put off, and
// that is no failure.
func TestARotationIsPutOff(t *testing.T) {
	r := newRig(t)
	passcard, rot := r.first()
	r.npm.SignOut()
	p, err := r.d.store.Load().Passcard(t.Context(), passcard)
	if err != nil {
		t.Fatal(err)
	}
	r.advance(58 * day)
	if err := r.d.signIns.begin(p.Registry, p.Username, r.clock(), true); err != nil {
		t.Fatal(err)
	}
	if err := r.d.store.Load().SetNext(t.Context(), rot, r.clock()); err != nil {
		t.Fatal(err)
	}
	r.look()
	r.await("the putting off", func() bool { return r.rot(rot).Next.After(r.clock()) })
	if v := r.rot(rot); v.State != ipc.StateOK || v.LastError != nil || v.Next.Sub(r.clock()) > signInPause || v.Generation != 1 {
		t.Errorf("%+v", v)
	}
	signIns := func() int {
		return len(slices.DeleteFunc(r.npm.Requests(), func(q sandbox.Request) bool { return q.Method != "PUT" }))
	}
	before := signIns()
	r.advance(2 * time.Minute)
	r.await("the rotation", func() bool { return r.token(rot).Generation > 1 })
	if n := signIns() - before; n != 1 {
		t.Errorf("%d sign-ins", n)
	}
}
