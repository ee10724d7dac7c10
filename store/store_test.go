package store

import (
	"errors"
	"testing"

	"rotd/ipc/secret"
)

func TestFirstLife(t *testing.T) {
	st := newState(t)
	s := st.open(t)
	p := addPasscard(t, s, "ada")
	r := addROT(t, s, p.ID, "deploy")
	ok(t, s.PutSecret(t.Context(), p.ID, KindPassword, secret.New("pw-EXAMPLE")))
	if _, _, err := s.Current(t.Context(), r.ID); !errors.Is(err, ErrNoValue) {
		t.Errorf("Current before the first rotation: %v", err)
	}
	rotate(t, s, r.ID, "rotd-a-1", "npm_oneEXAMPLE")
	rotate(t, s, r.ID, "rotd-a-2", "npm_twoEXAMPLE")
	ok(t, s.Close())

	s = st.open(t)
	g, v, err := s.Current(t.Context(), r.ID)
	ok(t, err)
	if g.N != 2 || v.Reveal() != "npm_twoEXAMPLE" {
		t.Errorf("Current after a restart: %+v %q", g, v.Reveal())
	}
	if v := must[secret.Text](t)(s.Secret(t.Context(), p.ID, KindPassword)); v.Reveal() != "pw-EXAMPLE" {
		t.Errorf("the password is %q", v.Reveal())
	}
}
