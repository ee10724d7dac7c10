package store

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rotd/ipc/secret"
)

func TestPasscards(t *testing.T) {
	st := newState(t)
	s, ctx := st.open(t), t.Context()
	ada := must[Passcard](t)(s.AddPasscard(ctx, Passcard{Name: "work", Registry: "http://localhost:1", Username: "ada", Via: "registry"}))
	st.clock.advance(time.Second)
	bob := must[Passcard](t)(s.AddPasscard(ctx, Passcard{Registry: "http://localhost:1", Username: "bob", Via: "website", Site: "http://localhost:2", Terms: st.clock.t}))
	if !ada.Created.Equal(st.clock.t.Add(-time.Second)) {
		t.Errorf("created at %s", ada.Created)
	}
	if diff := cmp.Diff([]Passcard{ada, bob}, must[[]Passcard](t)(s.Passcards(ctx))); diff != "" {
		t.Errorf("Passcards (-want +got):\n%s", diff)
	}
	if got := must[Passcard](t)(s.PasscardByAccount(ctx, "http://localhost:1", "bob")); got != bob {
		t.Errorf("PasscardByAccount: %+v", got)
	}
	if _, err := s.PasscardByAccount(ctx, "http://localhost:2", "bob"); !errors.Is(err, ErrNotFound) {
		t.Errorf("PasscardByAccount elsewhere: %v", err)
	}
}

func TestPasscardsThatAreRefused(t *testing.T) {
	s, ctx := openNew(t), t.Context()
	p := must[Passcard](t)(s.AddPasscard(ctx, Passcard{Name: "work", Registry: "r", Username: "ada", Via: "registry"}))
	addROT(t, s, p.ID, "deploy")
	for name, want := range map[Passcard]error{
		{Registry: "r", Username: "ada", Via: "registry"}:                 ErrTaken, // the account
		{Name: "work", Registry: "r", Username: "bob", Via: "registry"}:   ErrTaken,
		{Name: "deploy", Registry: "r", Username: "bob", Via: "registry"}: ErrTaken, // by a ROT
		{Name: "a b", Registry: "r", Username: "bob", Via: "registry"}:    nil,
		{Registry: "r/", Username: "bob", Via: "registry"}:                nil,
		{Registry: "r", Via: "registry"}:                                  nil,
		{Username: "bob", Via: "registry"}:                                nil,
		{Registry: "r", Username: "bob"}:                                  nil,
	} {
		if _, err := s.AddPasscard(ctx, name); err == nil || (want != nil && !errors.Is(err, want)) {
			t.Errorf("%+v: %v", name, err)
		}
	}
	if n := len(must[[]Passcard](t)(s.Passcards(ctx))); n != 1 {
		t.Errorf("%d passcards", n)
	}
}

func TestTroubleOfAPasscard(t *testing.T) {
	st := newState(t)
	s, ctx := st.open(t), t.Context()
	p := addPasscard(t, s, "ada")
	why := Trouble{Code: "needs_sign_in", Message: "m", Hint: "h"}
	ok(t, s.NoteSession(ctx, p.ID, st.clock.t, why))
	ok(t, s.NotePasscardNotified(ctx, p.ID, st.clock.t))
	p.Checked, p.Trouble, p.NotifiedAt = st.clock.t, why, st.clock.t
	if got := must[Passcard](t)(s.Passcard(ctx, p.ID)); got != p {
		t.Errorf("in trouble: %+v", got)
	}
	st.clock.advance(time.Hour)
	ok(t, s.NoteSession(ctx, p.ID, st.clock.t, Trouble{}))
	p.Checked, p.Trouble, p.NotifiedAt = st.clock.t, Trouble{}, time.Time{}
	if got := must[Passcard](t)(s.Passcard(ctx, p.ID)); got != p {
		t.Errorf("out of it: %+v", got)
	}
	if err := s.NoteSession(ctx, "pas_none", st.clock.t, why); !errors.Is(err, ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
}

func TestSecrets(t *testing.T) {
	s, ctx := openNew(t), t.Context()
	p := addPasscard(t, s, "ada")
	get := func(k Kind) string {
		t.Helper()
		v := must[secret.Text](t)(s.Secret(ctx, p.ID, k))
		if v.IsZero() {
			return ""
		}
		return v.Reveal()
	}
	if get(KindPassword) != "" {
		t.Error("a new passcard has a password")
	}
	ok(t, s.PutSecret(ctx, p.ID, KindPassword, secret.New("one-EXAMPLE")))
	ok(t, s.PutSecret(ctx, p.ID, KindPassword, secret.New("two-EXAMPLE")))
	ok(t, s.PutSecret(ctx, p.ID, KindCookies, secret.New("[]")))
	if got := get(KindPassword); got != "two-EXAMPLE" {
		t.Errorf("the password is %q", got)
	}
	if diff := cmp.Diff([]Kind{KindCookies, KindPassword}, must[[]Kind](t)(s.Kinds(ctx, p.ID))); diff != "" {
		t.Errorf("Kinds (-want +got):\n%s", diff)
	}
	ok(t, s.PutSecret(ctx, p.ID, KindPassword, secret.Text{}))
	ok(t, s.PutSecret(ctx, p.ID, KindPassword, secret.Text{})) // there is nothing to delete
	if get(KindPassword) != "" {
		t.Error("the password is still there")
	}
	if err := s.PutSecret(ctx, "pas_none", KindPassword, secret.New("x")); !errors.Is(err, ErrNotFound) {
		t.Errorf("a secret of no passcard: %v", err)
	}
}
