package daemon

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rotd/daemon/rotate"
	"rotd/ipc"
	"rotd/ipc/secret"
	"rotd/store"
)

// strayToken makes a token by hand, as a person does, beside rotd.
func (r *rig) strayToken(name string) rotate.Token {
	r.t.Helper()
	passcards, err := r.d.store.Load().Passcards(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	var tk rotate.Token
	err = r.d.withPasscard(r.t.Context(), r.d.store.Load(), passcards[0].ID, nil, untold, func(acct npmAccount) (err error) {
		tk, err = acct.Create(r.t.Context(), name, store.Shape{PackagesAll: true, Permission: ipc.PermissionRead, ExpiresDays: 9})
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return tk
}

func (r *rig) stray(value secret.Text) (s ipc.Stray) {
	r.t.Helper()
	if err := r.call("POST", ipc.PathStrays, ipc.FindStray{Registry: r.url, Value: secret.Wire{Text: value}}, &s); err != nil {
		r.t.Fatal(err)
	}
	return s
}

func TestStray(t *testing.T) {
	r := newRig(t)
	passcard, rot := r.first()
	old := r.strayToken("by-hand")
	s := r.stray(old.Value)
	if !s.Accepted || s.Username != user || bare(s.Passcard) != passcard || s.ROT != "" || s.Name != "by-hand" || s.Permission != ipc.PermissionRead || s.Untold != nil ||
		s.Expires == nil || s.Expires.Sub(r.clock()).Round(24*time.Hour) != 9*24*time.Hour {
		t.Errorf("%+v", s)
	}
	if s := r.stray(r.token(rot).Value.Text); bare(s.ROT) != rot || !s.Accepted {
		t.Errorf("a ROT's: %+v", s)
	}
	if s := r.stray(secret.New("npm_000000000000000000000000000000EXAMPLE")); s.Accepted || s.Username != "" || s.Passcard != "" {
		t.Errorf("nobody's: %+v", s)
	}
	for _, registry := range []string{"https://elsewhere.example", "http://elsewhere.example", "", "nonsense"} {
		err := r.call("POST", ipc.PathStrays, ipc.FindStray{Registry: registry, Value: secret.Wire{Text: old.Value}}, nil)
		if err == nil || err.Hint == "" {
			t.Errorf("%q: %v", registry, err)
		}
	}
	if strings.Contains(r.log.String(), old.Value.Reveal()) {
		t.Error("the log has the value")
	}
}

func TestRevokeStray(t *testing.T) {
	r := newRig(t)
	_, rot := r.first()
	revoke := func(value secret.Text) (*ipc.Result, *ipc.Error) {
		t.Helper()
		return r.stream(ipc.PathStrayRevoke, ipc.RevokeStray{Registry: r.url, Value: secret.Wire{Text: value}})
	}
	old, other := r.strayToken("by-hand"), r.strayToken("another")
	for range 2 { // the second time it is gone
		res, err := revoke(old.Value)
		if err != nil || res.Stray == nil || res.Stray.Accepted {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	if r.stray(old.Value).Accepted || !r.stray(other.Value).Accepted || !r.accepts(r.token(rot)) {
		t.Error("not that one alone was revoked")
	}
	if _, err := revoke(r.token(rot).Value.Text); err == nil || !strings.Contains(err.Message, rot) {
		t.Errorf("a ROT's: %v", err)
	}

	// Where the account does not do it, the token ends itself.
	r.switches(`{"faults":[{"path":"/-/npm/v1/tokens","count":-1,"kind":"status","status":503}]}`)
	if s := r.stray(other.Value); s.Untold == nil || s.Untold.Hint == "" || s.Name != "" || !s.Accepted {
		t.Errorf("without a list: %+v", s)
	}
	if _, err := revoke(other.Value); err != nil {
		t.Error(err)
	}
	r.switches(`{"faults":[]}`)
	if r.stray(other.Value).Accepted || !slices.ContainsFunc(r.entries("", store.LogRevoked), func(e ipc.LogEntry) bool { return strings.Contains(e.Detail, "no ROT's") }) {
		t.Error("it is accepted still, or not in the log")
	}
}
