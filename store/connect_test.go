package store

import (
	"errors"
	"maps"
	"testing"
	"time"

	"rotd/ipc/secret"
)

// kept reveals what a passcard keeps.
func kept(t *testing.T, s *Store, passcard string) map[Kind]string {
	t.Helper()
	all := map[Kind]string{}
	for _, k := range must[[]Kind](t)(s.Kinds(t.Context(), passcard)) {
		all[k] = must[secret.Text](t)(s.Secret(t.Context(), passcard, k)).Reveal()
	}
	return all
}

func TestConnect(t *testing.T) {
	st := newState(t)
	s, ctx := st.open(t), t.Context()
	p := must[Passcard](t)(s.Connect(ctx, Passcard{Registry: "r", Username: "ada", Via: "registry"}, map[Kind]secret.Text{
		KindPassword: secret.New("pw-EXAMPLE"), KindSession: secret.New("session-EXAMPLE"), KindTOTP: {}}))
	if got, want := kept(t, s, p.ID), (map[Kind]string{KindPassword: "pw-EXAMPLE", KindSession: "session-EXAMPLE"}); !maps.Equal(got, want) {
		t.Errorf("a new one keeps %v", got)
	}
	ok(t, s.NoteSession(ctx, p.ID, st.clock.t, Trouble{Code: "needs_sign_in", Message: "m"}))
	ok(t, s.NotePasscardNotified(ctx, p.ID, st.clock.t))
	st.clock.advance(time.Hour)
	p.Name, p.Via, p.Site, p.Terms, p.Checked = "work", "website", "http://localhost:2", st.clock.t, st.clock.t
	again := must[Passcard](t)(s.Connect(ctx, p, map[Kind]secret.Text{KindCookies: secret.New("[]"), KindPassword: {}}))
	if got := must[Passcard](t)(s.Passcard(ctx, p.ID)); got != again || got != p {
		t.Errorf("renewed: %+v, want %+v", got, p)
	}
	if got, want := kept(t, s, p.ID), (map[Kind]string{KindCookies: "[]", KindSession: "session-EXAMPLE"}); !maps.Equal(got, want) {
		t.Errorf("renewed, it keeps %v", got)
	}
}

// What cannot be kept whole is not kept at all.
func TestConnectIsAllOrNothing(t *testing.T) {
	s, ctx := openNew(t), t.Context()
	p := must[Passcard](t)(s.Connect(ctx, Passcard{Name: "work", Registry: "r", Username: "ada", Via: "registry"}, map[Kind]secret.Text{KindPassword: secret.New("old-EXAMPLE")}))
	addROT(t, s, p.ID, "deploy")
	fresh := map[Kind]secret.Text{KindPassword: secret.New("new-EXAMPLE"), KindCookies: secret.New("[]")}
	change := func(f func(*Passcard)) Passcard { q := p; f(&q); return q }
	for name, c := range map[string]struct {
		p    Passcard
		want error // nil: any
	}{
		"the account has one":           {Passcard{Registry: "r", Username: "ada", Via: "registry"}, ErrTaken},
		"a name that is taken":          {Passcard{Name: "deploy", Registry: "r", Username: "bob", Via: "registry"}, ErrTaken},
		"to a name that is taken":       {change(func(q *Passcard) { q.Name = "deploy" }), ErrTaken},
		"no such passcard":              {change(func(q *Passcard) { q.ID, q.Name = "pas_none", "" }), ErrNotFound},
		"an unknown way":                {change(func(q *Passcard) { q.Via = "pigeon" }), nil},
		"the website without a yes":     {change(func(q *Passcard) { q.Via = "website" }), nil},
		"a site that ends in a slash":   {change(func(q *Passcard) { q.Site = "http://localhost/" }), nil},
		"no user":                       {change(func(q *Passcard) { q.Username = "" }), nil},
		"a registry that ends in slash": {change(func(q *Passcard) { q.Registry = "r/" }), nil},
	} {
		if _, err := s.Connect(ctx, c.p, fresh); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A secret that does not go in takes the passcard with it.
	if _, err := s.db.ExecContext(ctx, `CREATE TRIGGER no BEFORE INSERT ON passcard_secrets WHEN NEW.kind = 'cookies' BEGIN SELECT RAISE(ABORT, 'no'); END`); err != nil {
		t.Fatal(err)
	}
	for _, q := range []Passcard{change(func(q *Passcard) { q.Name = "other" }), {Registry: "r", Username: "bob", Via: "registry"}} {
		if _, err := s.Connect(ctx, q, fresh); err == nil {
			t.Errorf("%+v was kept", q)
		}
	}
	if all := must[[]Passcard](t)(s.Passcards(ctx)); len(all) != 1 || all[0] != p {
		t.Errorf("afterwards: %+v", all)
	}
	if got := kept(t, s, p.ID); !maps.Equal(got, map[Kind]string{KindPassword: "old-EXAMPLE"}) {
		t.Errorf("it keeps %v", got)
	}
}
